"""What is decided at a failing verdict: whether, by what, from where, with how much left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.doctor.readers.treatments import Treatment
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.errors import RunError
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training import treatment
from ganglion.training.treatment import (
    budget_left,
    candidates,
    check_treated,
    is_for_treatment,
    is_treated,
    reason_to_treat,
    start_step,
    treated_recipe,
)

SLOWER = Remedy("slower", "Lower it", {"optimizer.generator.lr": 1e-5}, "ganglion train x")
LOOK = Remedy("look", "Look at the samples", command="ganglion evaluate x")
OTHER = Remedy("another-recipe", "Take another", recipe="r3gan", fresh=True)


def found(code: str, severity: Any = "failing", remedies: list[Remedy] | None = None, **more: Any) -> Finding:
    return Finding(code, severity, more.pop("since", 300), [], "why", remedies or [], **more)


def failing(*findings: Finding) -> Verdict:
    return Verdict("failing", list(findings), 400)


def asked(**settings: Any) -> Recipe:
    return resolve(
        "dcgan", {"training.treat": True, **{key.replace("__", "."): value for key, value in settings.items()}}
    )


def spent(**numbers: Any) -> Treatment:
    known = {"number": 1, "step": 0, "kimg": 0.0, "seconds": 0.0} | numbers
    rest = {"findings": [], "settings": {}, "recipe": {}, "start": None, "threads": None}
    texts = dict.fromkeys(("cause", "remedy", "what", "other_recipe", "left"), "")
    return Treatment(**known, **rest, **texts)


def test_remedies_are_changes_of_the_recipe_for_what_fails_and_its_causes() -> None:
    verdict = failing(
        found("generator-wins", "watch", [SLOWER]), found("mode-collapse", remedies=[LOOK, OTHER], because_of="generator-wins"),
        found("checkerboard", "watch", [OTHER]),
    )  # fmt: skip
    assert [(one.code, remedy.name) for one, remedy in candidates(verdict)] == [
        ("generator-wins", "slower"), ("mode-collapse", "another-recipe"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "verdict", "step", "treated"),
    [
        (asked(training__steps=1000), failing(found("x", remedies=[SLOWER])), 400, True),
        (asked(training__steps=1000), failing(found("x", remedies=[SLOWER])), 950, False),  # too little is left
        (asked(training__steps=1000, training__treat=False), failing(found("x", remedies=[SLOWER])), 400, False),
        (asked(training__steps=1000), Verdict("watch", [found("x", "watch", [SLOWER])]), 400, False),
        (asked(training__steps=1000), failing(found("x", remedies=[LOOK])), 400, False),
        (asked(training__steps=1000), failing(found("x")), 400, False),
    ],
)
def test_an_attempt_is_treated_where_it_fails_a_remedy_fits_and_enough_is_left(
    recipe: Recipe, verdict: Verdict, step: int, treated: bool
) -> None:
    assert is_treated(recipe, verdict, step, 10.0) is treated
    progress = TrainingProgress(step, stopped=reason_to_treat(recipe, TrainingProgress(step), verdict))
    assert is_for_treatment(progress) is treated


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ganglion.Run:
    """With checkpoints of steps 0 to 300, healthy ones among them; only whether they are there matters here."""
    monkeypatch.setattr(treatment, "is_whole", Path.is_dir)
    for step in (0, 100, 200, 300):
        (tmp_path / "checkpoints" / f"{step:08d}").mkdir(parents=True)
    progress = TrainingProgress(300, healthy_steps=(100, 200))
    monkeypatch.setattr(treatment, "saved_progress", lambda folder: progress)
    return ganglion.Run(tmp_path)


@pytest.mark.parametrize(
    ("since", "remedy", "start"),
    [
        (300, SLOWER, 200),
        (150, SLOWER, 100),  # what fails had begun at step 200, though nothing showed yet
        (100, SLOWER, 0),  # no healthy one from before: the weights that the attempt began with
        (300, OTHER, None),  # weights are of no use
    ],
)
def test_the_next_attempt_begins_with_the_last_healthy_weights_from_before_what_fails(
    run: ganglion.Run, since: int, remedy: Remedy, start: int | None
) -> None:
    assert start_step(run, remedy, failing(found("x", since=since), found("y", since=350))) == start


def test_a_healthy_checkpoint_that_cannot_be_read_is_not_gone_back_to(run: ganglion.Run) -> None:
    for step in (0, 200):
        (run.checkpoints / f"{step:08d}").rmdir()
    assert start_step(run, SLOWER, failing(found("x", since=300))) == 100
    (run.checkpoints / "00000100").rmdir()
    assert start_step(run, SLOWER, failing(found("x", since=300))) is None


@pytest.mark.parametrize(
    ("budget", "left"),
    [
        ({"training.steps": 1000}, {"training.steps": 650}),
        ({"training.kimg": 50}, {"training.kimg": 32.6}),
        ({"training.minutes": 10}, {"training.minutes": 8.5}),
    ],
)
def test_what_the_attempts_have_spent_counts(budget: dict[str, object], left: dict[str, object]) -> None:
    before = [spent(step=300, kimg=15.0, seconds=60.0), spent(number=2, step=50, kimg=2.4, seconds=30.0)]
    assert budget_left(resolve("dcgan", budget), before) == left


def test_a_budget_that_is_spent_leaves_the_smallest_there_is() -> None:
    assert budget_left(resolve("dcgan", {"training.steps": 100}), [spent(step=300)]) == {"training.steps": 1}


def test_a_remedy_changes_what_it_says_and_another_recipe_keeps_how_the_run_is_carried_out() -> None:
    recipe = asked(training__steps=1000, training__precision="32", training__deterministic=True, training__seed=7)
    assert treated_recipe(recipe, SLOWER).optimizer.generator.lr == 1e-5
    other = treated_recipe(recipe, OTHER)
    assert (other.name, other.training.seed, other.training.steps) == ("r3gan", 7, 1000)
    assert (other.training.precision, other.training.deterministic) == ("32", True)


def test_processes_that_take_one_job_only_are_refused_in_one_sentence() -> None:
    with pytest.raises(RunError, match=r"--treat trains one attempt after the other, .* --devices$"):
        check_treated(asked(training__steps=10), once=True)
    check_treated(asked(training__steps=10), once=False)
    check_treated(asked(training__steps=10, training__treat=False), once=True)
