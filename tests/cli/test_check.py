"""`ganglion check` as a person meets it. The eight seconds of training that tell its speed are a tenth of one here."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ganglion.training import check as before_training
from tiny import TINY, as_options

WIDE = as_options({"generator.width": 16, "discriminator.width": 16})  # not so narrow that it is remarked on
TINY_DCGAN = ("--recipe", "dcgan", "--size", "16", "--kimg", "10", "--device", "cpu", *as_options(TINY))
BARE = as_options({"generator.norm": "none", "discriminator.norm": "none", "generator.width": 32})


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before_training, "check", partial(before_training.check, seconds=0.1))


def strict(text: str) -> Any:
    """The one JSON object of a text; NaN and Infinity are no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.usefixtures("brief")
def test_the_page_goes_from_images_over_first_weights_to_the_time_it_will_take(command) -> None:  # type: ignore[no-untyped-def]
    done = command("check", "digits", *TINY_DCGAN, *WIDE)
    head, *middle, memory, threads, speed, outlook = done.out.splitlines()
    assert (done.code, head) == (0, "Recipe dcgan, 1,797 images: fine")
    table = middle.index("Output and gradient size of each layer at initialisation:")
    assert [line.split()[:2] for line in middle[:table]] == [
        ["ok", topic] for topic in ("number", "range", "balance", "gradients", "gradients")
    ]
    rows = [line.split() for line in middle[table + 1 :]]
    assert [row[:2] for row in rows] == [
        ["G", "stem.linear"], ["G", "blocks.0.convolution"], ["G", "blocks.1.convolution"],
        ["D", "blocks.0.convolution"], ["D", "blocks.1.convolution"], ["D", "head.linear"],
    ]  # fmt: skip
    assert all(float(output) > 0 and float(gradient) > 0 for *_, output, gradient in rows)
    assert threads.startswith("CPU threads: ")
    assert memory.startswith("Memory: a step needs less than 0.")
    assert speed.startswith("Speed: ")
    assert outlook.startswith("Outlook: At ")
    assert " images/s, so 10 kimg in " in speed


@pytest.mark.usefixtures("brief")
def test_json_is_all_of_standard_output_and_why_auto_chose_stands_on_the_other(command) -> None:  # type: ignore[no-untyped-def]
    done = command(
        "check", "digits", "--size", "16", "--minutes", "2", "--device", "cpu", *as_options(TINY), *WIDE, "--json"
    )
    tree = strict(done.out)
    assert (done.code, tree["state"], tree["recipe"], tree["images"]) == (0, "fine", "small-data", 1797)
    assert tree["minutes"] == pytest.approx(2)
    assert tree["kimg"] == pytest.approx(tree["images_per_sec"] * 120 / 1000)
    assert {"level", "topic", "text"} == tree["remarks"][0].keys()
    assert {"name", "output", "gradient", "weight"} == tree["signals_g"][0].keys()
    assert "auto: recipe small-data: 1,797 images are few" in done.said


@pytest.mark.usefixtures("brief")
def test_first_weights_of_which_nothing_can_come_are_told_and_are_no_failure_of_the_command(command) -> None:  # type: ignore[no-untyped-def]
    done = command("check", "digits", *TINY_DCGAN, *BARE, "--set", "init.std=0.2", "--set", "latent.dim=64")
    head, *lines = done.out.splitlines()
    assert (done.code, head) == (0, "Recipe dcgan, 1,797 images: failing")
    (told,) = (line for line in lines if line.startswith("  FAILING "))
    assert "initial weights" in told
    assert "black or white" in told
    assert "init.std 0.02" in told


@pytest.mark.usefixtures("brief")
def test_signals_beyond_all_numbers_are_null_in_json(command) -> None:  # type: ignore[no-untyped-def]
    done = command("check", "digits", *TINY_DCGAN, *BARE, "--set", "init.std=1e6", "--json")
    tree = strict(done.out)
    assert (done.code, tree["state"]) == (0, "failing")
    assert tree["signals_g"][0]["output"] > 1e5
    assert tree["signals_g"][-1]["output"] is None


@pytest.mark.usefixtures("brief")
def test_first_steps_that_end_in_numbers_that_are_not_finite_are_told_with_all_else(command) -> None:  # type: ignore[no-untyped-def]
    done = command("check", "digits", *TINY_DCGAN, *BARE, "--set", "init.std=1e12", "--json")
    tree = strict(done.out)
    assert (done.code, tree["state"]) == (0, "failing")
    (told,) = (remark["text"] for remark in tree["remarks"] if remark["topic"] == "first steps")
    assert "no longer finite" in told


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["digist"], 1, "did you mean 'digits'"),
        (["empty"], 1, "no image in folder empty: it is empty, but for hidden files"),
        (["notes.txt"], 1, "notes.txt is neither a folder, a zip, an IDX nor an NPY file"),
        (["digits", "--recipe", "dcgna"], 1, "did you mean 'dcgan'"),
        (["digits", "--set", "init.stdd=0.2"], 1, "did you mean 'init.std'"),
        (["digits", "--set", "init.std=wide"], 1, "init.std"),
        (["digits", "--size", "100"], 1, "use 96 or 112"),
        (["digits", "--kimg", "1", "--minutes", "1"], 1, "a run has one budget"),
        (["digits", "--jsno"], 2, "No such option"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(  # type: ignore[no-untyped-def]
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("dear")
    before = sorted(tmp_path.rglob("*"))
    done = command("check", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_source_that_is_not_there_ends_in_a_message_and_exit_code_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ganglion.cli.app", "check", "nowhere/", "--json"], cwd=tmp_path, timeout=120,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no file or folder 'nowhere/'")
    assert len(done.stderr.splitlines()) <= 2
