"""D's opinion: which of its outputs the loss treats as scores, which number of an image it is, and which way it runs.

An output is recognised by the gradients of D's loss at it: opposite on reals and on fakes. N images, R rows of an output (an
image or a pack of images each), V values of a row.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ganglion.watching.calls import DCall, Output, Pull

__all__ = ["Opinion", "Side", "on_rows"]

LEAST_PROBABILITY = 1e-7
OPPOSITE = 0.8  # least difference of the mean signs on reals and on fakes
ONE_SIGN = 0.9  # least |sum| / sum of magnitudes of a row's gradients, where a row of several values is one score
NOTHING = 1e-4  # the same where gradients cancel, as those of a softmax do
ALIGNED = 0.99

Kind = Literal["mean", "logsumexp", "classes", "projection", "reconstruction"]
Side = list[tuple[DCall, Tensor]]
"""Calls, with a mask of their images (bool (N,))."""


class Reading(NamedTuple):
    """How scores are read from one output."""

    output: int
    kind: Kind
    fake_class: int = -1
    direction: Tensor | None = None
    """(V,) of `projection`."""


class Opinion:
    """Learns from sorted calls how D's scores are read; the newest evidence counts."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.sigmoid = False
        self._for = 0.0

    @property
    def raised(self) -> int:
        """1 where D's loss raises the scores of reals against those of fakes, -1 where it lowers them; 0: not known yet."""
        return (self._for > 0) - (self._for < 0)

    @property
    def is_score(self) -> bool:
        """Whether scores are D's own numbers, and not a ranking of images by a direction of its features."""
        return bool(self.readings) and all(reading.kind != "projection" for reading in self.readings)

    def learn(self, real: Side, fake: Side) -> None:
        """The readings for which D's loss pulls reals and fakes apart."""
        calls = [call for call, _ in (*real, *fake)]
        outputs = {output.index: output for call in calls for output in call.outputs}
        found = []
        for output in [outputs[index] for index in sorted(outputs)]:
            pulled_later = {i for i in output.inside_of if any(_pull_of_d(call, i) for call in calls)}
            if not pulled_later:
                reading = self._reading(output, real, fake)
                found += [] if reading is None else [reading]
        self.readings = found or self.readings
        if not self.readings and len(outputs) == 1:
            (only,) = outputs.values()
            self.readings = [Reading(only.index, "mean")] if only.channels == 1 else []
        known = [
            o.sigmoid for i, o in outputs.items() if o.sigmoid is not None and i in {r.output for r in self.readings}
        ]
        self.sigmoid = known[0] if known else self.sigmoid
        on_real, on_fake = self.direction(real), self.direction(fake)
        if on_real is not None and on_fake is not None:
            self._for += on_real - on_fake

    def scores(self, call: DCall) -> Tensor | None:
        """(R,): D's logits, the mean over several outputs of scores; None where they are not known."""
        rows = [output for reading in self.readings for output in call.outputs if output.index == reading.output]
        if len(rows) != len(self.readings) or not rows or len({len(output.rows) for output in rows}) > 1:
            return None
        parts = [_score(reading, output) for reading, output in zip(self.readings, rows, strict=True)]
        if self.sigmoid:
            parts = [torch.logit(part, LEAST_PROBABILITY) for part in parts]
        return torch.stack(parts).mean(0) if len(parts) > 1 else parts[0]

    def direction(self, side: Side, tasks: set[int] | None = None) -> float | None:
        """Mean sign of the change of scores that a loss asks for, in [-1, 1]: 1 raises all. D's loss, or the loss of some
        backward passes. None where nothing was pulled.
        """
        signs = []
        for call, mask in side:
            for reading in self.readings or _plain(call):
                pull = _pull_of_d(call, reading.output) if tasks is None else _pull_of(call, reading.output, tasks)
                values = None if pull is None else _along(reading, pull)
                if values is not None:
                    values = values[on_rows(mask, len(values)).to(values.device)]
                    signs.append(values[values != 0].sign() if bool((values != 0).any()) else values[:0])
        joined = torch.cat([one.flatten() for one in signs]) if signs else torch.empty(0)
        return -float(joined.mean()) if len(joined) else None

    def _reading(self, output: Output, real: Side, fake: Side) -> Reading | None:
        pulls = [_joined(output.index, side) for side in (real, fake)]
        on_real, on_fake = pulls
        if on_real is None or on_fake is None:
            return None
        if on_real.along is not None and on_fake.along is not None:
            aligned = min(on_real.alignment, on_fake.alignment)
            if aligned > ALIGNED and max(on_real.one_sign, on_fake.one_sign) < ONE_SIGN:
                return Reading(output.index, "reconstruction")
        if _apart(on_real.sums, on_fake.sums) and min(on_real.one_sign, on_fake.one_sign) > _needed(output):
            return Reading(output.index, "logsumexp" if _follows_softmax(on_real, real, output) else "mean")
        return _of_classes(output, on_real, on_fake) or _of_features(output, on_real, on_fake)


class Joined(NamedTuple):
    """Gradients of D's loss at one output, over the rows of one side."""

    sums: Tensor
    one_sign: float
    """Mean over rows of |sum| / sum of magnitudes."""
    rows: Tensor | None
    values: Tensor
    """The output itself (R, V)."""
    along: Tensor | None
    alignment: float


