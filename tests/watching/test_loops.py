"""Every loop of the collection, alone and watched from the same seeds: the same bits, exact numbers, nothing false."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

import ganglion
from ganglion.vitals.scalars import separation
from watch_loops import LOOPS as PLAIN
from watch_loops import Truth
from watch_loops_data import DATA
from watch_loops_networks import NETWORKS
from watch_loops_steps import STEPS as STEPPING
from watching_runs import equal, run

LOOPS: dict[str, Callable[..., Truth]] = {**PLAIN, **NETWORKS, **STEPPING, **DATA}
STEPS = 12

G_FIRST = {"together", "replay", "cycle"}
"""D's scores belong to the step of G that follows."""
LATE = {"forward_itself": 2, "augmented": 4}
"""The step from which scores are seen at the latest; in other loops from the first step with reals."""
LOWERED = {"energy", "low_on_reals"}
"""D's loss lowers its scores on reals."""
WITHOUT_AUC = {"batch_mean"}
IMAGES = {
    "wgan_gp": 40, "short_batches": 40 / 3, "in_one_batch": 24, "one_by_one": 1, "conditional_translation": 2, "cycle": 2,
    "points": 64, "numbers": 32, "tabular": 32, "packed": 32, "several_turns": 8, "mixed_precision": 8,
}  # fmt: skip
"""Real images for each step of G, where they are not 16."""


class Watched(NamedTuple):
    truth: Truth
    alone: list[Any]
    left: list[Any]
    monitor: ganglion.Monitor
    said: list[str]


@cache
def watched(name: str) -> Watched:
    _, alone = run(LOOPS[name], lambda *_: None, STEPS)
    monitors: list[ganglion.Monitor] = []
    said: list[str] = []
    truth, left = run(LOOPS[name], lambda *p: monitors.append(ganglion.watch(*p, every=1, say=said.append)), STEPS)  # fmt: skip
    monitors[0].verdict()
    monitors[0].close()
    return Watched(truth, alone, left, monitors[0], said)


COMPILING = "ignore:The .grad attribute of a Tensor that is not a leaf"  # PyTorch's compiler itself looks at it
pytestmark = pytest.mark.filterwarnings(COMPILING, "ignore::DeprecationWarning:torch._dynamo")


def test_there_are_at_least_forty_styles() -> None:
    assert len(LOOPS) >= 55


@pytest.mark.parametrize("name", LOOPS)
def test_a_training_ends_with_the_same_bits_with_and_without_watching(name: str) -> None:
    seen = watched(name)
    assert equal(seen.alone, seen.left)
    assert seen.monitor.error is None


@pytest.mark.parametrize("name", LOOPS)
def test_scores_in_records_are_those_that_the_loop_had(name: str) -> None:
    seen = watched(name)
    records = {record["step"]: record for record in seen.monitor.records}
    way = -1 if name in LOWERED else 1
    checked = 0
    for step, (real, fake) in enumerate(
        zip(seen.truth.real, seen.truth.fake, strict=True), start=1 + (name in G_FIRST)
    ):
        record = records.get(step, {})
        if not len(real) or (step < LATE.get(name, 1) and "separation" not in record) or step > seen.monitor.step:
            continue
        checked += 1
        if name not in WITHOUT_AUC:
            assert record["separation"] == pytest.approx(
                float(separation(way * real.float(), way * fake.float())), abs=1e-3
            )
        if name not in ("features_only", "mixed_precision"):
            assert record["logit_real"] == pytest.approx(float(real.mean()), rel=2e-3, abs=2e-4)
            assert record["logit_fake"] == pytest.approx(float(fake.mean()), rel=2e-3, abs=2e-4)
    assert checked >= 5 or name in ("fake_as_a_class", "several_turns")
    assert any("separation" in record for record in records.values()) or name in WITHOUT_AUC


@pytest.mark.parametrize("name", LOOPS)
def test_steps_and_images_are_counted(name: str) -> None:
    monitor = watched(name).monitor
    steps = monitor.step - (name in G_FIRST)
    assert monitor.step == (24 if name == "mixed_precision" else STEPS)
    expected = IMAGES.get(name, 16) * steps
    if name == "several_turns":
        expected = 16 * 5  # D's last step comes after G's
    assert monitor.records[-1]["kimg"] == pytest.approx(expected / 1000)
    kimg = [record["kimg"] for record in monitor.records]
    assert kimg == sorted(kimg)


@pytest.mark.parametrize("name", LOOPS)
def test_samples_are_seen_and_the_direction_of_each_loss(name: str) -> None:
    records = watched(name).monitor.records
    last = records[-1] | records[-2] | records[-1]
    assert {"diversity", "duplicates", "swd", "swd_floor", "grad_g", "grad_d"} <= last.keys()
    first = next(record for record in records if "pull_d_real" in record)  # least squares may overshoot later
    assert first["pull_d_real"] > 0
    assert first["pull_d_fake"] < 0 or name == "cycle"  # least squares: scores on fakes start below 0
    assert next(record["pull_g_fake"] for record in records if "pull_g_fake" in record) > 0


@pytest.mark.parametrize("name", LOOPS)
def test_what_is_seen_is_said_at_the_first_record_and_nothing_false(name: str) -> None:
    seen = watched(name)
    assert seen.said[0].startswith("ganglion.watch, step 1, sees ")
    assert "\n" not in seen.said[0]
    verdict = seen.monitor.verdict()
    assert "range-mismatch" not in [finding.code for finding in verdict.findings]
    assert "optimizer-crosstalk" not in [finding.code for finding in verdict.findings]
    for mistake in ("unzeroed_g", "unzeroed_d", "eval_mode_g", "eval_mode_d"):
        assert not any(record.get(mistake) for record in seen.monitor.records)
    assert verdict.state == "unknown"  # far too few images for anything else


def test_what_cannot_be_seen_is_named() -> None:
    named = {name: " ".join(watched(name).monitor.verdict().unseen) for name in LOOPS}
    assert "G is not called itself but by its parts" in named["by_parts"]
    assert "cannot be put back" in named["iterator_inside"]
    assert "one number for a batch" in named["batch_mean"]
    assert "samples at fixed latents" not in named["in_a_list"] + named["list_of_latents"] + named["growing"]
