"""`ganglion.watch`: two lines around any training loop. It measures through hooks, without side effects.

An update of G counts as a step. Most steps cost a few comparisons; at a few steps per record the monitor measures inputs and
outputs of the networks, gradients and updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.doctor.verdict import Verdict
from ganglion.runs.events import Outcome
from ganglion.trackers.names import asked_trackers
from ganglion.vitals.records import Record
from ganglion.vitals.step_stats import CLOSE_LOOKS
from ganglion.watching.account import Account
from ganglion.watching.at_exit import AtExit
from ganglion.watching.budget import Budget
from ganglion.watching.foreign import callable_parts, inner_network, inner_optimizer, is_compiled
from ganglion.watching.forward import called_through
from ganglion.watching.hooks import ForwardHook, OptimizerHooks, in_ordinary_python
from ganglion.watching.optimizers import Optimizers
from ganglion.watching.records import Records
from ganglion.watching.steps import Steps

__all__ = ["Monitor", "watch"]


DEFAULT_EVERY = 50
MOST_STEPS_WITHOUT_D = 64
FIRST_STEPS = 100
"""Steps in which every batch of G is remembered, to learn whether D is shown old ones."""


def watch(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer_g: Any,
    optimizer_d: Any,
    *,
    every: int = DEFAULT_EVERY,
    out: str | Path | None = None,
    say: Callable[[str], None] | None = None,
    log: str | Iterable[str] | None = None,
) -> Monitor:
    """Watches a training loop until `close()` or the end of a `with` block. Call it before the loop; the loop is unchanged.

    A record is made and diagnosed at the first step and at every `every`-th update of G. `out` is a folder for
    `vitals.jsonl`, `findings.jsonl`, TensorBoard files and samples, which `ganglion diagnose` and `ganglion report` read;
    without it nothing is written. `say` is called with what is seen, at the first record, and with a paragraph when a finding
    is raised or cleared (default: print on standard error). `log` names trackers that are given the records too: wandb, mlflow,
    trackio (docs/track.md).

    The training is not changed: weights with and without it are bit-identical. What cannot be measured is listed in
    `monitor.verdict().unseen`. An error in a measurement ends that measurement and does not stop the training.
    """
    if every < 1:
        raise ValueError(f"every must be a number of steps of at least 1; got {every}")
    folder, trackers = None if out is None else Path(out), asked_trackers(log)
    return Monitor(generator, discriminator, optimizer_g, optimizer_d, every, folder, say, trackers)


class Monitor:
    """The result of `ganglion.watch`."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, optimizer_g: Any, optimizer_d: Any, every: int,
        out: Path | None, say: Callable[[str], None] | None, trackers: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.every, self.closed = every, False
        self._outer = {"g": generator, "d": discriminator}
        networks = {player: inner_network(network) for player, network in self._outer.items()}
        on_cpu = all(p.device.type == "cpu" for network in networks.values() for p in network.parameters())
        self._account, self._budget = Account(say), Budget() if on_cpu else Budget.of_wall_time()
        self._optimizers = Optimizers(networks, inner_optimizer(optimizer_g), inner_optimizer(optimizer_d))
        self._steps = Steps(networks["g"], networks["d"], self._account)
        self._records = Records(out, self._steps, self._optimizers, self._account, trackers)
        self._called, self._inside = set[str](), set[str]()
        self._muted = self._d_moved = False
        self._patience = self._start = 0
        self._plan_next_step()
        self._hooks = [
            hook for player, network in self._outer.items() for hook in self._hooks_on(player, callable_parts(network))
        ]
        self._optimizer_hooks = OptimizerHooks(self)
        self._at_exit = AtExit(self)

    # Public

    @property
    def step(self) -> int:
        """Updates of G so far."""
        return self._account.step

    @property
    def records(self) -> list[Record]:
        """All records, oldest first, as in `vitals.jsonl`."""
        return self._records.made

    @property
    def error(self) -> Exception | None:
        """The first error of a measurement; None where there was none."""
        return self._account.error

    def log(self, **values: float | Tensor) -> None:
        """Adds your own numbers to the next record, such as losses: `monitor.log(loss_d=..., loss_g=...)`."""
        for name, value in values.items():
            self._account.run(f"your number {name}", self._records.log, name, value)

    def real(self, images: Any) -> Any:
        """Marks a batch as real, as D is given it, and returns it."""
        self._account.run("monitor.real", self._steps.tell, "real", images)
        return images

    def fake(self, images: Any) -> Any:
        """Marks a batch as G's, as D is given it, and returns it."""
        self._account.run("monitor.fake", self._steps.tell, "fake", images)
        return images

    def latents(self, latents: Any) -> Any:
        """Marks a tensor as the latent, as G is given it, and returns it."""
        self._account.run("monitor.latents", self._steps.tell_latents, latents)
        return latents

    def verdict(self) -> Verdict:
        """The doctor's verdict on the training so far. Also checks whether all weights are finite now."""
        if not self.closed:
            self._muted = True
            self._account.run("weights that are not finite", self._records.add_non_finite)
            self._muted = False
        return self._records.verdict(self.every)

    def state_dict(self) -> dict[str, Any]:
        """Step, number of images and records, as plain values, for a checkpoint of your training."""
        return {"step": self.step, "images": self._steps.count.images, "records": self._records.plain()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on with the records of `state_dict`, of a training that goes on from that checkpoint. Raises ValueError.

        Files in `out` go on, too: what they hold after the checkpoint is removed.
        """
        try:
            step, images, records = int(state["step"]), int(state["images"]), [dict(one) for one in state["records"]]
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                "load_state_dict takes what state_dict of a Monitor returned: step, images, records"
            ) from None
        self._account.step = self._start = step
        self._steps.count.images, self._steps.passes.first = images, None
        self._records.go_on(records, step)
        self._plan_next_step()

    def close(self, outcome: Outcome = "finished") -> None:
        """Ends the watching, with a look whether all weights are finite, and removes all hooks. Trackers are told `outcome`."""
        if self.closed:
            return
        try:
            self.verdict()  # looks at the weights
        finally:
            self._at_exit.cancel()
            self.closed = True
            while self._hooks:
                self._hooks.pop().remove()
            self._optimizer_hooks.remove()
            self._steps.remove_hooks()
            self._steps.passes.forget()
            self._account.run("files", self._records.close, outcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("finished" if kind is None else "failed")

    # Forward passes

    def _hooks_on(self, player: str, modules: list[nn.Module], part: bool = False) -> list[ForwardHook]:
        """Hooks on modules, and on what is inside their wrappers, for loops that call that."""
        outer, inner = self._outer[player], inner_network(self._outer[player])
        names = {id(module): name for name, module in inner.named_modules()}

        def seen(module: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
            if self.closed or self._muted or not in_ordinary_python():
                return
            if (part or module is not outer) and not isinstance(outer, CONTAINERS) and called_through(outer):
                return
            what, name = f"forward passes of {player.upper()}", names.get(id(module), "")
            self._account.run(what, self._seen, player, name, arguments, named, output, part)

        disabled = cast(Any, torch.compiler.disable)(seen)
        found = [ForwardHook(module, disabled) for module in modules]
        if inner is not outer and not part and not is_compiled(outer):
            found.append(ForwardHook(inner, disabled))
        return found

    def _seen(
        self, player: str, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any, part: bool
    ) -> None:
        steps, passes = self._steps, self._steps.passes
        self._called.add(player)
        if not part and torch.is_grad_enabled():
            steps.called_itself(player)
        with self._timed():
            if player == "g":
                passes.seen_g(arguments, named, output, self._remembering, name)
            else:
                passes.seen_d(arguments, named, output, part, name)

    def _timed(self) -> AbstractContextManager[None]:
        """Context whose time counts as that of watching; in steps that are not measured even a clock would cost too much."""
        return self._budget.spending() if self._steps.passes.measuring else nullcontext()

    # Steps of optimisers

    def before_step(self, optimizer: Optimizer) -> None:
        """Gradients are there, weights have not moved."""
        player = None if self.closed or self._muted else self._optimizers.player(optimizer)
        if player is not None:
            with self._timed():
                self._account.run("steps of optimisers", self._steps.before_step, player, optimizer)

    def after_step(self, optimizer: Optimizer) -> None:
        """Weights have moved."""
        player = None if self.closed or self._muted else self._optimizers.player(optimizer)
        if player is None:
            return
        counted = self._account.run("steps of optimisers", self._steps.after_step, player)
        self._d_moved = self._d_moved or player != "g"
        if counted:
            self._account.step += counted + self._optimizers.missed()
            self._account.run("steps", self._after_step_of_g)

    def _after_step_of_g(self) -> None:
        if self.step == 1 or not self._called >= {"g", "d"}:
            self._look_inside()
        if self.step == 1 or self.step % self.every == 0:
            self._muted = True
            try:
                with self._budget.spending():
                    self._records.make()
            finally:
                self._muted = False
            self._save_time()
        self._plan_next_step()

    def _look_inside(self) -> None:
        """Networks that were not called themselves: their parts may have been."""
        for player in ({"g", "d"} - self._called) - self._inside:
            self._inside.add(player)
            outer = self._outer[player]
            inner = inner_network(outer)
            if is_compiled(outer) or is_compiled(inner):
                continue
            parts = [part for child in inner.children() for part in callable_parts(child)]
            self._hooks += self._hooks_on(player, parts, part=True)
            self._steps.by_parts.add(player)

    def _plan_next_step(self) -> None:
        """Whether the next step is measured: the first, a few in between, each one before a record, and the following ones
        until D has been updated too, which in some loops happens at few steps of G.
        """
        coming, passes = self.step + 1, self._steps.passes
        if self._is_due(coming):
            passes.measuring, self._patience = True, MOST_STEPS_WITHOUT_D
        else:
            self._patience -= 1
            passes.measuring = passes.measuring and not self._d_moved and self._patience > 0
        soon = passes.measuring or self._is_due(coming + 1)
        self._remembering = soon or coming - self._start <= FIRST_STEPS or self._steps.roles.replayed
        self._d_moved = False
        self._steps.begin(coming)

    def _is_due(self, step: int) -> bool:
        return step == self._start + 1 or step % self.every == 0 or step % max(1, self.every // CLOSE_LOOKS) == 0

    def _save_time(self) -> None:
        """Gives up images of a look, then records, where watching takes too much of the training's time."""
        if not self._budget.is_exceeded or self.every < DEFAULT_EVERY:
            return
        share = f"watching took {self._budget.share:.0%} of the training's time"
        if self._steps.probe.fewer_images():
            self._account.say(f"ganglion.watch: {share}, so a look is at {self._steps.probe.images} images from now on")
        else:
            self.every *= 2
            self._account.say(f"ganglion.watch: {share}, so records are made every {self.every:,} steps from now on")
        self._budget.restart()


CONTAINERS = (nn.ModuleList, nn.ModuleDict)
