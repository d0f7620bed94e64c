from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import ganglion
from ganglion.doctor.evidence import number_text
from ganglion.errors import RunError
from ganglion.recipe.resolve import recipe_text, update
from ganglion.report.compare import compare, write_comparison


def test_what_differs_and_what_came_of_it(digits_run: ganglion.Run, tiny_run: ganglion.Run, tmp_path: Path) -> None:
    found = compare([digits_run.path, tiny_run.path])
    assert [run.name for run in found.runs] == ["digits", "tiny"]
    differences = dict(found.differences)
    assert differences["latent.dim"] == ["16", "8"]
    assert "data.size" not in differences
    outcomes = dict(found.outcomes)
    assert outcomes["images (kimg)"] == ["24", "0.24"]
    assert float(outcomes["last SWD"][0]) < float(outcomes["last SWD"][1].replace(",", ""))
    best = digits_run.best_of(digits_run.records())
    assert outcomes["score of the best checkpoint"][0] == number_text(best["frechet"])
    assert outcomes["relative distance of the best checkpoint"][0] == number_text(best["relative_distance"])
    text = found.text()
    assert "latent.dim" in text
    assert ganglion.diagnose(digits_run.path).state in text
    page = write_comparison(found, tmp_path / "c.html").read_text(encoding="utf-8")
    assert page.count('class="chart"') > 8
    assert page.count("data:image/webp") == 2


def test_long_values_that_begin_alike_differ(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    for name in ("first", "second"):
        copy = ganglion.Run(shutil.copytree(tiny_run.path, tmp_path / name))
        source = f"/data/{'a-long-name/' * 8}{name}"
        copy.recipe_path.write_text(recipe_text(update(copy.recipe, data__source=source)), encoding="utf-8")
    assert "data.source" in dict(compare([tmp_path / "first", tmp_path / "second"]).differences)


def test_runs_of_one_name_are_told_apart_by_their_paths(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    for place in ("a", "b"):
        shutil.copytree(tiny_run.path, tmp_path / place / "run")
    names = [run.name for run in compare([tmp_path / "a" / "run", tmp_path / "b" / "run"]).runs]
    assert names == [str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run")]


def test_one_run_and_a_run_against_itself_are_refused(tiny_run: ganglion.Run) -> None:
    with pytest.raises(RunError, match="at least two"):
        compare([tiny_run.path])
    with pytest.raises(RunError, match="with itself"):
        compare([tiny_run.path, tiny_run.path])


def test_a_folder_that_is_no_run_is_named(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"{tmp_path.name}.*is not a run"):
        compare([tiny_run.path, tmp_path])
