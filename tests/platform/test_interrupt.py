import signal
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from ganglion.platform.interrupt import SIGNALS, Interrupt, stopping_signals


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


def in_a_thread(work: Callable[[], object]) -> list[object]:
    """What `work` returned or raised there."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish(number):
    with Interrupt() as interrupt:
        assert not interrupt.wanted
        signal.raise_signal(number)
        assert interrupt.wanted


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_ctrl_c_after_the_first_signal_stops_at_once(first):
    with Interrupt() as interrupt:
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupt.wanted


def test_a_second_sigterm_leaves_the_save_its_time():
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.wanted


def test_the_processs_own_handlers_are_put_back():
    before = handlers()
    with Interrupt():
        assert not set(handlers()) & set(before)
    assert handlers() == before


def test_the_processs_own_handlers_are_put_back_after_an_exception():
    before = handlers()
    with pytest.raises(ZeroDivisionError), Interrupt():
        raise ZeroDivisionError
    assert handlers() == before


@pytest.fixture
def python_own_ctrl_c():
    """Python's handler of SIGINT, which a process that was started in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_afterwards_ctrl_c_means_what_it_meant(python_own_ctrl_c):
    with Interrupt() as interrupt:
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not interrupt.wanted


def test_in_another_thread_it_is_harmless_and_never_wanted():
    before = handlers()

    def work() -> bool:
        with Interrupt() as interrupt:
            return interrupt.wanted or handlers() != before

    assert in_a_thread(work) == [False]
    assert handlers() == before


def test_ctrl_break_is_heeded_where_windows_has_it_and_sigterm_everywhere():
    assert stopping_signals(SimpleNamespace(SIGINT=2, SIGTERM=15, SIGBREAK=21)) == (2, 15, 21)
    assert stopping_signals(SimpleNamespace(SIGINT=2, SIGTERM=15, SIGHUP=1)) == (2, 15)


def test_a_second_ctrl_break_stops_at_once_as_a_second_ctrl_c_does():
    key = signal.SIGTERM  # stands for SIGBREAK, which Linux does not have
    with Interrupt(signals=(key,), keys=(key,)) as interrupt:
        signal.raise_signal(key)
        assert interrupt.wanted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(key)
