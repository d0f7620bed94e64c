"""What a user's editor and type checker see: real signatures, docstrings, and the errors that wrong programs get."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import ganglion

SOURCE = Path(ganglion.__file__).parent
RIGHT, WRONG = (Path(__file__).with_name(f"{name}_program.py.txt") for name in ("user", "wrong"))
ERROR = re.compile(r"^(\w+)_program\.py:(\d+): error: (.*)  \[([\w-]+)\]$")
CALLABLES = {name: value for name in ganglion.__all__ if callable(value := getattr(ganglion, name))}
FUNCTIONS = [name for name, value in CALLABLES.items() if inspect.isfunction(value)]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, set[str]]]:
    """Codes of mypy's errors by program and line. The package is found as an installed one is, by its py.typed."""
    folder = tmp_path_factory.mktemp("types")
    for program in (RIGHT, WRONG):
        (folder / program.stem).write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-pretty", RIGHT.stem, WRONG.stem]
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, set[str]]] = {"user": {}, "wrong": {}}
    for line in done.stdout.splitlines():
        if match := ERROR.match(line):
            found[match[1]].setdefault(int(match[2]), set()).add(match[4])
    return found


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Functions behind the public methods and properties that a class itself defines."""
    for name, member in vars(value).items():
        plain = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(plain):
            yield name, plain


def test_a_program_that_uses_every_public_name_has_no_error_under_strict_checking(
    errors: dict[str, dict[int, set[str]]],
) -> None:
    assert errors["user"] == {}


def test_a_wrong_keyword_or_type_is_an_error_in_its_line_and_nothing_else_is(
    errors: dict[str, dict[int, set[str]]],
) -> None:
    lines = enumerate(WRONG.read_text(encoding="utf-8").splitlines(), start=1)
    expected = {number: {line.rpartition("  # ")[2]} for number, line in lines if "  # " in line}
    assert len(expected) > 10
    assert errors["wrong"] == expected


def test_the_checked_program_uses_every_public_name() -> None:
    used = set(re.findall(r"ganglion\.(\w+)", RIGHT.read_text(encoding="utf-8")))
    assert used == set(ganglion.__all__)


def test_the_package_says_that_it_is_typed() -> None:
    assert files("ganglion").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_names_each_of_its_parameters(name: str) -> None:
    parameters = inspect.signature(CALLABLES[name]).parameters.values()
    assert parameters
    assert not [one.name for one in parameters if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    assert not [one.name for one in parameters if one.annotation is one.empty]


def test_the_keywords_of_train_are_explained_in_its_docstring() -> None:
    words = set(re.findall(r"\w+", inspect.getdoc(ganglion.train) or ""))
    assert set(inspect.signature(ganglion.train).parameters) <= words


@pytest.mark.parametrize("name", CALLABLES)
def test_every_public_name_and_each_of_its_methods_and_properties_has_a_docstring(name: str) -> None:
    value = CALLABLES[name]
    assert value.__doc__
    assert not [member for member, function in members(value) if not function.__doc__]
