"""Runs training steps as CUDA graphs: each kind of step is captured once and replayed from then on, in one launch.

The step itself is the loop's; nothing here knows what it computes. Capturing (Graves et al., "Accelerating PyTorch with CUDA
Graphs", 2021) records kernels with the addresses of their tensors, so a step must keep what it hands on in tensors that it
writes in place, must not read values of tensors on the host, and must take all numbers that change from tensors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import torch

from ganglion.recipe.schema import Recipe
from ganglion.training.draws import Draws
from ganglion.training.own import Own
from ganglion.training.steps import StepInputs, StepNumbers, StepPlan, StepResult
from ganglion.vitals.scalars import copied

__all__ = ["Capture", "Replay", "Step", "captures", "cuda_capture", "replay_for"]

Step = Callable[[StepPlan, StepInputs, StepNumbers, torch.Generator], StepResult]
"""A training step, with the generator that it draws from."""

Capture = Callable[[Callable[[], StepResult], torch.Generator], tuple[Callable[[], None], StepResult]]
"""Records a step that draws from this generator, without running it: a function that runs it, and the tensors of its result."""

WARM_UP = 2
"""Steps of a kind that run as they are before it is captured: they choose algorithms and allocate what is kept."""
MOST_KINDS = 32
"""Kinds of steps that are captured; of a recipe with more, the others run as they are."""


class Replay:
    """Calls steps, by replay where it can. With `capture` None each step simply runs."""

    def __init__(
        self, capture: Capture | None, say: Callable[[str], None] = lambda text: None, from_tensors: bool = False
    ) -> None:
        self._capture, self._say = capture, say
        self.from_tensors = from_tensors or capture is not None
        """Whether steps are to get their numbers as tensors, on any device."""
        self._inputs: dict[int, StepInputs] = {}  # by the halvings of their images
        self._captured: dict[StepPlan, tuple[Callable[[], None], StepResult]] = {}
        self._ran: Counter[StepPlan] = Counter()
        self.replayed = 0
        """Steps that were replayed so far."""

    def __call__(
        self, step: Step, plan: StepPlan, given: StepInputs, now: StepNumbers, draws: Draws, number: int
    ) -> StepResult:
        """Runs one step, whose random numbers are those of step `number`."""
        random = draws.step(number)
        if self._capture is None or not (plan in self._captured or self._is_due(plan)):
            return step(plan, given, now, random)
        if plan.halvings not in self._inputs:
            self._inputs[plan.halvings] = given.copied()
        inputs = self._inputs[plan.halvings]
        inputs.fill(given)
        if plan not in self._captured:
            try:
                self._captured[plan] = self._capture(partial(step, plan, inputs, now, random), random)
            except RuntimeError as error:
                self._give_up(error)
                draws.renew()
                return step(plan, given, now, draws.step(number))
        replay, result = self._captured[plan]
        replay()
        self.replayed += 1
        return result._replace(measured=copied(result.measured))

    def _is_due(self, plan: StepPlan) -> bool:
        """Whether a step of this kind is to be captured now. Counts the steps that are not."""
        if self._ran[plan] == WARM_UP and len(self._captured) < MOST_KINDS:
            return True
        self._ran[plan] += 1
        return False

    def _give_up(self, error: RuntimeError) -> None:
        self._capture = None
        self._captured.clear()
        reason = " ".join(str(error).split())[:200]
        self._say(f"Steps run without CUDA graphs, since capturing one failed ({type(error).__name__}: {reason})")


def replay_for(
    recipe: Recipe, device: torch.device, processes: int, own: Own, say: Callable[[str], None] = lambda text: None,
    capture: Callable[[], Capture] | None = None,
) -> Replay:  # fmt: skip
    """By `training.cuda_graph`, on a CUDA device. Left to itself, it captures neither code that Ganglion does not know, since
    a graph would repeat what that computed on the host in the step that was captured, nor messages between processes.
    """
    return Replay((capture or cuda_capture)() if captures(recipe, device, processes, own) else None, say)


def captures(recipe: Recipe, device: torch.device, processes: int, own: Own) -> bool:
    """Whether `replay_for` captures steps."""
    wanted = recipe.training.cuda_graph
    known = processes == 1 and own.networks is None and own.adversarial is None
    return device.type == "cuda" and (wanted == "on" or (wanted == "auto" and known))


def cuda_capture() -> Capture:
    """Captures as CUDA graphs that share their memory: only one of them runs at a time, and none needs what another left."""
    pool = torch.cuda.graph_pool_handle()

    def capture(step: Callable[[], StepResult], random: torch.Generator) -> tuple[Callable[[], None], StepResult]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(
            random.graphsafe_get_state()
        )  # the same state, in a class that CUDAGraph accepts
        stream = torch.cuda.current_stream()  # that of the whole training, so that no gradient waits for another one
        with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            result = step()
        return graph.replay, result

    return capture
