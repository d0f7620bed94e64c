from __future__ import annotations

import logging
import sys
import threading
import warnings

import pytest

from ganglion.trackers.silence import THREADS, hush_loggers, trackers_silenced


def in_thread(name: str, do) -> None:  # type: ignore[no-untyped-def]
    thread = threading.Thread(target=do, name=name)
    thread.start()
    thread.join()


def test_what_a_trackers_thread_prints_is_not_shown_and_what_others_print_is(capsys):
    before = sys.stdout
    with trackers_silenced(["trackio"], lambda text: None):
        in_thread(f"{THREADS}trackio", lambda: print("* Run finished"))  # noqa: T201
        in_thread("another", lambda: print("of the caller"))  # noqa: T201
        print("here")  # noqa: T201
    assert sys.stdout is before
    assert capsys.readouterr().out == "of the caller\nhere\n"


@pytest.mark.filterwarnings("always")
def test_a_trackers_first_warning_is_said_in_a_line_and_others_warnings_are_left_alone(recwarn):
    said: list[str] = []
    with trackers_silenced(["trackio"], said.append):
        for text in ("could not write\nmore", "could not write again"):
            warnings.warn_explicit(text, UserWarning, "/site-packages/trackio/run.py", 7)
        warnings.warn_explicit("old", DeprecationWarning, "/site-packages/trackio/run.py", 8)
        warnings.warn_explicit("mine", UserWarning, "/home/trackio.py", 9)
    assert said == ["trackio: could not write"]
    assert [str(one.message) for one in recwarn.list] == ["mine"]


def test_levels_of_loggers_are_put_back():
    logger = logging.getLogger("mlflow")
    before = logger.level
    with trackers_silenced(["mlflow"], lambda text: None):
        logger.setLevel(logging.INFO)  # as MLflow does when it is imported
        hush_loggers()
        assert logger.level == logging.CRITICAL
    assert logger.level == before
