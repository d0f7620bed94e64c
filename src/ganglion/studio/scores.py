"""Scores of a run for a page: what was asked for, the task that measures it, and the result as a table and as charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.errors import DataError
from ganglion.evaluation.curve import Curve, best_value, evaluate_checkpoints
from ganglion.evaluation.evaluate import evaluate
from ganglion.metrics.evaluation import Evaluation, Result
from ganglion.metrics.scores import SCORES
from ganglion.studio.background import Task

if TYPE_CHECKING:
    import altair

__all__ = ["FEATURES", "Asked", "bars", "curve_charts", "curve_table", "facts", "measure", "score_table"]

FEATURES = ("auto", "learned", "random", "squeezenet", "inception", "pixels")
FEWEST, MOST = 2, 100_000  # samples
MOST_SEEDS = 10
SHARES = ("precision", "recall", "density", "coverage", "nearer", "near-copies", "ms-ssim")
"""Scores on a scale from 0 to about 1, which one chart can show together."""


@dataclass(frozen=True)
class Asked:
    """What a person wants to have measured."""

    run: Path
    against: str | None
    """A source of real images; None: those of the training."""
    samples: int
    seeds: int = 1
    features: str = "auto"
    metrics: tuple[str, ...] = ()
    """Empty: the usual ones."""
    checkpoint: str = "best"
    """A step, `best`, `latest`, or `all` for a curve."""


def measure(asked: Asked, cache: Path, task: Task) -> Evaluation | Curve:
    """The scores of one checkpoint, or of each. Raises DataError, RunError and the like."""
    if not FEWEST <= asked.samples <= MOST:
        raise DataError(f"the number of samples is from {FEWEST} to {MOST:,}; got {asked.samples:,}")
    if not 1 <= asked.seeds <= MOST_SEEDS:
        raise DataError(f"the number of seeds is from 1 to {MOST_SEEDS}; got {asked.seeds}")
    metrics = asked.metrics or None
    task.text = "Preparing the real images"
    if asked.checkpoint == "all":
        return evaluate_checkpoints(
            asked.run,
            asked.against,
            n=asked.samples,
            features=asked.features,
            metrics=metrics,
            cache=cache,
            reporter=task,
        )
    which = int(asked.checkpoint) if asked.checkpoint.isdecimal() else asked.checkpoint
    return evaluate(
        str(asked.run), asked.against, n=asked.samples, seeds=asked.seeds, features=asked.features, metrics=metrics,
        checkpoint=which, cache=cache, reporter=task,
    )  # fmt: skip


def score_table(found: Evaluation) -> str:
    """A row per score: value, spread, floor, which way is better, and what it is; then what was left out, and why."""
    rows = [_row(result) for result in found.scores]
    columns = {
        "score": "",
        "value": "number",
        "&plusmn;": "number",
        "floor": "number",
        "better": "",
        "what it is": "about",
    }
    head = "".join(f"<th scope='col' class='{kind}'>{name}</th>" for name, kind in columns.items())
    left = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found.left_out.items())
    below = f"<p class='note plain'>Not measured:</p><ul class='note'>{left}</ul>" if left else ""
    return _table(head, "".join(rows)) + below


def _table(head: str, body: str) -> str:
    """Wider than a phone, it scrolls by itself."""
    table = f"<table class='scores'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='scroll' tabindex='0' role='region' aria-label='Scores'>{table}</div>"


def _row(result: Result) -> str:
    spread = result.spread if result.spread is not None else result.error
    numbers = [f"{one:.4g}" if one is not None else "" for one in (result.value, spread, result.floor)]
    cells = "".join(f"<td class='number'>{number}</td>" for number in numbers)
    return (
        f"<tr><th scope='row'>{escape(result.name)}</th>{cells}<td>{escape(result.better)}</td>"
        f"<td class='about'>{escape(result.about)}</td></tr>"
    )


def facts(found: Evaluation) -> list[str]:
    """Sentences on what the numbers depend on."""
    lines = [
        f"{found.fake.images:,} samples ({found.fake.name}) against {found.real.images:,} real images ({found.real.name}), "
        f"{found.fake.height}x{found.fake.width} with {found.fake.channels} channel{'s' * (found.fake.channels != 1)}.",
        f"Features {found.features}: {found.features_about}.",
        f"The floor is the score of one half of the real images against the other ({found.floor_images[1]:,} against "
        f"{found.floor_images[0]:,}): what real images would have.",
    ]
    return (
        lines + [f"{one[0].upper()}{one[1:]}." for one in found.notes] + [f"Measured in {found.seconds:,.0f} seconds."]
    )


def bars(found: Evaluation) -> altair.LayerChart | None:
    """The scores that are shares, as points beside their floors; None without any."""
    rows = [one for one in found.scores if one.name in SHARES]
    if not rows:
        return None
    import altair

    alt: Any = altair
    points = [
        {"score": one.name, "value": value, "of": of}
        for one in rows
        for of, value in (("samples", one.value), ("floor: real images", one.floor))
        if value is not None
    ]
    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X("value:Q", title=None, scale=alt.Scale(zero=True)),
        y=alt.Y("score:N", title=None, sort=[one.name for one in rows]),
    )
    line = base.mark_line(color="#8a949e", strokeWidth=1.5).encode(detail="score:N")
    mark = base.mark_point(filled=True, size=90, opacity=1).encode(
        color=alt.Color("of:N", title=None, sort=None, legend=alt.Legend(orient="top")),
        shape=alt.Shape("of:N", title=None, sort=None),
        tooltip=["score:N", "of:N", alt.Tooltip("value:Q", format=".4~g")],
    )
    chart: altair.LayerChart = (line + mark).properties(width="container", height=26 * len(rows) + 20)
    return chart


def curve_table(found: Curve) -> str:
    """A row per checkpoint; the best value of each score is marked."""
    names = [name for name in found.rows[0] if name in SCORES]
    best = {name: best_value(name, [row[name] for row in found.rows], found.floor.get(name)) for name in names}
    head = "<th scope='col'>step</th>"
    head += "".join(f"<th scope='col' class='number'>{escape(name)}</th>" for name in ("kimg", *names))
    body = [_curve_row(row, names, best) for row in found.rows]
    floor = "".join(
        f"<td class='number'>{found.floor[name]:.4g}</td>" if name in found.floor else "<td></td>" for name in names
    )
    last = f"<tr class='floor'><th scope='row'>floor</th><td></td>{floor}</tr>"
    return _table(head, "".join(body) + last)


def _curve_row(row: dict[str, float], names: Sequence[str], best: dict[str, float]) -> str:
    kimg = f"{row['kimg']:.1f}" if row["kimg"] == row["kimg"] else ""
    cells = "".join(
        f"<td class='number{' best' if row[name] == best[name] else ''}'>{row[name]:.4g}"
        f"{'<span> best</span>' if row[name] == best[name] else ''}</td>"
        for name in names
    )
    return f"<tr><th scope='row'>{row['step']:.0f}</th><td class='number'>{kimg}</td>{cells}</tr>"


def curve_charts(found: Curve) -> list[altair.LayerChart]:
    """A chart per score over thousands of images, as wide as its place, with the floor dashed."""
    import altair

    alt: Any = altair
    charts: list[altair.LayerChart] = []
    x = "kimg" if all(row["kimg"] == row["kimg"] for row in found.rows) else "step"
    for name in (name for name in SCORES if name in found.rows[0]):
        points = [{"at": row[x], "value": row[name]} for row in found.rows]
        chart = alt.Chart(alt.Data(values=points)).mark_line(point=True).encode(
            x=alt.X("at:Q", title="thousand images" if x == "kimg" else "step"),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            tooltip=[alt.Tooltip("at:Q", title=x), alt.Tooltip("value:Q", title=name, format=".4~g")],
        )  # fmt: skip
        floor = [{"floor": found.floor[name]}] if name in found.floor else []
        rule = alt.Chart(alt.Data(values=floor)).mark_rule(strokeDash=[4, 4], color="#8a949e").encode(y="floor:Q")
        charts.append((chart + rule).properties(width="container", height=150, title=_title(name)))
    return charts


def _title(name: str) -> str:
    better = SCORES[name].better
    return (
        f"{name}, {better} is better"
        if better in ("lower", "higher")
        else f"{name}, best near {better.removeprefix('as ')}"
    )
