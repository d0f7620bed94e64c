"""`ganglion.watch`: two lines around any training loop. It measures through hooks, without side effects.

An update of G counts as a step. Most steps cost one comparison; at a few steps per record the monitor measures inputs and
outputs of the networks, gradients and updates.
"""

from __future__ import annotations

import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from ganglion.data.pixels import to_uint8
from ganglion.doctor.verdict import Verdict
from ganglion.pictures.sheets import sheet
from ganglion.runs.journal import RunJournal
from ganglion.vitals.probe import LastStep, measure, parameter_counts
from ganglion.vitals.records import Record
from ganglion.vitals.step_stats import CLOSE_LOOKS, StepStats
from ganglion.watching.fingerprints import Call, SortedCalls, fingerprints, sort_calls
from ganglion.watching.foreign import (
    as_images,
    discriminator_output,
    ends_in_sigmoid,
    images_in,
    inner_network,
    inner_optimizer,
    logits_of,
    per_image_mean,
    share_of_weights,
    tensors_in,
)
from ganglion.watching.probe import ForeignProbe

__all__ = ["Monitor", "watch"]


BATCHES_OF_G = 16
"""Number of G's newest batches that are recognised."""
MOST_STEPS_WITHOUT_D = 64
MOST_CALLS = 64
"""Calls of D kept per step; more occur only in a loop that never steps D's optimiser."""