def _joined(index: int, side: Side) -> Joined | None:
    """None where D's loss does not pull the output, or only by zeros."""
    sums, sizes, rows, values, along, along_sizes = [], [], [], [], [], []
    for call, mask in side:
        pull = _pull_of_d(call, index)
        output = next((output for output in call.outputs if output.index == index), None)
        if pull is None or output is None:
            continue
        kept = on_rows(mask, len(pull.sums)).to(pull.sums.device) & (pull.sizes > 0)
        sums.append(pull.sums[kept])
        sizes.append(pull.sizes[kept])
        if pull.rows is not None:
            rows.append(pull.rows[kept])
            values.append(output.rows[kept])
        if pull.along_error is not None:
            along.append(pull.along_error[0][kept])
            along_sizes.append(pull.along_error[1][kept])
    if not sums or not sum(map(len, sums)):
        return None
    total, size = torch.cat(sums), torch.cat(sizes)
    alignment = float((torch.cat(along).abs() / torch.cat(along_sizes).clamp_min(1e-30)).mean()) if along else 0.0
    return Joined(
        total, float((total.abs() / size).mean()), torch.cat(rows) if len(rows) == len(sums) else None,
        torch.cat(values) if values else torch.empty(0), torch.cat(along) if along else None, alignment,
    )  # fmt: skip


def _apart(on_real: Tensor, on_fake: Tensor) -> bool:
    """Whether gradients (R,) have opposite signs on reals and on fakes."""
    return abs(float(on_real.sign().mean() - on_fake.sign().mean())) > OPPOSITE


def _needed(output: Output) -> float:
    """Values of several channels are one score only where their gradients have one sign; a map may have both."""
    return ONE_SIGN if output.channels > 1 else NOTHING


def _follows_softmax(on_real: Joined, real: Side, output: Output) -> bool:
    """Whether gradients are those of a logsumexp over a row's values: proportional to their softmax."""
    if on_real.rows is None or on_real.rows.shape[1] < 2:
        return False
    shares = on_real.rows / on_real.rows.sum(1, keepdim=True)
    softmax = on_real.values.softmax(1)
    return bool((shares - softmax).abs().max() < 1e-3) and bool(softmax.std(1, correction=0).max() > 1e-3)


def _of_classes(output: Output, on_real: Joined, on_fake: Joined) -> Reading | None:
    """One of several classes is that of fakes: D's loss raises it on all fakes, and on no real."""
    if on_real.rows is None or on_fake.rows is None or on_fake.rows.shape[1] < 2:
        return None
    raised = (on_fake.rows < 0).float().mean(0)  # (V,)
    column = int(raised.argmax())
    others = raised.clone()
    others[column] = 0
    if raised[column] > 0.95 and others.max() < 0.05 and (on_real.rows[:, column] >= 0).float().mean() > 0.95:
        return Reading(output.index, "classes", column)
    return None


def _of_features(output: Output, on_real: Joined, on_fake: Joined) -> Reading | None:
    """Scores are a linear function of these features outside D: all gradients lie on one line."""
    if on_real.rows is None or on_fake.rows is None or on_fake.rows.shape[1] < 2:
        return None
    units = [
        torch.nn.functional.normalize(joined.rows, dim=1) for joined in (on_real, on_fake) if joined.rows is not None
    ]
    line = units[0][0]
    aligned = [rows @ line for rows in units]
    if min(float(one.abs().min()) for one in aligned) < ALIGNED or not _apart(*aligned):
        return None
    return Reading(output.index, "projection", direction=-line * aligned[0].sign().mean().sign())


def _score(reading: Reading, output: Output) -> Tensor:
    rows = output.rows
    if reading.kind == "logsumexp":
        return rows.logsumexp(1)
    if reading.kind == "classes":
        others = [index for index in range(rows.shape[1]) if index != reading.fake_class]
        return rows[:, others].logsumexp(1) - rows[:, reading.fake_class]
    if reading.kind == "projection" and reading.direction is not None:
        return rows @ reading.direction.to(rows.device)
    if reading.kind == "reconstruction" and output.error is not None:
        return output.error.abs().flatten(1).mean(1)
    return rows.mean(1)


def _along(reading: Reading, pull: Pull) -> Tensor | None:
    """(R,): the gradient along the score that a reading gives."""
    if reading.kind == "reconstruction":
        return None if pull.along_error is None else pull.along_error[0]
    if reading.kind == "classes":
        return None if pull.rows is None else -pull.rows[:, reading.fake_class]
    if reading.kind == "projection" and reading.direction is not None:
        return None if pull.rows is None else pull.rows @ reading.direction.to(pull.rows.device)
    return pull.sums


def _plain(call: DCall) -> list[Reading]:
    """The reading of the only output, as long as none is known."""
    return [Reading(call.outputs[0].index, "mean")] if len(call.outputs) == 1 else []


def _pull_of_d(call: DCall, output: int) -> Pull | None:
    return _pull_of(call, output, call.tasks_of_d)


def _pull_of(call: DCall, output: int, tasks: set[int]) -> Pull | None:
    return next((pull for pull in call.pulls if pull.output == output and pull.task in tasks), None)


def on_rows(mask: Tensor, rows: int) -> Tensor:
    """A mask of images (N,) for rows of several images each, or for one row of the whole batch."""
    if len(mask) == rows:
        return mask
    if rows and len(mask) % rows == 0:
        return mask.view(rows, -1).float().mean(1) > 0.5
    return torch.ones(rows, dtype=torch.bool, device=mask.device) if bool(mask.any()) else mask.new_zeros(rows)
