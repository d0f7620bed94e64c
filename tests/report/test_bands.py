from __future__ import annotations

import json

import numpy as np
import pytest

from bands import KNOTS, band_of, bands_of_runs
from ganglion.recipe.resolve import preset_names
from ganglion.report.bands import BANDS, healthy_bands


def run(value: float, last: float = 100.0) -> list[dict[str, float]]:
    return [{"kimg": kimg, "separation": value + 0.001 * kimg} for kimg in np.linspace(0, last, 201)]


def test_a_band_holds_what_its_runs_did_and_ends_with_the_shortest():
    tree = bands_of_runs([run(0.5), run(0.6, last=50.0)], "two runs")
    low, high = tree["bands"]["separation"]
    assert tree["kimg"][-1] == 50.0
    assert len(low) == len(high) == KNOTS
    assert low[-1] == pytest.approx(0.55, abs=0.02)
    assert high[-1] == pytest.approx(0.65, abs=0.02)
    assert all(a <= b for a, b in zip(low, high, strict=True))


def test_a_number_that_no_run_has_gets_no_band():
    assert band_of([run(0.5)], "held_out", np.geomspace(1, 100, KNOTS)) is None
    assert list(bands_of_runs([run(0.5)], "one")["bands"]) == ["separation"]


def test_bands_are_read_as_they_were_written(tmp_path):
    tree = bands_of_runs([run(0.5)], "one run")
    (tmp_path / "mine.json").write_text(json.dumps(tree), encoding="utf-8")
    bands, about = healthy_bands("mine", tmp_path)
    assert about == "one run"
    assert bands["separation"].low == list(tree["bands"]["separation"][0])
    assert bands["separation"].kimg == tree["kimg"]


def test_a_recipe_of_ones_own_has_no_bands():
    assert healthy_bands("mine-alone") == ({}, "")


def test_every_recipe_that_ships_has_bands():
    with_bands = {path.stem for path in BANDS.glob("*.json")}
    without = {"auto", "fastgan"}  # hours on a CPU
    assert with_bands == set(preset_names()) - without
