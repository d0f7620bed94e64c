"""Whether a run can go on with what its command asks for now, and the recipe with which it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ganglion.data.store import Store, find_packed
from ganglion.errors import DataError, RunError
from ganglion.recipe.resolve import BUDGETS, flatten, resolve, update
from ganglion.recipe.schema import Data, Recipe
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
OF_IMAGES = frozenset({
    "data.content", "data.classes", "data.class_counts", "data.conditions", "data.held_out_images",
})  # fmt: skip
"""Keys that follow from the images."""


def continued(folder: Path, prepared: PreparedRun, cache: Path, say: Callable[[str], None]) -> Recipe:
    """The recipe to go on with. Raises RunError where the run in `folder`, its first attempt, was made with another, or of
    other images. `cache` is where those may still be packed.
    """
    run = Run(first_attempt(folder))
    wanted, settled = prepared.wanted, prepared.recipe
    if not run.exists:
        return settled
    before = run.recipe
    settled, kept = _as_begun(settled, before, prepared.left_to_auto)
    if wanted.training.precision == "auto":  # this machine may know better; the run stays as it is
        settled = update(settled, training__precision=before.training.precision)
    if wanted.training.micro_batch is None:  # what was chosen when the run began
        settled = update(settled, training__micro_batch=before.training.micro_batch)
    changed = difference(before, settled)
    may_change = HARMLESS | (frozenset(BUDGETS) if can_be_extended(before) else frozenset())
    refused = [line for line in changed if line.partition(":")[0] not in may_change]
    if before.data.content != settled.data.content:
        raise RunError(_other_images(folder, run, before.data, prepared, refused, cache))
    if refused:
        raise RunError(
            f"{folder} was made with another recipe:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nEither start over with --fresh (the old run is set aside), or name another folder with --run"
        )
    if kept:
        say(f"auto: as the run began, {kept}")
    if changed:
        say("Changed: " + "; ".join(changed))
    return settled


def _as_begun(settled: Recipe, before: Recipe, keys: frozenset[str]) -> tuple[Recipe, str]:
    """`settled` with the values of `before` for these keys, which `auto` chooses by the machine; and what that changed."""
    then, now = flatten(before), flatten(settled)
    kept = {key: then[key] for key in sorted(keys & then.keys() & now.keys()) if then[key] != now[key]}
    return resolve(settled, kept), ", ".join(f"{key} {value:g}" for key, value in kept.items() if value is not None)


def _other_images(
    folder: Path, run: Run, before: Data, prepared: PreparedRun, refused: Sequence[str], cache: Path
) -> str:
    """That these are not the images of the run, how many there were and are, and the ways on."""
    packed, now, images = _still_packed(before, cache), prepared.recipe.data, len(prepared.store.images)
    same = packed and packed.images_content and packed.images_content == prepared.store.images_content
    count = run.environment().get("images") or (len(packed.images) if packed else None)
    then = "an unknown number" if count is None else f"{count:,}"
    if same:
        told = (
            f"the labels of {_where(now)} have changed since the run in {folder} began, of the same {images:,} images"
        )
    elif _where(before) == _where(now):
        told = (
            f"the images of {_where(now)} have changed since the run in {folder} began: {then} then, {images:,} now "
            "(a file or label that was added, deleted, renamed or edited counts as a change)"
        )
    else:
        told = (
            f"the run in {folder} began with other images: {then} from {_where(before)} then, "
            f"{images:,} from {_where(now)} now"
        )
    lines = [
        f"{told}. Choose one:",
        f"  --from {folder} --run NEW: a new run goes on from its weights, on the images as they are now",
        "  --fresh: the run starts over on the images as they are now, and the old run is set aside",
        f"  {packed.path} as SOURCE and --run {folder}: the run resumes on the images that it began with, as packed"
        if packed
        else "  the images that it began with are no longer in the cache; with them back in place it resumes",
    ]
    others = [f"  {line}" for line in refused if line.partition(":")[0] not in OF_IMAGES]
    return "\n".join([*lines, *(["The recipe differs too:", *others] if others else [])])


def _still_packed(data: Data, cache: Path) -> Store | None:
    with suppress(DataError):  # a store that is damaged
        return find_packed(data, cache)
    return None


def _where(data: Data) -> str:
    return f"{data.source} (--data-dir {data.data_dir})" if data.data_dir else str(data.source)
