from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.batches import Batches
from ganglion.data.prepare import prepare
from ganglion.errors import DataError, DeviceError
from ganglion.evaluation.class_direction import probe_classes
from ganglion.evaluation.curve import evaluate_checkpoints
from ganglion.evaluation.evaluate import evaluate, neighbour_sheet
from ganglion.evaluation.real_images import find_real
from ganglion.metrics.extractors import EXTRACTORS, ExtractorContext
from ganglion.metrics.features import Extractor, ExtractorOutput, array_set, extract
from ganglion.metrics.untrained import pixel_extractor, random_extractor
from ganglion.platform.numerics import reproducible
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data

QUICK = {"features": "random", "metrics": ["fid", "kid"], "device": "cpu", "quiet": True}


def test_a_run_is_held_against_what_it_was_trained_on(tiny_run: ganglion.Run, cache: Path) -> None:
    found = ganglion.evaluate(tiny_run.path, n=500, cache=cache, **QUICK)
    assert (found.real.images, found.fake.images) == (1797, 500)
    assert "checkpoint 000000" in found.fake.name
    fid = found.scores[0]
    assert fid.floor is not None
    assert fid.value > 10 * fid.floor  # thirty steps are no generator


def test_samples_on_disk_and_in_memory_score_as_the_run_does(
    tiny_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    images = ganglion.load(tiny_run).sample(500, seed=0)
    np.save(tmp_path / "samples.npy", images)
    for i, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(_made(tmp_path / "folder") / f"{i:04d}.png")
    expected = evaluate(tiny_run.path, n=500, cache=cache, **QUICK)["fid"]
    for samples in (images, tmp_path / "samples.npy", tmp_path / "folder"):
        found = evaluate(samples, "digits", cache=cache, **QUICK)
        assert found["fid"] == pytest.approx(expected, rel=1e-6)
        assert "real images of 8 are made to fit 16 (crop, Lanczos)" in found.notes


def test_fewer_are_drawn_from_what_is_there_and_more_cannot(tiny_run: ganglion.Run, cache: Path) -> None:
    images = ganglion.load(tiny_run).sample(100)
    found = evaluate(images, "digits", n=60, cache=cache, **{**QUICK, "metrics": ["kid"]})
    assert found.fake.images == 60
    with pytest.raises(DataError, match="has 100 images, fewer than --n 101"):
        evaluate(images, "digits", n=101, cache=cache, **QUICK)


@pytest.mark.parametrize("name", ["n", "seeds"])
@pytest.mark.parametrize("count", [0, -3])
def test_no_images_and_no_seeds_are_refused(tiny_run: ganglion.Run, cache: Path, name: str, count: int) -> None:
    for samples in (tiny_run.path, np.zeros((30, 16, 16, 1), np.uint8)):
        with pytest.raises(DataError, match=f"{name} must be at least 1; got {count}"):
            evaluate(samples, "digits", cache=cache, **QUICK, **{name: count})
    if name == "n":
        with pytest.raises(DataError, match=f"n must be at least 1; got {count}"):
            evaluate_checkpoints(tiny_run.path, n=count, cache=cache, **QUICK)


@pytest.mark.parametrize(
    "samples", [np.zeros((0, 16, 16, 1), np.uint8), np.zeros((30, 16, 16), np.uint8), np.zeros((9, 16, 16, 1))]
)
def test_an_array_that_holds_no_images_is_refused_with_its_shape(samples: np.ndarray, cache: Path) -> None:
    with pytest.raises(DataError, match=r"uint8 \(N, H, W, C\).*got (uint8|float64) \("):
        evaluate(samples, "digits", cache=cache, **QUICK)


def test_a_set_scored_with_several_seeds_has_no_spread_but_that_of_the_scores(cache: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (500, 16, 16, 1), np.uint8)
    found = evaluate(samples, "digits", seeds=3, cache=cache, **{**QUICK, "metrics": ["fid", "swd"]})
    fid, swd = found.scores
    assert (found.seeds, fid.spread) == (3, 0)
    assert swd.spread is not None
    assert swd.spread > 0


def test_seeds_draw_anew_from_a_run(tiny_run: ganglion.Run, cache: Path) -> None:
    found = evaluate(tiny_run.path, n=200, seeds=2, cache=cache, **{**QUICK, "metrics": ["kid"]})
    assert found.scores[0].spread is not None
    assert found.scores[0].spread > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"features": "lerned"}, "there are no features 'lerned'"), ({"against": "nowhere/"}, "nowhere"),
     ({"held_out": "nowhere/"}, "nowhere")],
)  # fmt: skip
def test_what_is_wrong_is_said_before_samples_are_drawn(
    tiny_run: ganglion.Run, cache: Path, settings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.evaluation.evaluate.find_samples", lambda *rest: pytest.fail("samples were drawn"))
    with pytest.raises(DataError, match=message):
        evaluate(tiny_run.path, cache=cache, device="cpu", quiet=True, **settings)


def test_images_have_no_checkpoint(tmp_path: Path, cache: Path) -> None:
    Image.new("L", (16, 16)).save(_made(tmp_path / "folder") / "a.png")
    with pytest.raises(DataError, match="has no checkpoint latest"):
        evaluate(str(tmp_path / "folder"), "digits", checkpoint="latest", cache=cache, **QUICK)


def test_the_runs_file_of_labels_is_not_asked_of_other_images(tmp_path: Path, cache: Path) -> None:
    folder = _made(tmp_path / "others")
    for i in range(20):
        Image.new("L", (16, 16), 10 * i).save(folder / f"{i}.png")
    real, _, _ = find_real(
        Data(source="mine", labels="tags.csv", size=(16, 16)), str(folder), None, cache, Screen(quiet=True)
    )
    assert len(real) == 20


def test_samples_without_reals_are_asked_for_them(cache: Path) -> None:
    with pytest.raises(DataError, match="--against SOURCE is missing"):
        evaluate(np.zeros((30, 16, 16, 1), np.uint8), cache=cache, **QUICK)


def test_samples_of_several_sizes_are_not_resized_but_refused(tmp_path: Path, cache: Path) -> None:
    for side in (16, 24):
        Image.new("L", (side, side), 100).save(_made(tmp_path / "folder") / f"{side}.png")
    with pytest.raises(DataError, match="from 16 to 24: samples are not resized"):
        evaluate(tmp_path / "folder", "digits", cache=cache, **QUICK)


def test_reals_read_with_other_channels_are_noted(tmp_path: Path, cache: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    found = evaluate(colour, "digits", cache=cache, **{**QUICK, "metrics": ["kid"]})
    assert "real images have 1 channels by nature and are read with 3, as the samples are" in found.notes


def test_a_changed_folder_is_noticed(tmp_path: Path, cache: Path) -> None:
    random = np.random.default_rng(0)
    folder = _made(tmp_path / "real")
    for i in range(40):
        Image.fromarray(random.integers(0, 256, (16, 16), np.uint8)).save(folder / f"{i}.png")
    samples = random.integers(0, 256, (40, 16, 16, 1), np.uint8)
    settings = {**QUICK, "metrics": ["kid"]}
    before = evaluate(samples, folder, cache=cache, **settings)
    Image.new("L", (16, 16)).save(folder / "0.png")
    after = evaluate(samples, folder, cache=cache, **settings)
    assert before.real.content != after.real.content
    assert before["kid"] != after["kid"]


def test_the_sheet_shows_samples_above_their_nearest_training_images(
    tiny_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    picture = tmp_path / "near.png"
    evaluate(tiny_run.path, n=100, neighbours=picture, cache=cache, **{**QUICK, "metrics": ["kid"]})
    with Image.open(picture) as image:
        assert image.size == (12 * 18 + 2, 4 * 18 + 2)


def test_the_images_that_a_run_kept_from_training_are_known_by_its_own_rule(
    tiny_run: ganglion.Run, cache: Path
) -> None:
    recipe = tiny_run.recipe
    assert recipe.data.held_out_images == 89
    store = prepare(recipe.data, cache, Screen(quiet=True))
    batches = Batches(store, recipe.training.seed, torch.device("cpu"), held_out_images=89)
    for against in (None, "digits"):  # by its content, whatever it is called
        real, _, _ = find_real(recipe.data, against, None, cache, Screen(quiet=True), recipe.training.seed)
        assert real.held_out is not None
        assert np.flatnonzero(real.held_out).tolist() == batches.unseen.tolist()


@pytest.mark.parametrize(
    ("changes", "seed"),
    [
        ({}, None),
        ({"held_out_images": 0}, 0),
        ({"held_out_images": None}, 0),
        ({"held_out_images": 15}, 0),
        ({"content": "other"}, 0),
    ],
)
def test_nothing_is_taken_for_unseen_that_may_have_been_trained_on(
    tiny_run: ganglion.Run, cache: Path, changes: dict[str, object], seed: int | None
) -> None:
    data = tiny_run.recipe.data.model_copy(update=changes)
    real, notes, _ = find_real(data, None, None, cache, Screen(quiet=True), seed)
    assert real.held_out is None
    assert any("have changed since" in note for note in notes) == ("content" in changes)


def test_it_says_which_images_counted_as_unseen(tiny_run: ganglion.Run, cache: Path) -> None:
    settings = {**QUICK, "metrics": ["nearer", "near-copies"]}
    found = evaluate(tiny_run.path, n=200, cache=cache, **settings)
    assert "for copies, 200 samples are compared with 1,708 training images" in found.notes
    assert any(note.startswith("for copies, the held-out images are 89 of") for note in found.notes)
    assert any(note.endswith("held out from training") for note in found.notes)
    elsewhere = evaluate(tiny_run.path, n=200, held_out="digits", cache=cache, **settings)
    assert not any(note.endswith("held out from training") for note in elsewhere.notes)


def test_the_sheet_leaves_out_what_was_kept_from_training(tiny_run: ganglion.Run, cache: Path) -> None:
    recipe = tiny_run.recipe
    real, _, _ = find_real(recipe.data, None, None, cache, Screen(quiet=True), recipe.training.seed)
    assert real.held_out is not None
    kept = real.pick(np.flatnonzero(real.held_out))
    extractor = pixel_extractor(torch.device("cpu"))
    theirs, ours = (extract(images, extractor, cache / "features").features for images in (real, kept))
    pairs = neighbour_sheet(real, kept, theirs, ours)
    same = neighbour_sheet(replace(real, held_out=None), kept, theirs, ours)
    assert np.array_equal(same[2:18], same[20:36])  # each is its own nearest
    assert not np.array_equal(pairs[2:18], pairs[20:36])


@pytest.mark.parametrize("count", [1, 2, 5, 24])
def test_every_sample_of_the_sheet_stands_above_its_image(count: int) -> None:
    pixels = np.stack([np.full((16, 16, 1), 10 * i, np.uint8) for i in range(1, count + 1)])
    features = pixels.reshape(count, -1)[:, :1].astype(np.float32)
    images = array_set("made", pixels)
    page = neighbour_sheet(images, images, features, features)
    columns = -(-count // 2)
    for place in range(count):
        row, column = divmod(place, columns)
        above, below = (page[2 + 18 * (2 * row + i), 2 + 18 * column] for i in (0, 1))
        assert above == below > 0


def margins(folder: Path, count: int, margin: int) -> Path:
    """Different drawings with an empty margin."""
    random = np.random.default_rng(margin)
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.full((64, 64, 3), 255, np.uint8)
        inside = 64 - 2 * margin
        pixels[margin : 64 - margin, margin : 64 - margin] = random.integers(0, 200, (inside, inside, 3))
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_images_against_themselves_are_not_trimmed_and_have_no_distance(tmp_path: Path, cache: Path) -> None:
    folder = margins(tmp_path / "images", 40, 14)
    found = evaluate(str(folder), str(folder), features="random", metrics=["swd", "precision"], cache=cache, quiet=True)
    assert found["swd"] == 0
    assert found["precision"] == 1
    assert found.notes[0].startswith("features") or "made to fit" not in found.notes[0]


def test_held_out_images_are_made_to_fit_as_the_real_ones_are(tmp_path: Path, cache: Path) -> None:
    wide, narrow = (margins(tmp_path / f"{margin}", 20, margin) for margin in (16, 2))
    trimmed = Data(size=(32, 32), channels=3)
    real, _, settled = find_real(trimmed, str(wide), None, cache, Screen(quiet=True))
    unseen, _, _ = find_real(settled, str(narrow), None, cache, Screen(quiet=True))
    assert unseen.resize == real.resize
    (stretched, _, settled) = find_real(
        trimmed.model_copy(update={"trim": "each"}), str(wide), None, cache, Screen(quiet=True)
    )
    assert "trim each" in stretched.resize
    assert find_real(settled, str(narrow), None, cache, Screen(quiet=True))[0].resize == stretched.resize


def test_a_local_copy_that_has_moved_since_the_training_can_be_named(tmp_path: Path, cache: Path) -> None:
    Image.new("L", (16, 16), 100).save(_made(tmp_path / "here") / "0.png")
    data = Data(source="mnist", data_dir=str(tmp_path / "gone"), size=(16, 16), channels=1)
    assert len(find_real(data, None, tmp_path / "here", cache, Screen(quiet=True))[0]) == 1
    with pytest.raises(DataError, match="gone"):
        find_real(data, None, None, cache, Screen(quiet=True))


def numerics() -> tuple[bool, ...]:
    """cuDNN deterministic, cuDNN by stopwatch, cuDNN in TF32, matrix products in TF32."""
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


SCORED = {
    "evaluate": lambda run, cache: evaluate(run, n=20, cache=cache, **QUICK),
    "neighbours": lambda run, cache: evaluate(run, n=20, neighbours=cache / "near.png", cache=cache, **QUICK),
    "checkpoints": lambda run, cache: evaluate_checkpoints(run, n=20, cache=cache, **QUICK),
    "probe": lambda run, cache: probe_classes(run, ganglion.load(run), ("0", "1"), cache, quiet=True),
}


@pytest.mark.parametrize("asked", SCORED)
def test_features_are_trained_and_computed_with_the_numerics_of_training(
    asked: str, tiny_run: ganglion.Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()

    def watching(need: ExtractorContext, _: str) -> Extractor:
        seen.add(numerics())  # a network may be trained here
        plain, probabilities = random_extractor(1, need.device), torch.eye(10)

        def embed(images: torch.Tensor) -> ExtractorOutput:
            seen.add(numerics())
            return ExtractorOutput(plain.embed(images).features, probabilities[torch.arange(len(images)) % 10])

        return replace(plain, embed=embed, hash=f"watching {asked}", classes=need.real.classes)

    monkeypatch.setitem(EXTRACTORS, "learned" if asked == "probe" else "random", watching)
    outside = numerics()
    SCORED[asked](tiny_run.path, cache)
    (tiny_run.path / "evaluation.svg").unlink(missing_ok=True)
    with reproducible():
        assert seen == {numerics()} != {outside}
    assert numerics() == outside


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(cache: Path) -> None:
    with pytest.raises(DeviceError):
        evaluate("nowhere", device="quantum", cache=cache)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_several_processes_draw_the_samples_that_are_scored(tiny_run: ganglion.Run, cache: Path) -> None:
    one, two = (ganglion.evaluate(tiny_run.path, n=513, devices=count, cache=cache, **QUICK) for count in (1, 2))
    assert two.fake.name == one.fake.name
    assert two["fid"] == pytest.approx(one["fid"], rel=1e-3)
