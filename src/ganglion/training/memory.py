"""Before the first step: how much memory a step takes, and micro-batches where the batch does not fit.

On a CPU a step that does not fit cannot be tried, since the system ends the process. So a bound is computed from the sizes of
the networks' outputs; where that is not plainly enough, steps of a few images are run and measured, and a line through them
gives the need of a batch. On a CUDA device the whole step is run. N images in a batch, M in a micro-batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from torch import nn

from ganglion.errors import RunError, TrainingFailed
from ganglion.networks.base import has_batch_norm
from ganglion.networks.build import Cost, cost_of
from ganglion.networks.sampling import CHUNK
from ganglion.platform.memory import available_bytes, is_out_of_memory
from ganglion.recipe.resolve import update
from ganglion.recipe.schema import Recipe
from ganglion.runs.folder import Run
from ganglion.training.micro_batches import Parts
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun
from ganglion.training.replay import captures
from ganglion.training.trial_steps import TrialSteps
from ganglion.vitals.probe import PROBE_IMAGES

__all__ = [
    "MemoryPlan",
    "bound_bytes",
    "fitted",
    "least_bytes",
    "memory_errors",
    "of_each_micro_batch",
    "plan_memory",
    "with_graphs",
]

USABLE = 0.9  # of the available memory: other programs need some too
PLAINLY = 0.5  # of the available memory: where a bound is below this, nothing is measured
SCATTER = 1.35  # freed blocks do not fit together: after some steps a process holds this times what lives at once
KEPT = 0.5  # of the outputs of a network's layers, kept for the gradient, at the least
BASE_BYTES = 300 * 2**20  # compiled kernels, reference images, buffers: what a process takes whatever the networks
STATES = 8  # tensors of a weight's size: weight, gradient, two moments, average, and copies that records measure


@dataclass(frozen=True)
class MemoryPlan:
    """What was found before the first step."""

    recipe: Recipe
    """With a micro-batch that fits, where the batch does not."""
    needed: float
    """Bytes of a step with this recipe; at most so many where only a bound was computed."""
    available: int
    """Bytes that each process can take."""
    text: str
    """One line for the user; empty where nothing is known of the device's memory."""


class Needs(Protocol):
    """Bytes of a step, an evaluation and a sheet."""

    least: int
    """The smallest micro-batch."""

    def of(self, images: int) -> float:
        """In micro-batches of so many images."""


def plan_memory(prepared: PreparedRun, own: Own, devices: int = 1, nodes: int = 1) -> MemoryPlan:
    """Runs steps on copies where it is not plain that one fits. Raises RunError where not even single images fit.

    devices: on each of `nodes` machines.
    """
    recipe, device = prepared.recipe, prepared.device
    if device.type not in ("cpu", "cuda"):
        return MemoryPlan(recipe, 0, 0, "")
    available = available_bytes(device, devices)
    share = recipe.training.batch // (devices * nodes)
    costs = cost_of(recipe, own.networks)
    most, least = bound_bytes(recipe, share, *costs), least_bytes(recipe, share, *costs)
    if most < PLAINLY * available:
        text = f"a step needs less than {_gb(most)} of the {_gb(available)} available"
        return MemoryPlan(recipe, most, available, text)
    trials = TrialSteps(prepared, own, share, most / share, SCATTER)
    if not captures(recipe, device, devices * nodes, own):
        return fitted(recipe, share, available, trials, least)
    return with_graphs(recipe, share, available, trials, least)


