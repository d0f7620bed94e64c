"""RGBA images are premultiplied inside and straight at every edge: stores, scores, samples, sheets, films, the report."""

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.alpha import premultiplied, straight
from ganglion.data.pixels import to_float
from ganglion.data.prepare import prepare
from ganglion.evaluation.evaluate import neighbour_sheet
from ganglion.latent.inputs import picture_from_file
from ganglion.latent.model import model_of
from ganglion.metrics.features import array_set, extract, store_set
from ganglion.metrics.untrained import random_extractor
from ganglion.pictures.sheets import labelled_rows, over_white, side_by_side
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data
from ganglion.report.explored import nearest_rows
from tiny import TINY

CPU = torch.device("cpu")
SMALL = Data(size=16, channels=4, fit="pad")
IMAGES = 40


def icon(seed, hidden):
    """A disc of one colour with a soft edge on a transparent ground, which hides another colour; (24, 20, 4), straight."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :20]
    off = np.hypot(y - random.uniform(9, 15), x - random.uniform(8, 12)) - random.uniform(4, 7)
    page = np.zeros((24, 20, 4), np.uint8)
    page[..., :3] = random.integers(0, 256, 3)
    page[..., 3] = (255 * (0.5 - off).clip(0, 1)).round()
    page[page[..., 3] == 0, :3] = hidden
    return page


def folder_of(root, hidden):
    root.mkdir()
    for seed in range(IMAGES):
        Image.fromarray(icon(seed, hidden)).save(root / f"{seed:03d}.png")
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("icons")
    return [folder_of(root / name, hidden) for name, hidden in (("black", (0, 0, 0)), ("pink", (255, 0, 200)))]


@pytest.fixture(scope="module")
def stores(folders, cache):
    return [prepare(SMALL.model_copy(update={"source": str(folder)}), cache, Screen(quiet=True)) for folder in folders]


@pytest.fixture(scope="module")
def run(folders, cache, tmp_path_factory):
    return ganglion.train(
        folders[1], recipe="dcgan", size=16, steps=4, run=tmp_path_factory.mktemp("runs") / "icons", precision="32",
        device="cpu", set={**TINY, "data.fit": "pad"}, cache=cache, quiet=True, at_end=lambda run: None,
    )  # fmt: skip


def test_folders_that_differ_in_hidden_colours_alone_have_the_same_pixels(stores):
    black, pink = stores
    assert np.array_equal(black.images, pink.images)
    assert black.path != pink.path
    assert (black.images[..., :3] <= black.images[..., 3:]).all()


def test_hidden_colours_count_in_no_score(folders, cache):
    scores = [
        ganglion.evaluate(folders[i], folders[j], features="random", cache=cache, quiet=True, device="cpu")
        for i, j in ((0, 0), (0, 1), (1, 0))
    ]
    values = [{score.name: (score.value, score.floor) for score in found.scores} for found in scores]
    assert values[0]
    assert values[0] == values[1] == values[2]


def test_samples_score_the_same_as_an_array_and_as_png_files(run, folders, tmp_path, cache):
    samples = ganglion.load(run).sample(64, seed=3)
    for i, image in enumerate(samples):
        Image.fromarray(image).save(tmp_path / f"{i:03d}.png")
    mine = array_set("samples", samples)
    stored = store_set(
        prepare(SMALL.model_copy(update={"source": str(tmp_path)}), cache, Screen(quiet=True))
    )  # as a folder to evaluate is read
    assert np.array_equal(mine.images, stored.images)


def test_samples_of_a_run_are_straight_and_their_floats_are_premultiplied(run):
    model = ganglion.load(run)
    z = model.latents(8, 1)
    inside = ((model.generate(z).double() + 1) * 127.5).permute(0, 2, 3, 1).numpy().clip(0, 255)
    shown = model.pixels(z).astype(float)
    assert np.array_equal(shown, model.sample(8, 1))
    alpha = inside[..., 3:]
    wanted = np.minimum(255, 255 * inside[..., :3] / np.maximum(alpha, 1e-9))
    solid = alpha[..., 0] > 64
    assert np.abs(shown[..., :3] - wanted)[solid].max() <= 255 / 64 + 1
    assert solid.any()


def test_a_generator_that_is_not_from_a_run_keeps_its_pixels():
    drawn = torch.tensor([0.5, 0.5, 0.5, -0.5]).reshape(1, 4, 1, 1)
    assert model_of(lambda z: drawn.expand(len(z), 4, 2, 2), 3).sample(1)[0, 0, 0].tolist() == [191, 191, 191, 64]


def test_a_users_picture_is_read_as_the_training_images_are(run, folders, stores):
    picture = picture_from_file(folders[0] / "007.png", run.recipe)
    assert torch.equal(picture, to_float(torch.from_numpy(np.array(stores[1].images[7:8])))[0])


def test_sheets_of_a_run_are_straight(run):
    page = np.asarray(Image.open(sorted(run.fixed_samples.glob("*.png"))[-1]))
    assert page.shape[2] == 4
    assert (page[..., :3] > page[..., 3:]).any()  # which no premultiplied image has


def test_nearest_images_are_compared_premultiplied_and_shown_straight(stores):
    real = np.array(stores[0].images)
    rows = nearest_rows(straight(real[:3]), real)
    height, width = real.shape[1] * 2 + 2, real.shape[2] * 2 + 2
    for i in range(3):  # each sample is its own nearest image, and looks the same beside it
        top = 2 + i * height
        sample, nearest = (rows[top : top + height - 2, 84 + k * width : 84 + k * width + width - 2] for k in (0, 1))
        assert np.array_equal(sample, nearest)


def test_the_sheet_of_neighbours_shows_both_straight(stores, cache):
    real = store_set(stores[0])
    fake, extractor = array_set("them", straight(real.images)), random_extractor(4, CPU)
    theirs, ours = (extract(images, extractor, cache / "features").features for images in (real, fake))
    page = neighbour_sheet(real, fake, theirs, ours)
    assert (page[..., :3] > page[..., 3:]).any()
    assert np.array_equal(premultiplied(page[2:18, 2:18]), premultiplied(page[20:36, 2:18]))


def test_where_alpha_has_no_channel_a_picture_lies_on_white():
    page = icon(0, (255, 0, 0))
    rows = labelled_rows([("", page[None])], first_column=0)
    beside = side_by_side(page[None], [""], least_side=24)
    flat = np.asarray(over_white(Image.fromarray(page)))
    assert rows[2, 0].tolist() == beside[16, 2].tolist() == flat[0, 0].tolist() == [255, 255, 255]
