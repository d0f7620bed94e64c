"""`ganglion data` and `ganglion sample --label` with a labels file, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ganglion
from tiny import TINY

PEOPLE = 40


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("people")
    random = np.random.default_rng(0)
    rows = ["file;smiling;hair;age;id"]
    for i in range(PEOPLE):
        Image.fromarray(random.integers(0, 256, (16, 16), np.uint8)).save(folder / f"{i}.png")
        rows.append(f"{i}.png;{i % 2};{'red' if i in (0, 2, 4) else 'black'};{20 + i % 9},5;{i + 100}")
    rows[-1] = f"{PEOPLE - 1}.png;;black;;"
    (folder / "labels.csv").write_text("\n".join([*rows, "gone.png;1;red;3;4"]))
    return folder


@pytest.fixture(scope="module")
def people_run(people: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "people"
    ganglion.train(
        people, recipe="dcgan", size=16, steps=2, run=folder, precision="32", device="cpu",
        set={**TINY, "data.conditional": True}, cache=cache, quiet=True, at_end=lambda run: None,
    )  # fmt: skip
    return folder


def test_data_lists_the_columns_and_what_is_odd(command, people, tmp_path) -> None:  # type: ignore[no-untyped-def]
    said = command("data", people, "--preview", tmp_path / "p.png").out
    for line in (
        "Labels: labels.csv, 3 usable columns", "  smiling: yes or no: no (20), yes (19); 1 missing",
        "  hair: 2 classes: black (37), red (3); rare: red (--set data.sampling=balanced shows them more often)",
        "  age: a number from 20.5 to 28.5, mean 24.27; 1 missing", "  columns left out: 1, id (it numbers the images)",
        "  rows of labels.csv whose image is not here: 1 (gone.png)", "Skipped files: none",
    ):  # fmt: skip
        assert line in said.splitlines() or line in said, line


def test_data_lists_them_as_json_and_folders_leave_them_out(command, people, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("data", people, "--preview", tmp_path / "p.png", "--json")
    found = json.loads(command(*words).out)["labels_file"]
    assert [column["kind"] for column in found["columns"]] == ["yes-no", "class", "number", None]
    assert "labels_file" not in json.loads(command(*words, "--labels", "folders").out)


def test_samples_have_the_attributes_that_are_asked_for(command, people_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "x.npy"
    assert command("sample", people_run, "--n", "3", "--label", "smiling=1,age=25.5", "--out", out).code == 0
    assert np.array_equal(np.load(out), ganglion.load(people_run).sample(3, label={"smiling": 1, "age": 25.5}))
    assert command("sample", people_run, "--n", "3", "--label", "hair=red").code == 0
    assert (people_run / "samples" / "hair=red-seed-0.png").is_file()


def test_a_combination_that_is_not_there_is_told(command, people_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("sample", people_run, "--n", "1", "--out", tmp_path / "x.png", "--label")
    rare = command(*words, "smiling=yes,hair=red")
    assert rare.code == 0
    assert "no training image known to the run has smiling=1, hair=red" in rare.said
    assert "no training image" not in command(*words, "smiling=no,hair=red").said


@pytest.mark.parametrize("label", ["age=200", "hair=green", "tall=1", "red"])
def test_values_that_there_are_not_are_refused(refused, people_run, tmp_path, label) -> None:  # type: ignore[no-untyped-def]
    assert "Invalid value for --label" in refused("sample", people_run, "--label", label, "--out", tmp_path / "x.png")


def test_walks_and_projections_take_attributes(command, people_run, people, tmp_path) -> None:  # type: ignore[no-untyped-def]
    label = ("--label", "hair=black")
    assert command("walk", people_run, "--steps", "2", *label, "--out", tmp_path / "w.png").code == 0
    assert command("interpolate", people_run, "--seeds", "1,2", *label, "--out", tmp_path / "i.png").code == 0
    words = ("project", people_run, people / "1.png", "--starts", "2", "--steps", "2", *label)
    assert command(*words, "--out", tmp_path / "x.png").code == 0


def test_data_says_which_folders_are_parts_and_no_classes(command, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from PIL import Image

    random = np.random.default_rng(0)
    for number in (*range(16), 999, *range(1000, 1010)):
        path = tmp_path / "set" / f"{number // 1000:05}" / f"img{number:08}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16), np.uint8)).save(path)
    said = command("data", tmp_path / "set", "--preview", tmp_path / "p.png").out.splitlines()
    assert "Classes: none (the folders 00000, 00001 are parts of one set)" in said
    assert not [line for line in said if line.startswith("Note:")]
