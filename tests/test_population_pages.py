"""What is told of the population: its tables, the field guide's figures, what treatments heal, and the duality gap."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from population import foreseen, thumbnails
from population.duality_gap import duality_gap
from population.examination import Judged
from population.fit import Rows
from population.guide import examples, measured, strip
from population.healed import WAYS, Treated, by_cause, collected, healed, of_code, read, runs, store, table
from population.healing import sick_runs
from population.pages import alarm_below, counts


def judged(kind: str, sick: bool, first: str | None, data: str = "mnist", distance: float | None = 1.0) -> Judged:
    run = {"id": f"dcgan.{data}.{kind}.0.0", "program": "dcgan", "data": data, "kind": kind, "strength": 0}
    alarm = first is not None
    return Judged(run | {"distance": distance}, sick, alarm, 0.5 if alarm else None, alarm, (first,) if first else ())


# Tables


def test_the_alarm_by_chance_is_the_largest_that_few_healthy_runs_fall_under() -> None:
    well = np.arange(200) < 100
    p = np.concatenate([np.linspace(0.4, 1, 100), np.linspace(0, 0.6, 100)])
    rows = Rows(np.zeros((200, 3)), well, [], np.array(["a"] * 200), np.ones(200))
    below = alarm_below(rows, p)
    assert (p[well] < below).mean() <= 0.03 < (p[well] < below + 0.01).mean()
    failing = rows._replace(features=np.where(np.arange(200)[:, None] % 10 == 0, 2.0, 0.0) * np.ones(3))
    assert alarm_below(failing, p) == 0  # the verdict alone has more false alarms than that


def test_runs_are_counted_where_their_truth_is_known() -> None:
    runs = [{"id": str(number), "kind": "none" if number < 2 else "range"} for number in range(5)]
    truth = {"0": False, "1": False, "2": True, "3": False}
    assert counts(runs, truth) == "4 runs, of which 2 were left as they are; 1 ended sick.\n"


# The field guide


def test_a_page_tells_how_often_its_finding_was_right_and_what_it_was_taken_for() -> None:
    found = [
        judged("nan", True, "non-finite"), judged("nan", True, "stalled"), judged("nan", True, None),
        judged("range", False, "non-finite"),
    ]  # fmt: skip
    lines = measured("non-finite", found, [])
    assert "| fitted | 3 | 0.33 (0.06 to 0.79; 3) | 0.33 (0.06 to 0.79; 3) | 0.50 (0.09 to 0.91; 2) |" in lines
    assert "| set aside | 0 | none | none | none |" in lines
    assert "Said instead, for those runs: stalled (1), no alarm (1)." in lines
    assert "Said wrongly of: range, healthy (1)." in lines


def test_examples_are_sick_runs_rightly_named_of_different_data() -> None:
    right = [judged("nan", True, "non-finite", data) for data in ("mnist", "mnist", "cifar", "flags")]
    wrong = [judged("nan", True, "stalled", "elves"), judged("nan", True, "non-finite", "elves", None)]
    chosen = examples("non-finite", [*wrong, *right])
    assert [one.result["data"] for one in chosen] == ["mnist", "cifar"]
    pictures = {
        f"dcgan.{data}.{name}": webp(gray)
        for data in ("mnist", "cifar") for name, gray in (("none.0.0", 255), ("nan.0.0", 0))
    }  # fmt: skip
    page = np.asarray(strip(chosen, pictures))
    assert page.shape == (320, 512, 3)
    assert page[16:80].mean() > 250 > 5 > page[96:160].mean()


def webp(gray: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (256, 32), (gray, gray, gray)).save(buffer, "WEBP")
    return buffer.getvalue()


def test_samples_of_each_part_are_kept_apart_and_stay_where_the_runs_are_gone(tmp_path: Path) -> None:
    places = tmp_path / "fitted.zip", tmp_path / "aside.zip"
    out = tmp_path / "population"
    for kind, gray in (("nan", 200), ("few-images", 100), ("range", None)):
        one = {"id": f"fast.mnist.{kind}.0.0", "program": "fast", "data": "mnist", "kind": kind}
        (out / one["id"]).mkdir(parents=True)
        (out / one["id"] / "result.json").write_text(json.dumps(one))
        if gray is not None:
            Image.new("RGB", (256, 64), (gray, gray, gray)).save(out / one["id"] / "samples.jpg")
    thumbnails.store(out, places)
    first = thumbnails.drawn(places)
    assert set(thumbnails.drawn(places[:1])) == {"fast.mnist.nan.0.0", "fast.mnist.range.0.0"}
    assert set(thumbnails.drawn(places[1:])) == {"fast.mnist.few-images.0.0"}
    assert level(first["fast.mnist.nan.0.0"]) == pytest.approx(200, abs=3)
    assert level(first["fast.mnist.range.0.0"]) == pytest.approx(128, abs=3)  # it drew none
    (out / "fast.mnist.nan.0.0" / "samples.jpg").unlink()
    thumbnails.store(out, places)
    assert thumbnails.drawn(places) == first


def level(content: bytes) -> float:
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (256, 32)
        return float(np.asarray(image).mean())


# Before the first step


def test_what_check_says_of_the_images_foresees_nothing(tmp_path: Path) -> None:
    runs = [
        {"id": str(number), "program": "fast", "data": "flags", "kind": kind}
        for number, kind in enumerate(("none", "rates-up", "rates-up", "rates-down"))
    ]
    truth = {"0": False, "1": True, "2": True, "3": True}
    kept = {"0": [["watch", "number"]], "1": [["watch", "values"]], "2": [["failing", "gradients"], ["watch", "kinds"]]}
    foreseen.write(kept, tmp_path / "kept.json")
    lines = foreseen.table(runs, truth, foreseen.read(tmp_path / "kept.json")).splitlines()  # the fourth is not kept
    assert lines[2:4] == [
        "| fitted | failing | 0.50 (0.09 to 0.91; 2) | 0.00 (0.00 to 0.79; 1) |",
        "| fitted | watch or failing | 1.00 (0.34 to 1.00; 2) | 0.00 (0.00 to 0.79; 1) |",
    ]
    assert lines[-1] == "Of 1 unchanged runs 0 have such a remark."


# Treatments


@pytest.mark.parametrize(
    ("distance", "classes", "well"),
    [
        (1.5, 1.0, True),
        (1.6, 1.0, False),
        (0.5, 0.7, False),
        (0.5, None, True),
        (None, None, False),
        (float("nan"), 1.0, False),
    ],
)
def test_healed_is_near_the_usual_distance_with_the_usual_classes(distance: Any, classes: Any, well: bool) -> None:
    assert healed({"distance": distance, "classes": classes}, (1.0, 1.0)) is well


def test_ways_are_compared_on_runs_that_all_of_them_have_had(tmp_path: Path) -> None:
    base = {"program": "dcgan", "data": "mnist", "strength": 0, "finite": True, "classes": 1.0, "failed": 50.0,
            "own_run": True}  # fmt: skip
    for kind, seed, distance in (("none", 0, 1.0), ("none", 1, 1.0), ("few-images", 0, 9.0), ("few-images", 1, 9.0)):
        run = base | {"id": f"dcgan.mnist.{kind}.0.{seed}", "kind": kind, "seed": seed, "distance": distance}
        (tmp_path / run["id"]).mkdir()
        (tmp_path / run["id"] / "result.json").write_text(json.dumps(run))
    for way in WAYS:
        place = tmp_path / "healing" / "dcgan.mnist.few-images.0.0" / way.replace(" ", "-")
        place.mkdir(parents=True)
        done = {
            "distance": 1.2 if way == "auto" else 8.0,
            "classes": 1.0,
            "spent": 0.5,
            "causes": ["c"],
            "names": ["r"],
            "remedies": ["r"],
        }
        (place / "result.json").write_text(json.dumps(done))
    store(collected(tmp_path, *sick_runs(tmp_path)), tmp_path / "healing.json")
    found = read(tmp_path / "healing.json")
    assert "| the recipe `auto` instead | 1.00 (0.21 to 1.00; 1) | 1.00 (0.21 to 1.00; 1) |" in table(found)
    assert "| nothing | 0.00 (0.00 to 0.79; 1) | 0.00 (0.00 to 0.79; 1) |" in table(found)
    assert runs(found).splitlines()[2:] == ["| dcgan.mnist.few-images.0.0 | 8.0 | 8.0 | 1.2 | 8.0 | 8.0 | 8.0 | c: r |"]
    assert by_cause(found).splitlines()[2:] == ["| c | r | 1 | 0 |"]
    assert "1 sick run of what was set aside. The first remedy healed 0, up to three healed 0" in of_code("c", found)
    assert not of_code("d", found)


def test_a_run_that_was_never_called_failing_counts_as_it_is_in_every_way() -> None:
    first = {"distance": 1.2, "classes": None, "spent": None, "causes": [], "names": [], "remedies": []}
    found = [Treated("dcgan.mnist.z-short.0.0", 1.0, None, dict.fromkeys(WAYS, first))]
    assert "| nothing | 1.00 (0.21 to 1.00; 1) | none |" in table(found)
    assert runs(found).endswith("| not treated |")
    assert len(by_cause(found).splitlines()) == 2


def test_sick_runs_are_treated_in_the_same_order_whoever_else_is_there(tmp_path: Path) -> None:
    base = {"program": "dcgan", "data": "mnist", "strength": 0, "finite": True, "classes": 1.0, "failed": 50.0,
            "own_run": True}  # fmt: skip
    for number in range(9):
        kind, seed, distance = ("none", 0, 1.0) if number == 0 else ("few-images", number, 9.0)
        run = base | {"id": f"dcgan.mnist.{kind}.0.{seed}", "kind": kind, "seed": seed, "distance": distance}
        (tmp_path / run["id"]).mkdir()
        (tmp_path / run["id"] / "result.json").write_text(json.dumps(run))
    whole = [one["id"] for one in sick_runs(tmp_path)[0]]
    assert len(whole) == 8
    shutil.rmtree(tmp_path / whole[3])
    assert [one["id"] for one in sick_runs(tmp_path)[0]] == whole[:3] + whole[4:]


# The duality gap


class Flat(nn.Module):
    """Images of one value."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, n: int) -> Tensor:
        return self.value.expand(n, 1, 2, 2)


class ByMean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.mean((1, 2, 3))


def test_the_duality_gap_is_0_where_neither_can_gain() -> None:
    images = torch.full((200, 1, 2, 2), 0.5)
    gaps = [duality_gap(Flat(at), ByMean(), lambda g, n: g(n), lambda d, x: d(x), images) for at in (0.5, 0.0, -0.5)]
    assert gaps[0] == pytest.approx(0, abs=1e-4)
    assert gaps[0] < gaps[1] < gaps[2]
    assert gaps[2] > 0.01
