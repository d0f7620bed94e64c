"""Commands as lines of text, and back."""

from __future__ import annotations

import shlex

import pytest

from ganglion.platform.command_line import options_of, pasteable

WORDS = [
    "ganglion",
    "train",
    "my photos",
    "--set",
    "a=[1]",
    "--device",
    "cpu",
    "--no-report",
    "--threads=2",
    "--seed",
    "1",
]
KEPT = {"--device": 1, "--no-report": 0, "--threads": 1}


def test_a_command_can_be_pasted_into_a_shell():
    assert pasteable(WORDS[:5], windows=False) == "ganglion train 'my photos' --set 'a=[1]'"
    assert pasteable(WORDS[:5], windows=True) == 'ganglion train "my photos" --set a=[1]'
    assert shlex.split(pasteable(WORDS, windows=False)) == WORDS


@pytest.mark.parametrize("windows", [False, True])
def test_options_are_found_in_a_line_with_their_values(windows):
    found = options_of(pasteable(WORDS, windows), KEPT, windows)
    assert found == ("--device", "cpu", "--no-report", "--threads=2")


@pytest.mark.parametrize("line", ["", "python my_loop.py", "ganglion train 'open quote --device cpu"])
def test_a_line_without_them_or_that_no_shell_reads_has_none(line):
    assert options_of(line, KEPT, windows=False) == ()
