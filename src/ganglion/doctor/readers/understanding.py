"""What was understood of a log, in words and as JSON: its columns, how steps were counted, and what was not used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ganglion.doctor.evidence import number_text
from ganglion.doctor.readers.meaning import KEYS

__all__ = ["OWN_KIND", "ColumnRead", "Understanding", "key_in_words", "several"]


MOST_UNUSED = 12
OWN_KIND = "records of Ganglion"


@dataclass(frozen=True)
class ColumnRead:
    """One series of a log."""

    name: str
    """As printed there."""
    taken_for: str | None
    """Our key; None where it was not used."""
    values: int
    """How many finite values it has in the records."""
    min: float | None
    max: float | None
    first_step: int | None
    last_step: int | None
    reason: str = ""
    """Why it was not used, where that is not plain."""
    pair: str = ""
    """`A` or `B` in a log of two pairs of networks."""

    def line(self) -> str:
        """For a terminal."""
        size = "no finite value" if self.min is None else f"{_short(self.min)} to {_short(self.max or 0.0)}"
        pair = f", pair {self.pair}" if self.pair else ""
        return f"{self.name} is {key_in_words(self.taken_for or '')}{pair}: {several(self.values, 'value')}, {size}"


@dataclass
class Understanding:
    """How a log was read."""

    kind: str
    """The format, in words."""
    lines: int
    records: int
    columns: list[ColumnRead] = field(default_factory=list)
    counting: dict[str, Any] = field(default_factory=dict)
    """how, unit, names, first, last, batches_per_epoch, images_per_step, images, runs, run."""
    objective: dict[str, Any] = field(default_factory=dict)
    """name, confidence from 0 to 1, why."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the verdict has to know about the reading."""

    @property
    def is_ours(self) -> bool:
        """Whether the records are Ganglion's own, whose names need no explanation."""
        return self.kind == OWN_KIND

    def used(self) -> list[ColumnRead]:
        return [column for column in self.columns if column.taken_for]

    def text(self) -> str:
        """For a terminal, before the verdict."""
        counters = set(self.counting["names"])
        lines = [f"Read as {self.kind}: {several(self.records, 'record')} from {several(self.lines, 'line')}."]
        lines.append(f"Counted: {self._counted()}.")
        lines += [
            f"  {column.line()}"
            for column in self.used()
            if column.name not in counters and column.taken_for != "epoch"
        ]
        unused = [column for column in self.columns if not column.taken_for]
        if unused:
            names = ", ".join(
                column.name + (f" ({column.reason})" if column.reason else "") for column in unused[:MOST_UNUSED]
            )
            more = f", and {len(unused) - MOST_UNUSED} more" if len(unused) > MOST_UNUSED else ""
            lines.append(f"Not used: {names}{more}.")
        if self.objective.get("name") not in (None, "unknown"):
            name, sure = self.objective["name"], self.objective["confidence"]
            name = "hinge or relativistic" if name == "margin" else name
            lines.append(f"Objective: probably {name} (confidence {sure:.0%}): {self.objective['why']}.")
        lines += [f"Note: {note}." for note in self.notes]
        return "\n".join(lines)

    def _counted(self) -> str:
        counting = self.counting
        unit, names = counting["unit"], " and ".join(f'"{name}"' for name in counting["names"])
        span = f"{unit} {counting['first']:,} to {counting['last']:,}" if counting["first"] is not None else "no step"
        per = counting["batches_per_epoch"]
        how = {
            "printed": f"steps as printed under {names}",
            "epoch x batches": f"batches within epochs, from {names}"
            + (
                ""
                if per is None
                else f", {per:,.0f} batches per epoch" + (" (estimated)" if counting["estimated"] else "")
            ),
            "epochs": f"epochs as printed under {names}",
            "images": f"images shown to D, from {names}",
            "ticks": f"ticks as printed under {names}",
            "positions": "positions in its lists or table",
            "rows": "rows, as nothing else counts them",
        }[counting["how"]]
        known = counting["images_per_step"]
        images = f"; {known:,.6g} {'image' if known == 1 else 'images'} per {unit}" if known and unit != "image" else ""
        run = f"; run {counting['run']} of {counting['runs']}, --run N reads another" if counting["runs"] > 1 else ""
        return f"{how}; {span}{images}{run}"

    def to_json(self) -> dict[str, Any]:
        """`columns`, `counting`, `objective` and `notes` of the command's JSON."""
        return {
            "columns": [
                {
                    "name": c.name, "taken_for": c.taken_for, "values": c.values, "min": c.min, "max": c.max,
                    "first_step": c.first_step, "last_step": c.last_step, "reason": c.reason, "pair": c.pair,
                }
                for c in self.columns
            ],
            "counting": {**self.counting, "records": self.records, "format": self.kind},
            "objective": self.objective,
            "notes": self.notes,
        }  # fmt: skip


def key_in_words(key: str) -> str:
    """`loss_d` as the loss of D."""
    if key in KEYS:
        return KEYS[key]
    for who, name in (("loss_g_", "G"), ("loss_d_", "D")):
        if key.startswith(who):
            return f"a term of {name}'s loss ({key.removeprefix(who)})"
    return f"a loss ({key.removeprefix('loss_')})" if key.startswith("loss_") else key


def several(count: int, thing: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _short(value: float) -> str:
    return number_text(value)
