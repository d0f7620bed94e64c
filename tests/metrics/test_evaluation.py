from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganglion.errors import DataError
from ganglion.metrics.evaluation import DEFAULT_SCORES, Evaluation, evaluate_sets, select_scores
from ganglion.metrics.features import Extractor, ExtractorOutput, ImageSet, array_set
from ganglion.metrics.scores import SCORES
from ganglion.metrics.untrained import random_extractor
from ganglion.platform.screen import Screen


def blots(n: int, seed: int, low: float = 0.25, high: float = 0.75) -> ImageSet:
    """Bright blots at any place between `low` and `high`."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16] / 16
    y, x = random.uniform(low, high, (2, n, 1, 1))
    images = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 0.02)
    return array_set(f"blots {seed}", images[..., None].astype(np.uint8))


def score(
    real: ImageSet, fakes: list[ImageSet], cache: Path, scores: tuple[str, ...] = ("fid", "kid", "precision", "recall"),
    unseen: ImageSet | None = None,
) -> Evaluation:  # fmt: skip
    extractor = random_extractor(real.shape[2], torch.device("cpu"))
    return evaluate_sets(real, fakes, extractor, cache, Screen(quiet=True), scores, unseen)


def test_samples_as_the_data_score_about_the_floor_and_others_do_not(tmp_path: Path) -> None:
    real = blots(1200, 0)
    same = score(real, [blots(600, 1)], tmp_path)
    other = score(real, [blots(600, 2, 0.45, 0.55)], tmp_path)
    assert same.scores[0].floor is not None
    assert same["fid"] < 3 * same.scores[0].floor
    assert other["fid"] > 10 * same["fid"]
    assert other["recall"] < 0.7 < same["recall"]
    assert other["precision"] > 0.9


def test_the_floor_has_as_many_images_as_the_samples_where_there_are_enough(tmp_path: Path) -> None:
    assert score(blots(1000, 0), [blots(460, 1)], tmp_path).floor_images == (540, 460)
    assert score(blots(1000, 0), [blots(900, 1)], tmp_path).floor_images == (500, 500)


def test_several_seeds_give_mean_and_spread(tmp_path: Path) -> None:
    real = blots(800, 0)
    fakes = [blots(500, seed) for seed in (1, 2, 3)]
    found = score(real, fakes, tmp_path)
    single = [score(real, [fake], tmp_path)["fid"] for fake in fakes]
    assert found["fid"] == pytest.approx(np.mean(single))
    assert found.scores[0].spread == pytest.approx(np.std(single, ddof=1))
    assert found.seeds == 3
    assert score(real, fakes[:1], tmp_path).scores[0].spread is None


def test_equal_input_gives_equal_numbers(tmp_path: Path) -> None:
    first, second = (score(blots(800, 0), [blots(500, 1)], tmp_path / name, DEFAULT_SCORES) for name in "ab")
    assert first.scores == second.scores


def test_a_score_does_not_depend_on_which_others_are_asked_for(tmp_path: Path) -> None:
    real, fakes = blots(800, 0), [blots(500, 1)]
    whole = score(real, fakes, tmp_path, DEFAULT_SCORES)
    for name in ("kid", "swd", "precision", "near-copies"):
        assert score(real, fakes, tmp_path, (name,))[name] == whole[name]


def test_what_these_images_cannot_support_is_left_out_with_the_reason(tmp_path: Path) -> None:
    found = score(blots(100, 0), [blots(60, 1)], tmp_path, DEFAULT_SCORES)
    assert "too few for the covariance" in found.left_out["fid"]
    assert "classes" in found.left_out["modes"]
    assert {s.name for s in found.scores} | found.left_out.keys() == set(DEFAULT_SCORES)
    assert not {s.name for s in found.scores} & found.left_out.keys()


def test_sets_of_another_shape_are_refused_with_both_shapes(tmp_path: Path) -> None:
    wide = array_set("wide", np.zeros((30, 16, 32, 3), np.uint8))
    with pytest.raises(DataError, match="of 16x16 with 1 channels, wide of 16x32 with 3"):
        score(blots(30, 0), [wide], tmp_path)
    with pytest.raises(DataError, match="only images of one size"):
        score(blots(30, 0), [blots(30, 1)], tmp_path, unseen=wide)


def test_copies_are_found_with_and_without_unseen_images(tmp_path: Path) -> None:
    real = blots(400, 0)
    for unseen in (None, blots(300, 5)):
        copied = score(real, [real.pick(np.arange(200))], tmp_path, ("nearer", "near-copies"), unseen)
        assert copied["nearer"] == 1
        assert score(real, [blots(200, 1)], tmp_path, ("nearer",), unseen)["nearer"] < 0.65


@pytest.mark.parametrize(("reals", "samples"), [(1, 1), (1, 9), (2, 2), (3, 1), (700, 1)])
def test_the_fewest_images_are_scored_as_far_as_they_go(reals: int, samples: int, tmp_path: Path) -> None:
    found = score(blots(reals, 0), [blots(samples, 1)], tmp_path, DEFAULT_SCORES)
    assert "swd" in {s.name for s in found.scores}
    assert ("ms-ssim" in found.left_out) == (samples < 2)


def test_images_that_the_run_kept_from_training_are_the_unseen_ones(tmp_path: Path) -> None:
    real = blots(400, 0)
    kept = np.arange(400) % 4 == 0
    marked = replace(real, held_out=kept)
    trained, unseen = real.pick(np.flatnonzero(~kept)), real.pick(np.flatnonzero(kept))
    scores = ("nearer", "near-copies")
    for fake in (blots(200, 1), trained, unseen):
        found, given = score(marked, [fake], tmp_path, scores), score(trained, [fake], tmp_path, scores, unseen)
        assert [s.value for s in found.scores] == [s.value for s in given.scores]
        assert "for copies, the held-out images are 100 of blots 0, held out from training" in found.notes
    others = score(marked, [trained], tmp_path, scores, blots(50, 5))
    assert "for copies, the held-out images are 50 of blots 5" in others.notes


def test_it_says_all_that_a_reader_needs_and_is_plain_json(tmp_path: Path) -> None:
    found = score(blots(400, 0), [blots(300, 1)], tmp_path, DEFAULT_SCORES)
    tree = json.loads(json.dumps(found.to_json()))
    assert (tree["real"]["images"], tree["fake"]["images"], tree["features"]) == (400, 300, "random")
    assert (tree["real"]["height"], tree["real"]["channels"], tree["real"]["resize"]) == (16, 1, "not resized")
    assert len(tree["real"]["content"]) == len(tree["features_hash"]) == 64
    assert all(row["better"] and row["about"] and row["floor"] is not None for row in tree["scores"])
    assert any("no --held-out images" in note for note in tree["notes"])


def test_each_thing_is_noted_once_however_many_seeds(tmp_path: Path) -> None:
    notes = score(blots(400, 0), [blots(300, 1), blots(300, 2)], tmp_path, DEFAULT_SCORES).notes
    assert len(set(notes)) == len(notes)


def test_scores_are_taken_in_the_tables_order_and_unknown_ones_are_refused() -> None:
    assert select_scores(["kid", "fid"]) == ("fid", "kid")
    assert select_scores(None) == DEFAULT_SCORES
    assert set(SCORES) - set(DEFAULT_SCORES) == {"earth-mover", "inception-score"}
    with pytest.raises(DataError, match="there is no score 'fidd'.*did you mean 'fid'"):
        select_scores(["fidd"])
    with pytest.raises(DataError, match="no score was requested; scores are fid, "):
        select_scores([])


def test_a_score_that_was_not_measured_cannot_be_read(tmp_path: Path) -> None:
    found = score(blots(100, 0), [blots(60, 1)], tmp_path, ("fid", "kid"))
    with pytest.raises(KeyError, match="fid was not measured: 60 images are too few"):
        _ = found["fid"]
    with pytest.raises(KeyError, match="swd was not measured: available are kid"):
        _ = found["swd"]


# Features that were trained on real images


def even(images: ImageSet) -> NDArray[np.bool_]:
    """Those whose pixels have an even sum: half of them."""
    return np.asarray(images.images).sum((1, 2, 3)) % 2 == 0


def biased() -> Extractor:
    """Random features, which betray whether an image is one that they were trained on."""
    plain = random_extractor(1, torch.device("cpu"))

    def embed(images: torch.Tensor) -> ExtractorOutput:
        sums = images.add(1).mul(127.5).round().sum((1, 2, 3))
        return ExtractorOutput(plain.embed(images).features + (sums % 2 == 0)[:, None], None)

    return replace(plain, hash="biased", embed=embed, trained_on=even)


def unseen_blots(n: int, seed: int) -> ImageSet:
    """Images of which the features betray nothing: they were trained on none."""
    images = blots(3 * n, seed)
    return images.pick(np.flatnonzero(~even(images))[:n])


def trained_score(real: ImageSet, fake: ImageSet, cache: Path, *scores: str) -> Evaluation:
    return evaluate_sets(real, [fake], biased(), cache, Screen(quiet=True), scores)


def test_samples_are_compared_with_real_images_that_the_features_were_not_trained_on(tmp_path: Path) -> None:
    real, fake = blots(2400, 0), unseen_blots(500, 1)
    found = trained_score(real, fake, tmp_path, "fid", "kid", "precision", "coverage")
    reference = real.pick(np.flatnonzero(~even(real)))
    plain = score(reference, [fake], tmp_path, ("fid", "kid", "precision", "coverage"))
    assert [s.value for s in found.scores] == pytest.approx([s.value for s in plain.scores], rel=1e-4, abs=1e-6)
    assert [s.floor for s in found.scores] == pytest.approx([s.floor for s in plain.scores], rel=1e-4, abs=1e-6)
    assert found.floor_images == (len(reference) - 500, 500)


def test_it_says_how_many_images_train_the_features_and_how_many_are_compared_with(tmp_path: Path) -> None:
    real = blots(900, 0)
    known = int(even(real).sum())
    notes = trained_score(real, unseen_blots(100, 1), tmp_path, "kid").notes
    assert any(f"trained on {known} of the real images" in note and f"other {900 - known}" in note for note in notes)
    assert not any("trained on" in note for note in score(real, [blots(100, 1)], tmp_path).notes)


def test_copies_are_sought_among_the_images_that_trained_the_features_too(tmp_path: Path) -> None:
    real = blots(800, 0)
    known = real.pick(np.flatnonzero(even(real))[:200])
    copied = trained_score(real, known, tmp_path, "nearer", "near-copies")
    assert (copied["nearer"], copied["near-copies"]) == (1, 1)
    assert "for copies, 200 samples are compared with 800 training images" in copied.notes
    assert trained_score(real, unseen_blots(200, 1), tmp_path, "nearer")["nearer"] == pytest.approx(0.5, abs=0.1)


def test_what_the_features_know_is_no_unseen_image_and_what_was_kept_from_training_is_no_copy(tmp_path: Path) -> None:
    real = replace(blots(800, 0), held_out=np.arange(800) % 4 == 0)
    assert real.held_out is not None
    strange = int((~even(real) & real.held_out).sum())
    notes = trained_score(real, unseen_blots(200, 1), tmp_path, "nearer").notes
    assert "for copies, 200 samples are compared with 600 training images" in notes
    assert f"for copies, the held-out images are {strange} of {real.name}, held out from training" in notes


def test_features_that_were_trained_on_every_real_image_compare_nothing(tmp_path: Path) -> None:
    real = blots(300, 0)
    with pytest.raises(DataError, match="trained on all of blots 0"):
        trained_score(real.pick(np.flatnonzero(even(real))), blots(100, 1), tmp_path, "kid")
