import io

import pytest
from rich.console import Console

from ganglion.platform.screen import Screen


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def console(terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, highlight=False, soft_wrap=True, _environ={})


def shown(screen: Screen) -> str:
    return screen.console.file.getvalue()


def test_away_from_a_terminal_the_status_is_a_plain_line():
    screen = Screen(console())
    with screen.training() as show:
        show(0.25, "16.0 kimg  loss D 1.25")
    assert shown(screen) == " 25%  16.0 kimg  loss D 1.25\n"


def test_lines_come_at_most_every_five_seconds():
    clock = Clock()
    screen = Screen(console(), clock=clock)
    with screen.training() as show:
        for second in range(12):
            clock.now = 100.0 + second
            show(0.1, f"second {second}")
    assert shown(screen).splitlines() == [f" 10%  second {second}" for second in (0, 5, 10)]


def test_the_last_line_comes_whatever_the_clock_says():
    screen = Screen(console(), clock=Clock())
    with screen.training() as show:
        show(0.5, "half")
        show(0.9, "nearly")
        show(1.0, "done")
    assert shown(screen).splitlines() == [" 50%  half", "100%  done"]


def test_a_status_that_is_unchanged_is_no_line():
    clock = Clock()
    screen = Screen(console(), clock=clock)
    with screen.training() as show:
        for _ in range(10):
            clock.now += 10
            show(0.5, None)
    assert shown(screen) == ""


def test_away_from_a_terminal_a_count_is_one_line_at_its_end():
    screen = Screen(console())
    show = screen.steps("Packing images")
    for done in range(0, 1798, 1):
        show(done, 1797)
    assert shown(screen) == "Packing images: 1,797\n"


def test_a_count_of_nothing_shows_nothing():
    screen = Screen(console())
    screen.steps("Packing images")(0, 0)
    assert shown(screen) == ""


def test_on_a_terminal_bar_and_status_are_shown():
    screen = Screen(console(terminal=True))
    with screen.training() as show:
        show(0.5, "16.0 kimg")
    assert " 50%" in shown(screen)
    assert "16.0 kimg" in shown(screen)


def test_on_a_terminal_the_status_stays_until_the_next():
    screen = Screen(console(terminal=True))
    with screen.training() as show:
        show(0.5, "16.0 kimg")
        show(0.75, None)
    assert "16.0 kimg" in shown(screen).rpartition("75%")[2]


def test_on_a_terminal_a_count_is_shown_while_it_runs():
    screen = Screen(console(terminal=True))
    show = screen.steps("Packing images")
    show(3, 7)
    show(7, 7)
    assert "Packing images" in shown(screen)
    assert "7/7" in shown(screen)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_quiet_screen_shows_nothing(terminal):
    screen = Screen(Console(file=io.StringIO(), quiet=True, force_terminal=terminal))
    screen.say("hello")
    screen.steps("Packing images")(7, 7)
    with screen.training() as show:
        show(1.0, "done")
    assert shown(screen) == ""


def test_quiet_silences_the_screens_own_console(capsys):
    Screen(quiet=True).say("hello")
    Screen().say("heard")
    assert capsys.readouterr() == ("", "heard\n")


@pytest.mark.parametrize(
    "name",
    ["[red]photos[/red]", "a[/]b", "[bold", "[link=x]", "[[x]]", "100%", r"C:\data\[1]", "my:dog:photos"],
)
def test_names_that_look_like_markup_are_shown_as_they_are(name):
    screen = Screen(console())
    screen.say(name)
    with screen.training() as show:
        show(1.0, name)
    assert shown(screen).splitlines() == [name, f"100%  {name}"]


@pytest.mark.parametrize("name", ["[red]photos[/red]", "a[/]b", "[bold"])
def test_a_status_that_looks_like_markup_is_shown_as_it_is_on_a_terminal(name):
    screen = Screen(console(terminal=True))
    with screen.training() as show:
        show(0.5, name)
    assert name in shown(screen)


def test_long_lines_are_not_broken():
    screen = Screen(console())
    screen.say("word " * 100)
    assert shown(screen).count("\n") == 1
