"""The clinic's population: every loop trains and is seen, every intervention changes something, what is set aside stays so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.doctor.findings import RULES
from ganglion.vitals.records import read_records
from population.interventions import INTERVENTIONS, change_of
from population.loops import LOOPS
from population.programs import DATA, PROGRAMS, applies, run
from population.run import Planned, intervened, plan
from population.setting import Change, Images, Setting
from population.split import ASIDE_DATA, ASIDE_KINDS, ASIDE_PROGRAMS, SetAsideError, data_of, fitted, is_aside
from population.truth import Measured, energy_distance, failed_distance, judge_of, learns, sick
from population.two_sample import discrepancy, neighbour_accuracy, pixels_of

STEPS = 8
MADE = Images(
    "made", torch.from_numpy(np.random.default_rng(0).integers(0, 256, (96, 3, 16, 16), np.uint8)), torch.arange(96) % 3
)  # fmt: skip


def ended(loop: str, change: Change, out: Path) -> Setting:
    """A loop after a few steps."""
    setting = Setting(MADE, change, 0, out, 1000.0, STEPS)
    LOOPS[loop](setting)
    return setting


def weights(setting: Setting) -> torch.Tensor:
    assert setting.players is not None
    both = (setting.players.G, setting.players.D)
    return torch.cat([p.detach().flatten() for network in both for p in network.parameters()])


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Setting]:
    return {name: ended(name, Change(), tmp_path_factory.mktemp(name)) for name in LOOPS}


@pytest.mark.parametrize("loop", LOOPS)
def test_each_loop_trains_both_players_and_is_seen(loop: str, unchanged: dict[str, Setting]) -> None:
    setting = unchanged[loop]
    assert setting.done == STEPS
    records = list(read_records(setting.out / "vitals.jsonl"))
    assert {"separation", "grad_g_first", "loss_d", "loss_g"} <= set(records[-1])
    assert setting.samples(5).shape == (5, 3, 16, 16)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_same_seed_gives_the_same_run(loop: str, unchanged: dict[str, Setting], tmp_path: Path) -> None:
    assert torch.equal(weights(ended(loop, Change(), tmp_path)), weights(unchanged[loop]))


IN_LOOPS = [
    (kind, strength)
    for kind, one in INTERVENTIONS.items()
    for strength in range(3)
    if kind != "none" and one.strengths[strength].change is not None
]


@pytest.mark.parametrize(("kind", "strength"), IN_LOOPS)
def test_no_intervention_leaves_a_loop_as_it_is(
    kind: str, strength: int, unchanged: dict[str, Setting], tmp_path: Path
) -> None:
    loops = [name for name in LOOPS if applies(PROGRAMS[name], INTERVENTIONS[kind], strength, "cifar")]
    change = change_of(kind, strength)
    assert change is not None
    if kind == "few-images":
        change = replace(change, images=(change.images or 0) // 25 + 10)  # of 96
    if kind == "nan":
        loops = [name for name in loops if name == "joined"]  # BCELoss refuses probabilities that are not numbers
    found = ended(loops[0], change, tmp_path)
    before, after = weights(unchanged[loops[0]]), weights(found)
    if before.shape != after.shape or not torch.equal(before, after):
        return
    assert kind in ("norm-momentum", "old-fakes"), "weights do not show it"
    assert not torch.equal(found.samples(20), unchanged[loops[0]].samples(20))


RECIPE_KINDS = ("d-rate-up", "few-images", "penalty", "no-norms", "d-steps")


@pytest.mark.parametrize("kind", RECIPE_KINDS)
def test_interventions_run_on_recipes(kind: str, tmp_path: Path) -> None:
    name = "dragan"
    found = run(PROGRAMS[name], MADE, kind, 1, 0, tmp_path, 1000.0, 4, 6)
    assert found.error is None
    assert found.records
    assert found.samples is not None
    assert found.samples.shape == (6, 3, 16, 16)


def test_the_codes_of_interventions_are_the_doctors() -> None:
    assert {code for one in INTERVENTIONS.values() for code in one.codes} <= set(RULES)


def test_each_kind_has_three_different_strengths() -> None:
    for kind, one in INTERVENTIONS.items():
        assert len({strength.name for strength in one.strengths}) == (1 if kind == "none" else 3)


def test_at_least_six_hundred_different_runs_are_planned_evenly() -> None:
    runs = list(plan())
    assert len({one.id for one in runs}) == len(runs) >= 600
    first = {(one.program, one.data) for one in runs[: len(runs) // 10]}
    assert first == {(program, data) for program in PROGRAMS for data in data_of(program)}
    assert {one.kind for one in runs} == set(INTERVENTIONS)


def test_programs_of_each_part_are_run_on_data_of_that_part() -> None:
    for program in PROGRAMS:
        assert {name in ASIDE_DATA for name in data_of(program)} == {program in ASIDE_PROGRAMS}


def test_so_much_is_set_aside() -> None:
    assert len(ASIDE_PROGRAMS) / len(PROGRAMS) == pytest.approx(0.4, abs=0.03)
    assert len(ASIDE_DATA) / len(DATA) == 0.5
    assert len(ASIDE_KINDS) / (len(INTERVENTIONS) - 1) == pytest.approx(1 / 3, abs=0.02)
    assert set(PROGRAMS) >= ASIDE_PROGRAMS
    assert set(DATA) >= ASIDE_DATA
    assert set(INTERVENTIONS) >= ASIDE_KINDS


@pytest.mark.parametrize(
    ("program", "data", "kind"),
    [("dcgan", "mnist", "nan"), ("tutorial", "cifar", "nan"), ("tutorial", "mnist", "border")],
)
def test_nothing_is_fitted_on_what_is_set_aside(program: str, data: str, kind: str) -> None:
    one = {"id": "x", "program": program, "data": data, "kind": kind}
    assert is_aside(program, data, kind)
    with pytest.raises(SetAsideError, match="set aside"):
        fitted([{"id": "y", "program": "tutorial", "data": "mnist", "kind": "nan"}, one])


def test_fitted_programs_get_kinds_that_were_set_aside_in_every_fourth_intervention() -> None:
    found = [intervened("tutorial", "mnist", number) for number in range(8)]
    assert [one.kind in ASIDE_KINDS for one in found if isinstance(one, Planned)] == [False, False, False, True] * 2


HEALTHY = [Measured(0.1, 1.0), Measured(0.2, 0.9), Measured(0.3, 1.0)]


@pytest.mark.parametrize(
    ("measured", "finite", "expected"),
    [
        (Measured(0.59, 0.9), True, False),
        (Measured(0.61, 1.0), True, True),
        (Measured(0.2, 0.79), True, True),
        (Measured(0.2, 1.0), False, True),
        (Measured(float("nan"), 1.0), True, True),
    ],
)
def test_what_counts_as_sick(measured: Measured, finite: bool, expected: bool) -> None:
    assert sick(measured, finite, HEALTHY, 10.0) is expected


def test_of_a_slow_program_the_limit_is_between_its_healthy_runs_and_a_failed_one() -> None:
    slow = [Measured(4.0, None)] * 3
    assert learns(slow, 9.0)
    assert not sick(Measured(5.9, None), True, slow, 9.0)
    assert sick(Measured(6.1, None), True, slow, 9.0)
    assert not learns(slow, 5.0)


@pytest.mark.usefixtures("squeezenet")
def test_a_failed_run_shows_one_image() -> None:
    pixels = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = Images("flags", pixels // 2 + 64, None)
    samples = images.pixels[torch.arange(500) % 40]
    assert judge_of(images).measure(samples).distance < 0.2 * failed_distance(images)


def test_the_energy_distance_is_that_of_its_definition() -> None:
    a, b = torch.randn(5, 3, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64) + 1
    pairs = [(a[i], a[j]) for i in range(5) for j in range(5) if i != j]
    others = [(b[i], b[j]) for i in range(7) for j in range(7) if i != j]
    across = [(x, y) for x in a for y in b]
    means = [float(np.mean([float((x - y).norm()) for x, y in some])) for some in (across, pairs, others)]
    assert energy_distance(a, b) == pytest.approx(2 * means[0] - means[1] - means[2])


def test_two_sample_tests_tell_what_is_apart_from_what_is_alike() -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 200, 3, 16, 16), generator=random, dtype=torch.uint8)
    a, b, dark = pixels_of(images[0]), pixels_of(images[1]), pixels_of(images[2] // 2)
    assert neighbour_accuracy(a, b) == pytest.approx(0.5, abs=0.1)
    assert neighbour_accuracy(dark, b) > 0.9
    assert neighbour_accuracy(b.clone(), b) == 0
    assert discrepancy(a, b) == pytest.approx(0, abs=0.005)
    assert discrepancy(dark, b) > 0.05