def watch(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer_g: Any,
    optimizer_d: Any,
    *,
    every: int = 50,
    out: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Monitor:
    """Watches a training loop until `close()` or the end of a `with` block. Call it before the loop; the loop is unchanged.

    A record is made and diagnosed at the first step and at every `every`-th update of G. `out` is a folder for
    `vitals.jsonl`, `findings.jsonl`, TensorBoard files and samples, which `ganglion diagnose` reads; without it nothing is
    written. `say` is called with a paragraph when a finding is raised or cleared (default: print on standard error).

    The training is not changed: weights with and without it are bit-identical. What cannot be measured is listed in
    `monitor.verdict().unseen`. An internal error ends the watching, is reported once and does not stop the training.
    """
    if every < 1:
        raise ValueError(f"every must be a number of steps of at least 1; got {every}")
    return Monitor(generator, discriminator, optimizer_g, optimizer_d, every, None if out is None else Path(out), say)


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    """A hook whose errors end the watching and not the training; excluded from torch.compile."""

    @wraps(method)
    def hook(self: Monitor, *arguments: Any, **named: Any) -> None:
        if self.closed or self._muted:
            return
        try:
            method(self, *arguments, **named)
        except Exception as error:
            self._give_up(error)

    return cast(Callable[..., None], cast(Any, torch.compiler.disable)(hook))


class Monitor:
    """The result of `ganglion.watch`."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, optimizer_g: Any, optimizer_d: Any, every: int,
        out: Path | None, say: Callable[[str], None] | None,
    ) -> None:  # fmt: skip
        self.every, self.step = every, 0
        self.closed, self.error = False, None  # type: bool, Exception | None
        self.records: list[Record] = []
        self._say = say or (lambda text: print(text, file=sys.stderr))  # noqa: T201
        self._generator, self._discriminator = inner_network(generator), inner_network(discriminator)
        self._optimizer_g, self._optimizer_d = inner_optimizer(optimizer_g), inner_optimizer(optimizer_d)
        self._stats = StepStats(self._generator, self._discriminator)
        self._probe = ForeignProbe(self._generator, self._discriminator)
        self._journal = RunJournal(folder := _folder(out), 0, self._say, own_run=False)
        self._writes = folder is not None
        self._drawn: deque[Tensor] = deque(maxlen=BATCHES_OF_G)
        self._calls: list[Call] = []
        self._unsorted: list[Call] = []
        self._last = LastStep(None, None, None, ())
        self._reasons: set[str] = set()
        self._logged: dict[str, float] = {}
        self._shown = self._shown_before = 0  # real images in this step of G, and in the last measured one
        self._muted = self._measuring = self._d_moved = False
        self._patience = 0
        self._plan_next_step()
        self._hooks = [
            generator.register_forward_hook(self._after_g, with_kwargs=True),
            discriminator.register_forward_hook(self._after_d, with_kwargs=True),
            self._optimizer_d.register_step_pre_hook(self._before_step_d),
            self._optimizer_d.register_step_post_hook(self._after_step_d),
            self._optimizer_g.register_step_pre_hook(self._before_step_g),
            self._optimizer_g.register_step_post_hook(self._after_step_g),
        ]

    # Public methods

    def log(self, **values: float) -> None:
        """Adds your own numbers to the next record, such as losses: `monitor.log(loss_d=..., loss_g=...)`."""
        self._logged |= {name: float(value) for name, value in values.items()}

    def verdict(self) -> Verdict:
        """The doctor's verdict on the training so far."""
        found = self._journal.verdict
        reasons = sorted(self._reasons | self._probe.unseen)
        if self.error is not None:
            reasons.append(f"anything after step {self.step:,}: watching ended there ({_first_line(self.error)})")
        return Verdict(found.state, found.findings, found.step, [*found.unseen, *reasons], own_run=False)

    def close(self) -> None:
        """Ends the watching and removes all hooks."""
        self.closed = True
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._calls = [], []
        self._drawn.clear()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Hooks

    @_guarded
    def _after_g(self, _module: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        images = images_in(output)
        if images is None:
            return
        self._drawn.append(images.detach())
        self._probe.keep_first(images)
        if self._measuring:
            given = (*arguments, *named.values())
            if not named:  # fixed latents are passed by position
                self._probe.keep_latents(arguments)
            training = self._generator.training and torch.is_grad_enabled()
            if training or self._last.generated is None:
                self._last = self._last._replace(
                    generated=as_images(images.detach()), inputs=() if named else tuple(given)
                )

    @_guarded
    def _after_d(self, _module: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        if not self._measuring or len(self._calls) >= MOST_CALLS:
            return
        given = [*arguments, *named.values()]
        images = next((t for t in tensors_in(given) if t.is_floating_point() and t.ndim >= 2), None)
        scores = None if images is None else discriminator_output(output, len(images))
        if images is None or scores is None or not scores.requires_grad:
            return
        sigmoid = ends_in_sigmoid(self._discriminator, scores)
        if sigmoid is not None:
            self._probe.squashed = sigmoid
        rows = logits_of(per_image_mean(scores), self._probe.squashed)
        call = Call(
            images.detach(), fingerprints(images), rows, tuple(value for value in given if value is not images),
            from_g=images.grad_fn is not None, wants_slope=images.requires_grad and images.grad_fn is None,
        )  # fmt: skip
        self._calls.append(call)
        cast(Any, scores.register_hook)(_keeping_gradient(call))

    @_guarded
    def _before_step_d(self, *_: object) -> None:
        if not self._measuring:
            return
        calls = sort_calls(self._calls, [fingerprints(images) for images in self._drawn])
        self._add_calls(calls)
        self._unsorted = [call for call in self._calls if not call.from_g] if calls.reason else []
        both = any(not call.from_g for call, _ in calls.fake)  # D got samples outside G's loss
        self._calls = [call for call in self._calls if call.from_g] if both else []
        self._stats.d.after_backward(_loss_scale(self._optimizer_d))

    @_guarded
    def _after_step_d(self, *_: object) -> None:
        if self._measuring:
            self._stats.d.after_step()
            self._d_moved = True

    @_guarded
    def _before_step_g(self, *_: object) -> None:
        if self._measuring:
            if self._unsorted:  # samples that are changed between G and D may occur again in G's step
                changed = [call.fingerprints for call in self._calls if call.from_g]
                self._add_calls(
                    sort_calls(self._unsorted, [*(fingerprints(images) for images in self._drawn), *changed])
                )
            self._add_gradient_sign_of_g()
            self._calls, self._unsorted = [], []
            self._stats.g.after_backward(_loss_scale(self._optimizer_g))

    @_guarded
    def _after_step_g(self, *_: object) -> None:
        if self._measuring:
            self._stats.g.after_step()
            self._shown_before, self._shown = self._shown or self._shown_before, 0
        self.step += 1
        if self.step == 1:
            self._initial_record()
        if self.step == 1 or self.step % self.every == 0:
            self._record()
        self._plan_next_step()

    def _plan_next_step(self) -> None:
        """Whether the next step is measured: the first, a few in between, each one before a record, and the following ones
        until D has been updated too, which in some loops happens at few steps of G.
        """
        coming, stride = self.step + 1, max(1, self.every // CLOSE_LOOKS)
        if coming == 1 or coming % self.every == 0 or coming % stride == 0:
            self._measuring, self._patience = True, MOST_STEPS_WITHOUT_D
        else:
            self._patience -= 1
            self._measuring = self._measuring and not self._d_moved and self._patience > 0
        self._d_moved = False
        self._stats.begin(coming, closely=True)

    # Records

    def _add_calls(self, calls: SortedCalls) -> None:
        """D's step: logits on reals and fakes, signs of the loss's gradient at them, and the images."""
        if calls.reason or not calls.real or not calls.fake:
            self._reasons.add(f"D's logits on real and fake: {calls.reason}")
            return
        self._reasons = {reason for reason in self._reasons if not reason.startswith("D's logits")}
        real, fake = (torch.cat([call.rows[mask] for call, mask in side]) for side in (calls.real, calls.fake))
        self._stats.logits_seen(real, fake)
        self._shown += len(real)
        signs = {"pull_d_real": _gradient_sign(calls.real), "pull_d_fake": _gradient_sign(calls.fake)}
        self._stats.means.add(**{name: sign for name, sign in signs.items() if sign is not None})
        (call, mask), (other, mask_fake) = calls.real[-1], calls.fake[-1]
        self._last = self._last._replace(real=as_images(call.images[mask]), fake=as_images(other.images[mask_fake]))
        labels = tuple(t[mask] for t in tensors_in(call.arguments) if t.ndim and len(t) == len(mask))
        self._probe.keep_reals(call.images[mask], labels)

    def _add_gradient_sign_of_g(self) -> None:
        side = [(call, torch.ones(len(call.rows), dtype=torch.bool)) for call in self._calls if call.from_g]
        sign = _gradient_sign(side)
        if sign is not None:
            self._stats.means.add(pull_g_fake=sign)

    def _initial_record(self) -> None:
        """The record of step 0: samples of the initial weights."""
        found = self._probe.first_statistics()
        if found:
            self._keep({"step": 0, "kimg": 0.0, **found}, None)

    def _record(self) -> None:
        """Makes a record, diagnoses it and writes it."""
        record: Record = {"step": self.step, "kimg": self.step * self._shown_before / 1000, **self._stats.read()}
        record |= {"lr_g": _rate(self._optimizer_g), "lr_d": _rate(self._optimizer_d)}
        record |= parameter_counts(self._probe) | {
            "moves_d_with_g": share_of_weights(self._optimizer_g, self._discriminator),
            "moves_g_with_d": share_of_weights(self._optimizer_d, self._generator),
        }
        record |= self._logged
        self._logged = {}
        self._muted = True
        try:
            if "non_finite" not in record:
                record |= measure(self._probe, self._last, record.get("separation"))
            pictures = self._probe.pictures() if self._writes else None
        finally:
            self._muted = False
        self._keep(record, pictures)

    def _keep(self, record: Record, pictures: Tensor | None) -> None:
        self.records.append(record)
        self._journal.diagnose(record)
        self._journal.write(record)
        if pictures is not None and pictures.shape[1] in (1, 3, 4):
            self._journal.save_sheet("fixed", sheet(to_uint8(pictures).cpu().numpy()), record["step"])

    def _give_up(self, error: Exception) -> None:
        self.error = error
        where = "".join(traceback.format_exception(error)).rstrip().splitlines()[-2:]
        self.close()
        self._say(
            f"ganglion.watch ended at step {self.step:,}, training continues: {_first_line(error)} ({where[0].strip()})"
        )


def _folder(out: Path | None) -> Path | None:
    """The output folder of the first process; files of an earlier training are renamed. None where nothing is written."""
    if out is None or not _is_first_process():
        return None
    for name in ("vitals.jsonl", "findings.jsonl"):
        if (out / name).exists():
            number = next(n for n in range(1, 10**6) if not (out / f"{name}.old-{n}").exists())
            (out / name).rename(out / f"{name}.old-{number}")
    return out


def _keeping_gradient(call: Call) -> Callable[[Tensor], None]:
    """Keeps the last gradient at D's output, that of the loss; earlier ones are a penalty's."""

    def keep(gradient: Tensor) -> None:
        call.pull = per_image_mean(gradient)

    return keep


def _gradient_sign(side: list[tuple[Call, Tensor]]) -> Tensor | None:
    """Mean sign of the negative gradient at D's logits, in [-1, 1]: 1 where an update raises all logits, -1: lowers all."""
    gradients = [call.pull[mask.to(call.pull.device)] for call, mask in side if call.pull is not None]
    return -torch.cat(gradients).sign().mean() if gradients else None


def _loss_scale(optimizer: torch.optim.Optimizer) -> float:
    """The loss scale of a fused optimiser, which unscales gradients itself; 1 for others."""
    scale = getattr(optimizer, "grad_scale", None)
    return 1.0 if scale is None else float(scale)


def _rate(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"


def _is_first_process() -> bool:
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not there or torch.distributed.get_rank() == 0
