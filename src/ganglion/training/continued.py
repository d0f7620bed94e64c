"""Whether a run can go on with what its command asks for now, and the recipe with which it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganglion.errors import RunError
from ganglion.recipe.resolve import BUDGETS, flatten, resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.attempts import first_attempt
from ganglion.runs.folder import Run, difference
from ganglion.training.budget import can_be_extended
from ganglion.training.prepare import PreparedRun

__all__ = ["HARMLESS", "continued"]

HARMLESS = frozenset({
    "data.shown_channels", "training.micro_batch", "training.stop_when_failing", "training.stop_when_done", "training.treat",
    "training.deterministic", "training.cuda_graph",
})  # fmt: skip
"""Keys of which a run may have another value from now on."""


def continued(folder: Path, prepared: PreparedRun, say: Callable[[str], None]) -> Recipe:
    """The recipe to go on with. Raises RunError where the run in `folder`, its first attempt, was made with another."""
    run = Run(first_attempt(folder))
    wanted, settled = prepared.wanted, prepared.recipe
    if not run.exists:
        return settled
    before = run.recipe
    settled = _as_begun(settled, before, prepared.left_to_auto, say)
    if wanted.training.precision == "auto":  # this machine may know better; the run stays as it is
        settled = update(settled, training__precision=before.training.precision)
    if wanted.training.micro_batch is None:  # what was chosen when the run began
        settled = update(settled, training__micro_batch=before.training.micro_batch)
    changed = difference(before, settled)
    may_change = HARMLESS | (frozenset(BUDGETS) if can_be_extended(before) else frozenset())
    if not {line.partition(":")[0] for line in changed} <= may_change:
        raise RunError(
            f"{folder} was made with another recipe:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nEither start over with --fresh (the old run is set aside), or name another folder with --run"
        )
    if changed:
        say("Changed: " + "; ".join(changed))
    return settled


def _as_begun(settled: Recipe, before: Recipe, keys: frozenset[str], say: Callable[[str], None]) -> Recipe:
    """`settled` with the values of `before` for these keys, which `auto` chooses by the machine."""
    then, now = flatten(before), flatten(settled)
    kept = {key: then[key] for key in sorted(keys & then.keys() & now.keys()) if then[key] != now[key]}
    said = "; ".join(f"{key} {value}" for key, value in kept.items() if value is not None)
    if said:
        say(f"auto: {said} instead, as when the run began")
    return resolve(settled, kept)
