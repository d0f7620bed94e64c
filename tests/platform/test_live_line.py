"""The live line on a pseudo-terminal, whose screen is kept by pyte as a terminal would show it."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import time
from typing import Any

import pyte
import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals of this kind", allow_module_level=True)

import fcntl
import pty
import termios

TRAINING = """
import sys, time
from ganglion.platform.screen import Screen
screen = Screen()
with screen.training() as show:
    for step in range(120):
        show(step / 120, f"{step:,}.0 kimg  1,234 images/s  0:10 left  loss D 1.25 G 0.75  D AUC 0.80  SWD 90  healthy")
        time.sleep(0.005)
        if step == 20:
            screen.say("watch: mode-collapse, since step 20")
            print("a print of the caller")
        if step == 60:
            go_on()
"""
COUNT = """
import time
from ganglion.cli.app import main
from ganglion.errors import DataError
from ganglion.platform.screen import Screen
def run():
    show = Screen().steps("Packing images of a folder with a long name")
    for done in range(60):
        show(done, 1797)
        time.sleep(0.005)
    go_on()
main(run)
"""


def _as_at_a_terminal() -> None:
    """In a process that is to begin: its terminal controls it, and Ctrl-C is not ignored, as it is by a shell's background."""
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, code: str, go_on: str, columns: int = 80, stdout: int | None = None, **environment: str) -> None:
        self.screen = pyte.Screen(columns, 12)
        self._stream = pyte.ByteStream(self.screen)
        self.handle, theirs = pty.openpty()
        self.resize(columns)
        kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"def go_on():\n    {go_on}\n{code}"], stdin=theirs, stderr=theirs,
            stdout=theirs if stdout is None else stdout, start_new_session=True,
            preexec_fn=_as_at_a_terminal, env=kept | {"TERM": "xterm-256color"} | environment,
        )  # fmt: skip
        os.close(theirs)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", 12, columns, 0, 0))
        self.screen.resize(12, columns)

    def read(self, until: str | None = None, within_sec: float = 30) -> None:
        """Until a text is on the screen, or to the end of the process."""
        end = time.monotonic() + within_sec
        while time.monotonic() < end and not (until and until in "\n".join(self.lines)):
            if select.select([self.handle], [], [], 0.1)[0]:
                try:
                    content = os.read(self.handle, 65536)
                except OSError:  # Linux: the other end is closed
                    content = b""
                if not content:
                    break
                self._stream.feed(content)

    def ended(self) -> int:
        self.read()
        code = self.process.wait(10)
        os.close(self.handle)
        return code

    def press_ctrl_c(self) -> None:
        os.write(self.handle, b"\x03")

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def cursor_shown(self) -> bool:
        return not self.screen.cursor.hidden


def live(terminal: Terminal) -> list[str]:
    return [line for line in terminal.lines if "%" in line]


def test_a_finding_and_a_print_appear_above_the_one_live_line():
    terminal = Terminal(TRAINING, "pass")
    terminal.read(until="a print of")
    assert not terminal.cursor_shown
    assert terminal.ended() == 0
    assert terminal.lines[:2] == ["watch: mode-collapse, since step 20", "a print of the caller"]
    assert len(terminal.lines) == 3
    assert terminal.lines[2].startswith(" 99% 119.0 kimg")
    assert terminal.cursor_shown


@pytest.mark.parametrize("columns", [20, 40, 140])
def test_the_live_line_is_one_line_in_a_terminal_of_any_width(columns):
    terminal = Terminal(TRAINING, "pass", columns)
    terminal.read(until="kimg")
    for _ in range(2):
        terminal.read(within_sec=0.15)
        assert len(live(terminal)) == 1
    assert terminal.ended() == 0
    assert len(live(terminal)) == 1
    assert live(terminal)[0].endswith("…" if columns < 100 else "healthy")


def test_a_terminal_that_is_made_narrower_and_wider_again_keeps_one_line():
    terminal = Terminal(TRAINING.replace("120", "400"), "pass", 100)
    terminal.read(until="a print of")
    for columns in (40, 120):
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.read(within_sec=0.3)  # what was written for the width before
        terminal.resize(columns)
        for number in (signal.SIGWINCH, signal.SIGCONT):
            terminal.process.send_signal(number)
        terminal.read(within_sec=0.6)
        assert len(live(terminal)) == 1
        assert len(live(terminal)[0]) <= columns
    assert terminal.ended() == 0
    assert len(live(terminal)) == 1


def test_an_error_in_a_training_leaves_the_last_status_and_the_cursor():
    terminal = Terminal(TRAINING, "raise ValueError('broken')")
    assert terminal.ended() == 1
    assert "kimg" in live(terminal)[0]
    assert terminal.lines[-1] == "ValueError: broken"
    assert terminal.cursor_shown


@pytest.mark.parametrize("columns", [40, 80])
def test_an_error_in_a_count_leaves_its_message_alone(columns):
    terminal = Terminal(COUNT, "raise DataError('the folder is gone')", columns)
    terminal.read(until="/1797")
    assert not terminal.cursor_shown
    assert terminal.ended() == 1
    assert terminal.lines == ["error: the folder is gone"]
    assert terminal.cursor_shown


def test_ctrl_c_in_a_count_leaves_its_message_alone():
    terminal = Terminal(COUNT, "time.sleep(20)", 120)
    terminal.read(until="/1797")
    terminal.read(within_sec=1.0)  # to the end of the count
    terminal.press_ctrl_c()
    assert terminal.ended() == 130
    assert terminal.lines == ["error: stopped at once"]
    assert terminal.cursor_shown


def test_what_a_script_leaves_behind_is_erased_at_its_end():
    terminal = Terminal(COUNT.replace("main(run)", "run()"), "pass")
    assert terminal.ended() == 0
    assert terminal.lines == []
    assert terminal.cursor_shown


def test_a_terminal_without_control_sequences_gets_plain_lines():
    terminal = Terminal(TRAINING, "pass", 140, TERM="dumb")
    assert terminal.ended() == 0
    assert terminal.lines[0].startswith("  0%  0.0 kimg")
    assert "watch: mode-collapse, since step 20" in terminal.lines


def test_output_that_goes_to_a_pipe_is_not_drawn_into_the_terminal(tmp_path):
    with (tmp_path / "out").open("wb") as file:
        terminal = Terminal(TRAINING, "pass", stdout=file.fileno())
        assert terminal.ended() == 0
    assert (tmp_path / "out").read_text() == "a print of the caller\n"
    assert "a print of the caller" not in terminal.lines


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_a_file_gets_plain_lines_whatever_colours_are_asked_for(environment: dict[str, str]):
    code = f"def go_on():\n    pass\n{TRAINING}"
    done: Any = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True)
    assert b"\r" not in done.stderr
    assert b"\x1b[2K" not in done.stderr
    assert done.stderr.count(b"kimg") == 1
