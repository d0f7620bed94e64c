import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganglion.data.attributes import Attributes
from ganglion.data.batches import Batches, fits_on_device, order
from ganglion.data.fit import Fit
from ganglion.data.pack import pack
from ganglion.data.pixels import to_float
from ganglion.data.scan import scan
from ganglion.recipe.attributes import Attribute

IMAGES = st.integers(1, 60)
SEEDS = st.integers(0, 2**32)


@given(IMAGES, SEEDS, st.integers(0, 5))
def test_every_image_stands_once_in_each_epoch(images, seed, epoch):
    assert sorted(order(images, seed, epoch * images, images)) == list(range(images))


@given(IMAGES, SEEDS, st.integers(0, 200), st.lists(st.integers(1, 90), min_size=1, max_size=5))
def test_slices_put_together_are_the_slice_over_all_of_them(images, seed, first, counts):
    starts = first + np.cumsum([0, *counts[:-1]])
    parts = [order(images, seed, int(start), count) for start, count in zip(starts, counts, strict=True)]
    assert np.array_equal(np.concatenate(parts), order(images, seed, first, sum(counts)))


@given(IMAGES, SEEDS, st.integers(0, 10**9), st.integers(1, 300))
def test_any_slice_has_its_length_and_holds_images_alone(images, seed, first, count):
    slice_ = order(images, seed, first, count)
    assert len(slice_) == count
    assert 0 <= slice_.min() <= slice_.max() < images


def test_asking_for_other_slices_in_between_changes_nothing():
    before = order(10, 0, 25, 10).tolist()
    for position in range(0, 1000, 7):
        order(10, position, position, 30)
    assert order(10, 0, 25, 10).tolist() == before


