"""What `--treat` decides at a failing verdict: whether the run is treated, by which remedy, and where it goes back to.

All of it is a function of the run folder and its recipes, so that a run that was cut short decides the same again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ganglion.doctor.readers.treatments import Treatment
from ganglion.doctor.run_setup import assignments, changed
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.errors import RunError
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, is_whole, saved_progress
from ganglion.runs.folder import Run
from ganglion.training.budget import Budget

__all__ = [
    "LEAST_LEFT",
    "MOST_TREATMENTS",
    "budget_left",
    "candidates",
    "check_treated",
    "failing",
    "is_for_treatment",
    "is_treated",
    "reason_to_treat",
    "remedies_for",
    "start_step",
    "treated_recipe",
]

MOST_TREATMENTS = 3
LEAST_LEFT = 0.1
"""Share of an attempt's budget that has to be left: a treatment with less would not show whether it helps."""
FOR_TREATMENT = "for a treatment"
CARRIED = ("deterministic", "precision", "cuda_graph", "tick_kimg", "snapshot_kimg", "keep_checkpoints", "stop_when_failing",
           "stop_when_done")  # fmt: skip
"""What of `training` another recipe takes over beside images, budget and seed: how the run is carried out and kept."""


def check_treated(recipe: Recipe, once: bool) -> None:
    """Raises RunError where a run is to be treated, and its processes, which another program started, take one job: `once`."""
    if once and recipe.training.treat:
        raise RunError(
            "--treat trains one attempt after the other, and processes that torchrun or srun started take only one: leave it "
            "out, or share the devices of one machine with --devices"
        )


def candidates(verdict: Verdict) -> Iterator[tuple[Finding, Remedy]]:
    """What a treatment may do, best first: changes of the recipe for what fails and for its causes, causes first."""
    causes = {finding.because_of for finding in verdict.findings if finding.severity == "failing"}
    for finding in verdict.findings:
        if finding.severity == "failing" or finding.code in causes:
            yield from ((finding, remedy) for remedy in finding.remedies if remedy.settings or remedy.recipe)


def is_treated(recipe: Recipe, verdict: Verdict, step: int, seconds: float) -> bool:
    """Whether an attempt with this verdict, so far on, is ended for another one with a remedy."""
    left = 1 - Budget.of(recipe).fraction(step, seconds)
    return recipe.training.treat and verdict.state == "failing" and left >= LEAST_LEFT and any(candidates(verdict))


def reason_to_treat(recipe: Recipe, progress: TrainingProgress, verdict: Verdict) -> str | None:
    """Why the attempt ends here, as text that is kept with its checkpoint; None while it continues."""
    if not is_treated(recipe, verdict, progress.step, progress.seconds):
        return None
    return f"{FOR_TREATMENT}: {', '.join(failing(verdict))}"


def failing(verdict: Verdict) -> list[str]:
    """Codes of the findings that fail."""
    return [finding.code for finding in verdict.findings if finding.severity == "failing"]


def is_for_treatment(progress: TrainingProgress | None) -> bool:
    """Whether an attempt ended, so that it can be treated."""
    return bool(progress and progress.stopped and progress.stopped.startswith(FOR_TREATMENT))


def remedies_for(run: Run, recipe: Recipe, verdict: Verdict) -> list[tuple[Finding, Remedy]]:
    """What can be done for an attempt that has just ended; empty where nothing can, or it ended for another reason."""
    records = run.records()
    broken = bool(records) and "non_finite" in records[-1]
    if not records or not (broken or is_for_treatment(saved_progress(run.checkpoints))):
        return []
    last = records[-1]
    return list(candidates(verdict)) if is_treated(recipe, verdict, last["step"], last["seconds"]) else []


def start_step(run: Run, remedy: Remedy, verdict: Verdict) -> int | None:
    """The step of the attempt whose weights the next one begins with; None: new ones, or those given.

    The last checkpoint with a healthy verdict from before the time at which what fails began, otherwise the weights with which
    the attempt itself began, if it took them from elsewhere.
    """
    progress = saved_progress(run.checkpoints)
    if remedy.fresh or progress is None:
        return None
    began = min(finding.since_step for finding in verdict.findings if finding.severity == "failing")
    healthy = sorted((step for step in progress.healthy_steps if step < began), reverse=True)
    return next((step for step in (*healthy, 0) if is_whole(run.checkpoints / f"{step:08d}")), None)


def treated_recipe(recipe: Recipe, remedy: Remedy) -> Recipe:
    """The attempt's recipe with the remedy; budget and start are still those of the attempt."""
    new = changed(recipe, assignments(remedy.settings), remedy.recipe) or recipe
    if not remedy.recipe:
        return new
    return resolve(new, {f"training.{key}": getattr(recipe.training, key) for key in CARRIED})


def budget_left(total: Recipe, treatments: Iterable[Treatment]) -> dict[str, Any]:
    """What the attempts have left of the run's whole budget, by the budget's key; the smallest positive one at least."""
    training, spent = total.training, list(treatments)
    if training.steps is not None:
        return {"training.steps": max(1, training.steps - sum(one.step for one in spent))}
    if training.minutes is not None:
        left = training.minutes - sum(one.seconds for one in spent) / 60
        return {"training.minutes": max(1e-6, left)}
    return {"training.kimg": max(1e-6, round((training.kimg or 0) - sum(one.kimg for one in spent), 6))}