def with_graphs(recipe: Recipe, share: int, available: int, needs: Needs, least: float = 0) -> MemoryPlan:
    """The same where steps are captured as CUDA graphs, which keep as much memory as a step takes beside it.

    Where a batch fits only without them, the recipe has none.
    """
    plain = fitted(recipe, share, available, needs, least)
    if plain.needed * 2 <= USABLE * available:
        return plain
    text = f"{plain.text}; without CUDA graphs (training.cuda_graph), which take as much again"
    without = replace(plain, recipe=update(plain.recipe, training__cuda_graph="off"), text=text)
    if plain.recipe.training.micro_batch == recipe.training.micro_batch:
        return without
    with suppress(RunError):
        return fitted(recipe, share, available // 2, needs, least)
    return without


def bound_bytes(recipe: Recipe, images: int, g: Cost, d: Cost) -> float:
    """More than a step of so many images takes: the outputs of all layers in each pass, as if none were freed."""
    on_gradient = sum(penalty.on_gradient for penalty in recipe.objective.penalties)
    step = (g.outputs + d.outputs * (2 + 4 * on_gradient)) * images  # a penalty: two passes, and the gradient of each
    look = max(CHUNK, PROBE_IMAGES) * max(g.outputs, d.outputs)
    return BASE_BYTES + 4 * STATES * (g.parameters + d.parameters) + SCATTER * max(step, look)


def least_bytes(recipe: Recipe, images: int, g: Cost, d: Cost) -> float:
    """Less than a step of so many images in one piece takes: what is kept for the gradient of one pass of each kind."""
    kept = KEPT * (0.5 if recipe.training.precision == "bf16" else 1)
    on_gradient = sum(penalty.on_gradient for penalty in recipe.objective.penalties)
    return kept * (g.outputs + (2 + on_gradient) * d.outputs) * images


def fitted(recipe: Recipe, share: int, available: int, needs: Needs, least: float = 0) -> MemoryPlan:
    """The recipe with the largest micro-batch that fits. `share`: the images of a batch in one process.

    `least`: bytes that the batch in one piece takes at the least, so that what cannot fit need not be measured.
    """
    asked, room = recipe.training.micro_batch, USABLE * available
    first = min(asked or share, share)
    hopeless = first == share and least > available
    needed = least if hopeless else needs.of(first)
    step = "a step" if first == share else f"a step in micro-batches of {first}"
    if needed <= room:
        return MemoryPlan(recipe, needed, available, f"{step} needs {_gb(needed)} of the {_gb(available)} available")
    amount = "more" if needed == float("inf") else f"more than {_gb(needed)}" if hopeless else _gb(needed)
    told = f"{step} needs {amount}, and {_gb(available)} are available"
    smaller = _largest_fitting(share, first, room, needs)
    if asked is not None:
        way = f"; --set training.micro_batch={smaller} would need {_gb(needs.of(smaller))}" if smaller else ""
        return MemoryPlan(recipe, needed, available, told + way)
    if smaller is None:
        raise RunError(
            f"{told}, nor do micro-batches of {needs.least} fit: choose a smaller --size or smaller networks (--set "
            "generator.width=... --set discriminator.width=...)"
        )
    needed = needs.of(smaller)
    text = f"{told}: it is computed in micro-batches of {smaller} (training.micro_batch), which need {_gb(needed)}"
    return MemoryPlan(update(recipe, training__micro_batch=smaller), needed, available, text)


def _largest_fitting(share: int, below: int, room: float, needs: Needs) -> int | None:
    """The largest size that fits; a smaller one that divides the batch where that costs less than half of the size."""
    sizes = dict.fromkeys(max(Parts(share, -(-share // count)).sizes) for count in range(1, share + 1))
    largest = next((size for size in sizes if needs.least <= size < below and needs.of(size) <= room), None)
    if largest is None:
        return None
    even = (size for size in sizes if needs.least <= size <= largest < 2 * size and share % size == 0)
    return next(even, largest)


def of_each_micro_batch(recipe: Recipe, devices: int, networks: tuple[nn.Module, nn.Module]) -> list[str]:
    """What is computed of each micro-batch alone, though it compares the images of a batch; empty without micro-batches."""
    parts = Parts(recipe.training.batch // devices, recipe.training.micro_batch)
    if len(parts.slices) == 1:
        return []
    minibatch = getattr(recipe.discriminator, "minibatch", "none")
    in_groups = minibatch == "stddev" and all(size % 4 == 0 for size in parts.sizes)
    own = "custom" in (recipe.generator.family, recipe.discriminator.family)
    found = {
        **{f"batch norm of {name}": has_batch_norm(network) for name, network in zip("GD", networks, strict=True)},
        f"discriminator.minibatch {minibatch}": minibatch != "none" and not in_groups,
        "whatever else your networks compute across the images of a batch": own,
    }
    return [name for name, there in found.items() if there]


@contextmanager
def memory_errors(recipe: Recipe, run: Run, devices: int = 1) -> Iterator[None]:
    """Raises TrainingFailed, which says what to set, where memory runs out. What was saved before is intact."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        now = min(recipe.training.batch // devices, recipe.training.micro_batch or recipe.training.batch)
        way = (
            f"--set training.micro_batch={now // 2}"
            if now > 1
            else "a smaller --size, or a smaller --batch, and --fresh"
        )
        steps = run.steps_saved()
        saved = f"resumes from step {steps[-1]:,}, which is saved" if steps else "begins again"
        failure = TrainingFailed(
            f"memory ran out with {now} images at once in the networks; the same command with {way} {saved}"
        )
        failure.alone = True
        raise failure from error


def _gb(size: float) -> str:
    """0.3 GiB, 22 GiB."""
    gb = size / 2**30
    return f"{gb:,.0f} GiB" if gb >= 9.95 else f"{gb:.1f} GiB"
