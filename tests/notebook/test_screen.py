"""The screen of a notebook, with outputs that a test can read and a clock that it sets."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from ganglion.notebook.output import Output, in_notebook
from ganglion.notebook.screen import NotebookScreen, screen_here
from ganglion.platform.screen import Screen


class Cell:
    """The outputs of a cell, each with all that it has shown."""

    def __init__(self) -> None:
        self.outputs: list[list[tuple[str, str]]] = []
        self.now = 100.0

    def new_output(self) -> SimpleNamespace:
        self.outputs.append(shown := [])
        return SimpleNamespace(show=lambda html, plain: shown.append((html, plain)))

    def screen(self) -> NotebookScreen:
        return NotebookScreen(self.new_output, lambda: self.now)


def test_lines_are_one_output_that_is_replaced() -> None:
    cell = Cell()
    screen = cell.screen()
    screen.say("first")
    screen.say("second <b>")
    (block,) = cell.outputs
    assert [plain for _, plain in block] == ["first", "first\nsecond <b>"]
    assert "second &lt;b&gt;" in block[-1][0]


def test_nothing_is_shown_before_there_is_something() -> None:
    cell = Cell()
    cell.screen().steps("Packing images")(0, 0)
    assert cell.outputs == []


def test_a_count_is_shown_at_most_twice_a_second_and_is_a_line_in_the_end() -> None:
    cell = Cell()
    show = cell.screen().steps("Packing images")
    for done in range(1, 100):
        show(done, 100)
    cell.now += 1
    show(99, 100)
    show(100, 100)
    (block,) = cell.outputs
    assert len(block) == 3
    assert "99 of 100" in block[1][0]
    assert block[-1][1] == "Packing images: 100"
    assert "of 100" not in block[-1][0]


def test_the_status_line_is_replaced_and_moves_on_at_most_twice_a_second() -> None:
    cell = Cell()
    with cell.screen().training() as show:
        show(0.1, "1.0 kimg  <i>")
        for _ in range(50):
            show(0.2, None)
        cell.now += 1
        show(0.3, None)
    (line,) = cell.outputs
    assert [plain for _, plain in line] == [" 10%  1.0 kimg  <i>", " 30%  1.0 kimg  <i>"]
    assert "1.0 kimg · &lt;i&gt;" in line[0][0]
    assert 'aria-valuenow="30"' in line[1][0]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A program that IPython runs."""
    here = SimpleNamespace(kernel=object())
    module = ModuleType("IPython.core.getipython")
    module.get_ipython = lambda: here  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.core", ModuleType("IPython.core"))
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", module)
    return here


def test_a_kernel_is_a_notebook_and_a_terminal_is_none(shell: SimpleNamespace) -> None:
    assert in_notebook()
    assert isinstance(screen_here(), NotebookScreen)
    assert type(screen_here(quiet=True)) is Screen
    del shell.kernel
    assert not in_notebook()
    assert type(screen_here()) is Screen


def test_without_ipython_nothing_of_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    assert "IPython" not in sys.modules


def test_an_output_is_shown_once_and_then_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, dict[str, str]]] = []
    handle = SimpleNamespace(update=lambda bundle, raw: calls.append(("update", bundle)))

    def display(bundle: dict[str, str], raw: bool, display_id: bool) -> SimpleNamespace:
        assert raw
        assert display_id
        calls.append(("display", bundle))
        return handle

    module = ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    output = Output()
    output.show("<p>1</p>", "1")
    output.show("<p>2</p>", "2")
    assert [call for call, _ in calls] == ["display", "update"]
    assert calls[-1][1] == {"text/html": "<p>2</p>", "text/plain": "2"}
