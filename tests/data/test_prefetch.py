import threading

import pytest
import torch

from ganglion.data.prefetch import Place, Prefetch, Staging

ALL = slice(None)


def pixels_at(place):
    return torch.tensor([place.first])


class Sender:
    """Notes what it is asked for, and in which thread."""

    def __init__(self):
        self.sent, self.threads = [], set()

    def __call__(self, place):
        self.sent.append(place.first)
        self.threads.add(threading.current_thread())
        return lambda: (pixels_at(place), None)


def test_the_following_batch_is_read_before_it_is_asked_for():
    sender = Sender()
    ahead = Prefetch(sender)
    for first in (0, 8, 16):
        pixels, labels = ahead.take(Place(first, 8, ALL))
        assert (pixels.tolist(), labels) == ([first], None)
    ahead._next[1].result()
    assert sender.sent == [0, 8, 16, 24]  # each once
    assert threading.main_thread() not in sender.threads
    assert len(sender.threads) == 1


def test_where_another_batch_is_asked_for_it_is_that_one():
    sender = Sender()
    ahead = Prefetch(sender)
    for place in (Place(0, 8, ALL), Place(80, 8, ALL), Place(88, 4, ALL), Place(92, 4, slice(1, None, 2))):
        assert ahead.take(place)[0].tolist() == [place.first]
    ahead._next[1].result()
    assert sender.sent == [0, 8, 80, 88, 88, 92, 92, 96]


def test_what_goes_wrong_in_the_thread_is_raised_where_the_batch_is_asked_for():
    def fail(place):
        if place.first:
            raise OSError("the disk is gone")
        return lambda: (pixels_at(place), None)

    ahead = Prefetch(fail)
    ahead.take(Place(0, 8, ALL))
    with pytest.raises(OSError, match="the disk is gone"):
        ahead.take(Place(8, 8, ALL))


def test_a_batch_has_memory_of_its_own_and_its_labels():
    pixels, labels = torch.arange(12, dtype=torch.uint8).view(6, 1, 2, 1), torch.arange(6) * 10
    staging = Staging(pixels, labels, lambda place: torch.arange(place.first, place.first + 2), torch.device("cpu"))
    sent = [staging.send(Place(first, 2, ALL)) for first in (0, 2, 4)]  # two buffers, three batches
    for first, receive in zip((0, 2, 4), sent, strict=True):
        found, of_them = receive()
        assert torch.equal(found, pixels[first : first + 2])
        assert of_them.tolist() == [first * 10, first * 10 + 10]


def test_batches_of_other_sizes_may_follow():
    pixels = torch.arange(12, dtype=torch.uint8).view(6, 1, 2, 1)
    staging = Staging(pixels, None, lambda place: torch.arange(place.images), torch.device("cpu"))
    for images in (3, 5, 5, 2, 3):
        found, labels = staging.send(Place(0, images, ALL))()
        assert torch.equal(found, pixels[:images])
        assert labels is None
