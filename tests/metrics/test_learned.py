from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from ganglion.data.prepare import prepare
from ganglion.errors import DataError
from ganglion.metrics.distances import frechet_distance, moments
from ganglion.metrics.features import ImageSet, store_set
from ganglion.metrics.learned import FEATURES, feature_training_split, learned_extractor, same_image_loss
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits(cache: Path) -> ImageSet:
    return store_set(prepare(Data(source="digits", size=(16, 16)), cache, Screen(quiet=True)))


def trained(images: ImageSet, folder: Path, steps: int = 5):  # type: ignore[no-untyped-def]
    return learned_extractor(images, folder, CPU, steps=steps)


def floats(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images / 127.5 - 1).permute(0, 3, 1, 2).float()


def test_it_is_trained_once_and_found_again(digits: ImageSet, tmp_path: Path) -> None:
    told: list[int] = []
    first = learned_extractor(digits, tmp_path, CPU, lambda done, total: told.append(done), steps=3)
    again = learned_extractor(digits, tmp_path, CPU, lambda done, total: told.append(done), steps=3)
    assert told == [1, 2, 3]
    assert first.hash == again.hash


def test_equal_images_give_equal_networks_and_the_global_generator_is_left_alone(
    digits: ImageSet, tmp_path: Path
) -> None:
    before = torch.random.get_rng_state()
    torch.manual_seed(1)
    first = trained(digits, tmp_path / "a")
    torch.manual_seed(2)
    assert trained(digits, tmp_path / "b").hash == first.hash
    torch.random.set_rng_state(before)


def test_about_a_third_trains_the_features_and_the_same_images_each_time(digits: ImageSet, tmp_path: Path) -> None:
    known = trained(digits, tmp_path).trained_on
    assert known is not None
    assert known(digits).mean() == pytest.approx(1 / 3, abs=0.05)
    assert np.array_equal(known(digits), known(digits))
    some = np.arange(3, 900, 7)
    assert np.array_equal(known(digits.pick(some)), known(digits)[some])


def test_no_image_outside_its_part_moves_the_network(digits: ImageSet, tmp_path: Path) -> None:
    known = feature_training_split(digits)
    images = np.array(digits.images)
    images[~known] = images[~known][0]
    changed = replace(digits, source=images, content="changed")
    assert np.array_equal(feature_training_split(changed), known)
    assert trained(changed, tmp_path / "a").hash == trained(digits, tmp_path / "b").hash
    images[known] = images[known][0]
    assert trained(replace(changed, content="all"), tmp_path / "c").hash != trained(digits, tmp_path / "b").hash


def test_an_image_that_is_there_twice_is_on_one_side_only(digits: ImageSet) -> None:
    twice = digits.pick(np.repeat(np.arange(len(digits)), 2))
    known = feature_training_split(twice)
    assert np.array_equal(known[::2], known[1::2])


def test_too_few_images_to_be_parted_are_refused(digits: ImageSet, tmp_path: Path) -> None:
    for few in (digits.pick(np.arange(20)), digits.pick(np.zeros(600, np.int64))):
        with pytest.raises(DataError, match=r"of these .* at least 16 of each.*--features random or pixels"):
            trained(few, tmp_path)


def test_damaged_weights_are_trained_anew(digits: ImageSet, tmp_path: Path) -> None:
    good = trained(digits, tmp_path)
    (file,) = (tmp_path / "extractors").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert trained(digits, tmp_path).hash == good.hash


def test_with_classes_it_knows_them_without_it_has_no_opinion(digits: ImageSet, tmp_path: Path) -> None:
    with_classes = trained(digits, tmp_path)
    plain = trained(ImageSet("no labels", digits.images, "other"), tmp_path)
    seen = with_classes.embed(floats(digits.images[:3]))
    assert seen.features.shape == (3, FEATURES)
    assert seen.probabilities is not None
    assert torch.allclose(seen.probabilities.sum(1), torch.ones(3))
    assert with_classes.classes == digits.classes
    assert plain.embed(floats(digits.images[:3])).probabilities is None


def test_an_image_is_seen_the_same_whatever_stands_beside_it(digits: ImageSet, tmp_path: Path) -> None:
    look = trained(digits, tmp_path).embed
    many = floats(digits.images[:40])
    assert torch.allclose(look(many).features[7:8], look(many[7:8]).features, atol=1e-4)


def test_after_training_classes_are_told_apart_and_noise_is_further_the_more_there_is(
    digits: ImageSet, tmp_path: Path
) -> None:
    extractor = trained(digits, tmp_path, 150)
    assert digits.labels is not None
    probabilities = extractor.embed(floats(digits.images)).probabilities
    assert probabilities is not None
    assert float((probabilities.argmax(1).numpy() == digits.labels).mean()) > 0.9
    random = np.random.default_rng(0)
    real = moments(extractor.embed(floats(digits.images[:900])).features.numpy())
    held = digits.images[900:]
    spoilt = [np.clip(held + random.normal(0, s, held.shape), 0, 255) for s in (0, 25, 50, 100)]
    distances = [frechet_distance(real, moments(extractor.embed(floats(x)).features.numpy())) for x in spoilt]
    assert all(b > 1.2 * a for a, b in pairwise(distances))


def test_the_loss_is_the_cross_entropy_of_finding_the_other_view() -> None:
    projections = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    directions = normalize(projections)
    expected = []
    for i in range(8):
        others = [j for j in range(8) if j != i]
        logits = torch.stack([directions[i] @ directions[j] for j in others]) / 0.2
        expected.append(cross_entropy(logits[None], torch.tensor([others.index((i + 4) % 8)])))
    assert same_image_loss(projections) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-5)


def test_equal_views_of_unlike_images_cost_nothing() -> None:
    corners = torch.eye(6).repeat(2, 1)
    hot = same_image_loss(corners)
    assert float(hot) == pytest.approx(float(np.log(np.exp(5) + 10) - 5), rel=1e-5)
