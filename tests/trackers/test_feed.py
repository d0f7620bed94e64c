from __future__ import annotations

import threading
import time

import pytest

from ganglion.trackers.feed import Feed, first_sentence


class AwayError(Exception):
    """The server is away."""


class Server:
    """Takes texts, while it is there."""

    def __init__(self) -> None:
        self.has: list[str] = []
        self.sessions = 0
        self.away = False
        self.answer = threading.Event()
        self.answer.set()

    def begin(self) -> None:
        self.answer.wait(20)
        if self.away:
            raise AwayError("connection refused\nby peer")
        self.sessions += 1

    def take(self, text: str) -> None:
        self.answer.wait(20)
        if self.away:
            raise AwayError("connection refused\nby peer")
        self.has.append(text)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def said() -> list[str]:
    return []


def soon(condition) -> bool:  # type: ignore[no-untyped-def]
    """Whether it comes true within seconds."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return bool(condition())


def test_things_arrive_in_order_in_one_session(server, said):
    feed = Feed("wandb", server.begin, said.append)
    for text in "abc":
        feed.put(lambda text=text: server.take(text))
    assert feed.close(10) == 0
    assert (server.has, server.sessions, said) == (["a", "b", "c"], 1, [])


def test_a_failure_is_told_once_in_a_sentence_and_nothing_is_lost(server, said):
    feed = Feed("wandb", server.begin, said.append, retry_sec=0.01)
    feed.put(lambda: server.take("a"))
    assert soon(lambda: server.has == ["a"])
    server.away = True
    for text in "bcd":
        feed.put(lambda text=text: server.take(text))
    assert soon(lambda: said)
    time.sleep(0.1)  # several attempts
    assert said == [
        "wandb: AwayError: connection refused; the training goes on, and what wandb lacks is sent when it can be"
    ]
    server.away = False
    assert soon(lambda: server.has == ["a", "b", "c", "d"])
    assert soon(lambda: said[1:] == ["wandb: it has everything again"])
    assert server.sessions == 2


def test_what_was_taken_is_noted_and_what_failed_is_not(server, said):
    noted: list[str] = []
    feed = Feed("wandb", server.begin, said.append, retry_sec=60)
    feed.put(lambda: server.take("a"), lambda: noted.append("a"))
    assert soon(lambda: noted == ["a"])
    server.away = True
    feed.put(lambda: server.take("b"), lambda: noted.append("b"))
    assert soon(lambda: said)
    assert feed.close(10) == 1
    assert noted == ["a"]


def test_putting_does_not_wait_for_a_tracker_that_hangs(server, said):
    server.answer.clear()
    feed = Feed("wandb", server.begin, said.append)
    began = time.monotonic()
    for _ in range(1000):
        feed.put(lambda: server.take("x"))
    assert time.monotonic() - began < 0.5
    assert feed.close(0.05) == 1000
    server.answer.set()


def test_a_hang_is_told_once(server, said):
    now = [0.0]
    server.answer.clear()
    feed = Feed("wandb", server.begin, said.append, clock=lambda: now[0], silence_sec=60)
    feed.put(lambda: server.take("a"))
    assert soon(lambda: feed._calling_since is not None)
    for now[0] in (30.0, 90.0, 150.0):
        feed.put(lambda: server.take("b"))
    assert said == [
        "wandb: it has not answered for 90 s; the training goes on, and what wandb lacks is sent when it can be"
    ]
    server.answer.set()
    assert feed.close(10) == 0
    assert len(server.has) == 4


def test_closing_ends_the_wait_for_another_attempt(server, said):
    server.away = True
    feed = Feed("wandb", server.begin, said.append, retry_sec=3600)
    feed.put(lambda: server.take("a"))
    assert soon(lambda: said)
    began = time.monotonic()
    assert feed.close(30) == 1
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\nb"), "ValueError: a"),
        (ValueError(), "ValueError"),
        (OSError(28, "No space left on device."), "OSError: [Errno 28] No space left on device"),
        (RuntimeError("x" * 999), f"RuntimeError: {'x' * 183}..."),
    ],
)
def test_an_error_is_told_by_its_type_and_first_line(error, text):
    assert first_sentence(error) == text
