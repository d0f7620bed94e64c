"""The steps of a watched training: which calls of D were on reals and on fakes, D's scores, gradients and updates.

N images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.vitals.probe import LastStep
from ganglion.vitals.scalars import separation
from ganglion.vitals.step_stats import StepStats
from ganglion.watching.account import Account
from ganglion.watching.calls import Arguments, DCall, GCall, leaves
from ganglion.watching.counting import ImageCount
from ganglion.watching.fingerprints import is_known, marks_of
from ganglion.watching.forward import ForwardPasses
from ganglion.watching.loop_mistakes import LoopMistakes
from ganglion.watching.opinion import Opinion, Side, on_rows
from ganglion.watching.probe import ForeignProbe
from ganglion.watching.roles import Roles, Sorted
from ganglion.watching.rows import as_images

__all__ = ["Steps"]

SCORES = "D's logits on real and fake"
FIXED = "samples at fixed latents"
KINDS = {
    "mean": "the mean",
    "logsumexp": "the logsumexp",
    "classes": "the logit of all classes against that of fakes",
    "projection": "the direction in which D's loss moves the features",
    "reconstruction": "the mean absolute error of the reconstruction",
}
PARTS = "G is not called itself but by its parts, by G.forward or as a replica, where its inputs are not seen"


class Told(NamedTuple):
    """A tensor that the user named as the latent."""

    tensor: Tensor


class Steps:
    """What is measured between two records."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, account: Account) -> None:
        self._networks, self._account = (generator, discriminator), account
        self.opinion = Opinion()
        self.roles = Roles(self.opinion)
        self.passes = ForwardPasses(generator, discriminator, self.roles)
        self.probe = ForeignProbe(generator, discriminator, self.opinion)
        self.by_parts: set[str] = set()
        self.cannot_look: str | None = None
        """Why G cannot be called again without a side effect."""
        self.count = ImageCount()
        self.last = LastStep(None, None, None, ())
        self.last_sorted = Sorted()
        self._stats: StepStats | None = None
        self._weights: list[int] = []
        self._latent: Told | None = None
        self._d_was_called = self._extra = False
        self._coming = 1
        self._mistakes = LoopMistakes(generator, discriminator, self.passes, account)

    @property
    def stats(self) -> StepStats:
        """Made at the first step, when lazy layers have their weights; made anew when weights were added."""
        weights = [id(weight) for network in self._networks for weight in network.parameters()]
        if self._stats is None or weights != self._weights:
            self._stats, self._weights = StepStats(*self._networks), weights
            self._stats.begin(self._coming, closely=True)
        return self._stats

    def begin(self, step: int) -> None:
        """Step `step` of G begins."""
        self._coming = step
        if self._stats is not None:
            self._stats.begin(step, closely=True)

    def tell(self, side: str, images: Any) -> None:
        """The user says that images are real or fake."""
        told = self.roles.told_real if side == "real" else self.roles.told_fake
        for _, tensor in leaves(images):
            if tensor.is_floating_point() and tensor.ndim:
                told.add(0, 0, marks_of(tensor))

    def tell_latents(self, latents: Any) -> None:
        """The user says what the latent is."""
        self._latent = next((Told(tensor.detach()) for _, tensor in leaves(latents)), None)

    def called_itself(self, player: str) -> None:
        """A network that was called by its parts before is called itself."""
        if player in self.by_parts:
            self.by_parts.discard(player)
            self.probe.replayable |= player == "g" and FIXED not in self._account.ended and self.cannot_look is None

    def describe_score(self) -> str:
        """Where D's score is among its outputs."""
        readings, calls = self.opinion.readings, [call for call, _ in self.last_sorted.real]
        outputs = len(calls[-1].outputs) if calls else 1
        which = ", ".join(f"{reading.output + 1}" for reading in readings)
        text = KINDS[readings[0].kind] if readings else ""
        text += f" of output {which} of {outputs}" if outputs > 1 else ""
        return text + (", which D's loss lowers on reals" if self.opinion.raised < 0 else "")

    # Steps of optimisers

    def before_step(self, player: str, optimizer: Optimizer) -> None:
        """Gradients are there. The window of calls ends where G is about to be updated."""
        passes = self.passes
        passes.release()
        of_g = player == "g" or (player == "both" and self._mistakes.g_was_reached)
        self._extra = of_g and self._d_was_called and not passes.glances
        self._d_was_called |= bool(passes.glances)
        for call in passes.of_d:
            for pull in call.pulls:
                pull.player = pull.player or (None if player == "both" else player)
        self._add(self._mistakes.before_step(player))
        scale = _loss_scale(optimizer)
        if passes.measuring and player != "g":
            self._account.run("gradients of D", self.stats.d.after_backward, scale)
        if of_g and not self._extra:
            if passes.measuring:
                self._account.run(SCORES, self._end_window)
                self._account.run("gradients of G", self.stats.g.after_backward, scale)
            else:
                self._account.run("counting of images", self.count.add, passes.glances)

    def after_step(self, player: str) -> int:
        """Weights have moved. Returns 1 where this was a step of the training: an update of G by D's opinion."""
        of_g = player == "g" or (player == "both" and self._mistakes.g_was_reached)
        self._mistakes.after_step(player)
        if self.passes.measuring and player != "g":
            self._account.run("updates of D", self.stats.d.after_step)
        if not of_g or self._extra:
            return 0
        if self.passes.measuring:
            self._account.run("updates of G", self.stats.g.after_step)
        self.passes.forget()
        return 1

    def remove_hooks(self) -> None:
        self._mistakes.remove_hooks()

    # The window between two steps of G

    def _end_window(self) -> None:
        passes, probe = self.passes, self.probe
        found = self.roles.sort(passes.of_d)
        self.last_sorted = found
        self._note(found)
        if not found.reason and found.real and found.fake:
            self._add_scores(found)
        self._count(found)
        self._account.run("inputs of G", self._keep_inputs, found)
        views = [(self._images(side), side) for side in (found.real, found.fake)]
        for call, mask in found.real:
            view = self.roles.view(call)
            if view is not None:
                probe.keep_reals(call, view, mask)
        fakes = views[1][0] if views[1][0] is not None else self._images(found.in_g)
        if fakes is not None:
            probe.keep_fakes(fakes)
        self._keep_last(views[0][0], fakes)
        self._add(self._mistakes.modes(found))
        pull = self.opinion.direction(found.in_g, found.tasks_of_g) if found.in_g else None
        if pull is not None:
            self._add({"pull_g_fake": pull * (self.opinion.raised or 1)})

    def _note(self, found: Sorted) -> None:
        passes = self.passes
        if not passes.of_d and not passes.glances:
            self.count.blind += not self._d_was_called
            reason = "D was not called itself with gradients (D.forward, parts of D and replicas are seen from step 2)"
            self._account.note(SCORES, reason if not self._d_was_called else None)
        elif found.reason or (found.real and found.fake):
            self._account.note(SCORES, found.reason)

    def _add_scores(self, found: Sorted) -> None:
        sides = [self._scores(side) for side in (found.real, found.fake)]
        real, fake = sides
        if real is None or fake is None:
            reason = "D returns several outputs, and the gradients of its loss do not show which of them is its score"
            self._account.note(SCORES, reason)
            return
        way = self.opinion.raised or 1
        if self.opinion.is_score:
            self.stats.logits.add(real * way, fake * way)
        for_each = all(len(output.rows) > 1 or call.n == 1 for call, _ in found.real for output in call.outputs[:1])
        self._account.note("D's AUC", None if for_each else "D returns one number for a batch, not one for each image")
        if for_each:
            self.stats.means.add(separation=separation(real * way, fake * way))
        for name, side in (("pull_d_real", found.real), ("pull_d_fake", found.fake)):
            pull = self.opinion.direction(side)
            if pull is not None:
                self._add({name: pull * way})

    def _add(self, values: Mapping[str, float]) -> None:
        """To the means of the record, on the device where its other sums are, which are read together."""
        if values:
            device = next(self._networks[1].parameters()).device
            self.stats.means.add(**{name: torch.tensor(value, device=device) for name, value in values.items()})

    def _scores(self, side: Side) -> Tensor | None:
        parts = [(self.opinion.scores(call), mask) for call, mask in side]
        if any(scores is None for scores, _ in parts):
            return None
        return torch.cat(
            [scores[on_rows(mask, len(scores)).to(scores.device)] for scores, mask in parts if scores is not None]
        )

    def _rows_of(self, call: DCall, mask: Tensor) -> int:
        """Images of a call that a mask of its rows stands for."""
        view = self.roles.view(call)
        return int(mask.sum()) * (1 if view is None else max(1, len(view.images) // call.n))

    def _count(self, found: Sorted) -> None:
        real = {id(call): self._rows_of(call, mask) for call, mask in found.real}
        known = {index: real[id(call)] for index, call in enumerate(self.passes.of_d) if id(call) in real}
        self.count.learn(self.passes.glances, None if found.reason else known)

    # What the next record needs

    def _images(self, side: Side) -> Tensor | None:
        """The images of the last call of a side."""
        for call, mask in reversed(side):
            view = self.roles.view(call)
            if view is not None:
                return view.images[mask] if len(mask) == len(view.images) else view.images
        return None

    def _keep_inputs(self, found: Sorted) -> None:
        """The call of G whose images D was shown."""
        calls = {call.number: call for call in self.passes.of_g}
        for call, _ in (*found.in_g, *found.fake):
            view = self.roles.view(call)
            source = None if view is None else self.roles.match(view).source
            if source is not None and source.call in calls:
                self.probe.inputs.output = source.output
                self._keep_call(calls[source.call])
                return
        trained = [call for call in self.passes.of_g if call.training] or self.passes.of_g
        if trained and not (found.in_g and "g" in self.by_parts):
            self._keep_call(trained[-1])

    def _keep_call(self, call: GCall) -> None:
        if "g" in self.by_parts and self._latent is None:
            self.probe.replayable = False
            self._account.note(FIXED, f"{PARTS}: pass them through monitor.latents(...)")
            return
        self._account.note(FIXED, self.cannot_look)
        if "g" in self.by_parts and self._latent is not None:
            call = replace(call, arguments=Arguments(((self._latent.tensor,), {})))
        self.probe.replayable |= FIXED not in self._account.ended and self.cannot_look is None
        if self._latent is not None:
            told = marks_of(self._latent.tensor.float()) if self._latent.tensor.ndim else None
            for at, tensor in call.arguments.rows(len(call.outputs[0])).items():
                same = told is not None and tensor.is_floating_point() and tensor.shape == self._latent.tensor.shape
                if same and told is not None and bool(is_known(marks_of(tensor), told).all()):
                    self.probe.inputs.latent = at
        self.probe.inputs.keep(call, self.probe.images)
        if call.training or self.last.generated is None:
            self.last = self.last._replace(
                generated=self._as_images(call.outputs[self.probe.inputs.output]), inputs=(call,)
            )

    def _keep_last(self, real: Tensor | None, fake: Tensor | None) -> None:
        if real is not None and fake is not None:
            self.last = self.last._replace(real=self._as_images(real), fake=self._as_images(fake))

    def _as_images(self, values: Tensor) -> Tensor | None:
        if self.probe.layout is None:
            self.probe.reference()
        return None if self.probe.layout is None else as_images(values, self.probe.layout)


def _loss_scale(optimizer: Optimizer) -> float:
    """The loss scale of a fused optimiser, which unscales gradients itself; 1 for others."""
    scale = getattr(optimizer, "grad_scale", None)
    return 1.0 if scale is None else float(scale)