def test_each_epoch_and_each_seed_has_an_order_of_its_own():
    orders = {tuple(order(50, seed, epoch * 50, 50)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_images_meet_each_place_about_equally_often():
    places = np.array([order(4, seed, 0, 4) for seed in range(4000)])
    counts = np.stack([np.bincount(column, minlength=4) for column in places.T])
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000 * 3 / 4)  # five standard deviations of the binomial


@pytest.fixture
def store(listed, cache, noise):
    source = listed({str(i): noise(16, 24, seed=i) for i in range(7)})
    return pack(source, scan(source, cache), Fit((16, 24), 3, "crop"), cache)


@pytest.fixture
def batches(store):
    return Batches(store, seed=3, device=torch.device("cpu"))


def test_a_batch_is_the_images_at_its_positions_as_floats(store, batches):
    wanted = store.images[order(7, 3, 5, 4)]
    found = batches.take(5, 4).images
    assert found.shape == (4, 3, 16, 24)
    assert torch.equal(found, to_float(torch.from_numpy(wanted)))


def test_images_can_be_picked_by_index_also_twice(store, batches):
    found = batches.pick(np.array([6, 0, 6])).images
    assert torch.equal(found[0], found[2])
    assert torch.equal(found, to_float(torch.from_numpy(store.images[[6, 0, 6]])))


def test_a_batch_may_be_larger_than_the_data_set(batches):
    assert batches.take(0, 20).images.shape[0] == 20
    assert torch.equal(batches.take(0, 20).images[5:12], batches.take(5, 7).images)


def test_changing_a_batch_does_not_change_the_images(batches):
    before = batches.take(0, 7).images.clone()
    batches.take(0, 7).images.zero_()
    assert torch.equal(batches.take(0, 7).images, before)


@pytest.mark.parametrize(("images", "free", "fits"), [(40, 100, True), (41, 100, False), (0, 0, True)])
def test_a_data_set_stays_on_the_device_where_it_leaves_the_larger_part_to_the_training(images, free, fits):
    assert fits_on_device(images, free) == fits


@pytest.mark.parametrize("labelled", [False, True])
def test_batches_that_are_copied_ahead_are_those_of_a_data_set_on_the_device(store, labelled):
    whole, ahead = (Batches(store, 3, torch.device("cpu"), labelled, whole=whole) for whole in (True, False))
    asked = [(0, 3), (3, 3), (6, 3), (100, 3), (103, 3), (9, 20), (29, 20)]  # in a row, then elsewhere, then others
    for first, count in asked:
        for part in (slice(None), slice(1, None, 2)):
            a, b = whole.take(first, count, part), ahead.take(first, count, part)
            assert torch.equal(a.images, b.images)
            assert (a.labels is None and b.labels is None) or torch.equal(a.labels, b.labels)
    assert torch.equal(whole.pick(np.array([6, 0])).images, ahead.pick(np.array([6, 0])).images)


def test_a_batch_that_was_copied_ahead_keeps_its_pixels_while_others_are_taken(store):
    ahead = Batches(store, 3, torch.device("cpu"), whole=False)
    kept = [ahead.take(first, 2).images for first in range(0, 20, 2)]
    expected = [Batches(store, 3, torch.device("cpu")).take(first, 2).images for first in range(0, 20, 2)]
    assert all(torch.equal(a, b) for a, b in zip(kept, expected, strict=True))


def test_labels_come_with_their_images_where_they_are_asked_for(listed, cache, noise):
    source = listed({f"{label}/{i}": noise(16, 16, seed=i) for i, label in enumerate("baba")})
    store = pack(source, scan(source, cache), Fit((16, 16), 3, "crop"), cache)
    labelled = Batches(store, 0, torch.device("cpu"), labelled=True)
    found = labelled.take(0, 10)
    places = order(4, 0, 0, 10)
    assert found.labels.tolist() == store.labels[places].tolist()
    assert found.labels.dtype == torch.int64
    assert Batches(store, 0, torch.device("cpu")).take(0, 3).labels is None


def test_the_parts_of_a_batch_together_are_the_batch(batches):
    whole = batches.take(3, 6).images
    parts = [batches.take(3, 6, slice(rank, None, 2)).images for rank in range(2)]
    assert torch.equal(torch.stack(parts, 1).flatten(0, 1), whole)


@pytest.mark.parametrize("whole", [True, False])
def test_condition_vectors_come_with_their_images(store, whole):
    found = Attributes((Attribute(name="x", kind="yes-no"),), np.array([[0, 0, 0, 0, 0, 1, 1]], np.float32).T)
    batch = Batches(store, 3, torch.device("cpu"), True, whole=whole, attributes=found).take(5, 9)
    places = order(7, 3, 5, 9)
    assert torch.equal(batch.images, to_float(torch.from_numpy(store.images[places])))
    assert batch.labels.tolist() == found.vectors()[places].tolist()


@pytest.mark.parametrize("whole", [True, False])
def test_balanced_batches_show_each_class_equally_often_and_each_image_of_a_class_too(store, whole):
    found = Attributes((Attribute(name="x", kind="yes-no"),), np.array([[0, 0, 0, 0, 0, 0, 1]], np.float32).T)
    batches = Batches(store, 3, torch.device("cpu"), True, whole=whole, attributes=found, balanced=True)
    shown, labels = batches.take(0, 1400)
    assert (labels[:, 0] == 1).float().mean() == pytest.approx(0.5, abs=0.05)
    keys = {tuple(image.flatten()[:9].tolist()): i for i, image in enumerate(batches.pick(np.arange(7)).images)}
    counts = np.bincount([keys[tuple(image.flatten()[:9].tolist())] for image in shown], minlength=7)
    assert counts[:6] == pytest.approx([1400 / 12] * 6, abs=40)
    assert torch.equal(batches.take(700, 9).images, shown[700:709])


def test_classes_are_balanced_too(listed, cache, noise):
    labels = {f"{i}.png": label for i, label in enumerate("aaaaaaab")}
    source = listed({key: noise(16, 16, seed=i) for i, key in enumerate(labels)}, labels)
    store = pack(source, scan(source, cache), Fit((16, 16), 3, "crop"), cache)
    labels = Batches(store, 0, torch.device("cpu"), True, balanced=True).take(0, 800).labels
    assert labels.float().mean() == pytest.approx(0.5, abs=0.05)
