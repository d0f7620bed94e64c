"""The vitals of a run as charts: which numbers stand together, on which scale, and what a person reads from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.report.bands import Band
from ganglion.report.charts import FAN, Frame, Scale, Table, fan_column, fans, lines, spans_chart
from ganglion.runs.history import RunHistory
from ganglion.vitals.records import Record

if TYPE_CHECKING:
    import altair

__all__ = ["COMPARED", "Panel", "compared_panels", "panels_of"]


@dataclass(frozen=True)
class Panel:
    """A chart with its heading and a sentence on what it shows."""

    name: str
    title: str
    about: str
    chart: altair.LayerChart
    scale: Scale = "linear"
    other_scale: Scale | None = None
    """To which a page may switch the upright axis."""

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite."""
        tree: dict[str, Any] = self.chart.to_dict()
        return tree


@dataclass(frozen=True)
class PanelSpec:
    """Lines that stand together: the series' names, and the record's keys they come from."""

    name: str
    title: str
    about: str
    series: Mapping[str, str]
    unit: str
    scale: Scale = "linear"
    other_scale: Scale | None = None


PANEL_SPECS = (
    PanelSpec("loss", "Losses", "What D and G minimise. Levels mean something else in every objective; jumps and frozen lines "
         "mean the same in all.", {"D": "loss_d", "G": "loss_g"}, "loss", "linear", "symlog"),
    PanelSpec("beliefs", "D's beliefs", "The mean probability, by D, that an image is real.",
         {"on real": "d_real", "on fake": "d_fake"}, "probability"),
    PanelSpec("separation", "Separation", "The chance that D ranks a real image above a fake: 0.5 is guessing, 1 never errs. "
         "Healthy training keeps it between.", {"separation": "separation", "accuracy on real": "accuracy_real",
                                        "accuracy on fake": "accuracy_fake"}, "share"),
    PanelSpec("distance", "Distance to the data", "Sliced Wasserstein distance of samples to real images, a cheap measure of "
         "quality; the floor is that of real images to other real images.",
         {"samples": "swd", "floor": "swd_floor"}, "distance", "log", "linear"),
    PanelSpec("score", "Score of snapshots", "Fréchet distance of the averaged G's samples to real images under random "
         "features: what chooses the best checkpoint. Lower is better.",
         {"averaged G": "frechet"}, "distance", "log", "linear"),
    PanelSpec("diversity", "Diversity", "How much samples differ from one another, as a share of what real images do: 1 is as "
         "much. Response is how much an image changes with its latent.",
         {"in pixels": "diversity", "in features of D": "diversity_seen", "response to z": "z_response",
          "near-duplicates": "duplicates"}, "share of the data's"),
    PanelSpec("updates", "Update over weight", "How far a step moves a layer, as a share of its size: a thousandth is usual.",
         {"D": "update_d", "G": "update_g"}, "share", "log", "linear"),
    PanelSpec("first-gradients", "Gradients of the first layers", "Their norms: what reaches the far end of each network.",
         {"D": "grad_d_first", "G": "grad_g_first"}, "norm", "log", "linear"),
    PanelSpec("gradients", "Gradients of whole networks", "Norms over all weights, and the largest of each tick.",
         {"D": "grad_d", "G": "grad_g", "largest of D": "grad_d_max", "largest of G": "grad_g_max"}, "norm", "log", "linear"),
    PanelSpec("held-out", "Held-out images", "The chance that D prefers a training image to a real one that it never "
         "saw: 0.5 while it has learnt nothing by heart. Nearest: the chance that a sample lies nearer to a training "
         "image than an unseen real image does.",
         {"D prefers training images": "held_out", "nearest": "nearest"}, "share"),
    PanelSpec("weights", "Weights", "Their norms over each network, and the share at the clip bound.",
         {"D": "weight_d", "G": "weight_g", "at the clip bound": "clip_share"}, "norm", "log", "linear"),
    PanelSpec("dead", "Dead units and saturation", "Shares of units that never fire, and of pixels at black or white.",
         {"dead in D": "dead_d", "dead in G": "dead_g", "saturated": "saturation",
          "saturated in real images": "saturation_real"}, "share"),
    PanelSpec("earth-mover", "The critic's distance",
         "Its estimate of the earth mover's distance; it falls as samples improve.",
         {"estimate": "earth_mover"}, "distance", "linear", "symlog"),
    PanelSpec("rates", "Learning rates", "As scheduled.", {"D": "lr_d", "G": "lr_g"}, "rate", "linear", "log"),
    PanelSpec("speed", "Speed", "Training images a second, upkeep included.", {"images/s": "images_per_sec"}, "images/s"),
)  # fmt: skip


def panels_of(history: RunHistory, bands: Mapping[str, Band] | None = None) -> list[Panel]:
    """Every chart for which the run has numbers."""
    frame, records, healthy = Frame(history.kimg, history.spans), history.records, bands or {}
    found: list[Panel] = []
    if history.spans:
        about = "From when each was raised to when it was cleared; the same times are marked in every chart."
        found.append(Panel("findings", "Findings", about, spans_chart(frame)))
    plain = {plan.name: _line_panel(plan, records, frame, healthy) for plan in PANEL_SPECS}
    made = [
        plain.pop("loss"),
        _parts_panel(records, frame),
        _logits_panel(records, frame, healthy),
        plain.pop("beliefs"),
        plain.pop("separation"),
        plain.pop("distance"),
        plain.pop("score"),
        plain.pop("diversity"),
        *(_first_gradient_panel(records, frame, player) for player in ("g", "d")),
        *(_layers_panel(records, frame, player, what) for what in LAYER_NUMBERS for player in ("g", "d")),
        *plain.values(),
    ]
    return found + [panel for panel in made if panel is not None]


COMPARED = (
    ("swd", "Distance of samples to the data", "log"), ("frechet", "Score of the averaged G", "log"),
    ("separation", "Separation", "linear"), ("diversity", "Diversity", "linear"), ("loss_d", "Loss of D", "linear"),
    ("loss_g", "Loss of G", "linear"), ("d_real", "D's belief in real images", "linear"),
    ("d_fake", "D's belief in fakes", "linear"), ("grad_g_first", "Gradient of G's first layer", "log"),
    ("grad_d_first", "Gradient of D's first layer", "log"), ("update_g", "Update over weight, G", "log"),
    ("update_d", "Update over weight, D", "log"), ("held_out", "D's preference for training images", "linear"),
    ("lr_g", "Learning rate of G", "log"), ("images_per_sec", "Images a second", "linear"),
)  # fmt: skip
"""What runs are compared by: key, title, scale."""


def compared_panels(histories: Mapping[str, RunHistory]) -> list[Panel]:
    """One chart a number, one line a run."""
    frame = Frame(max(history.kimg for history in histories.values()))
    found = []
    for key, title, scale in COMPARED:
        table = [
            {"kimg": record["kimg"], name: record[key]}
            for name, history in histories.items()
            for record in history.records
            if record.get(key) is not None
        ]
        if table:
            ordered = sorted(table, key=lambda row: row["kimg"])
            chart = lines(ordered, list(histories), frame, title, scale, most=300 * len(histories))
            other = "linear" if scale == "log" else "symlog"
            found.append(Panel(key.replace("_", "-"), title, "", chart, scale, other))
    return found


def _line_panel(plan: PanelSpec, records: Sequence[Record], frame: Frame, bands: Mapping[str, Band]) -> Panel | None:
    there = {name: key for name, key in plan.series.items() if _has(records, key)}
    if not there:
        return None
    table: Table = [
        {"kimg": record["kimg"]} | {name: record.get(key) for name, key in there.items()} for record in records
    ]
    healthy = {name: bands[key] for name, key in there.items() if key in bands}
    chart = lines(table, list(there), frame, plan.unit, plan.scale, healthy)
    return Panel(plan.name, plan.title, plan.about, chart, plan.scale, plan.other_scale)


def _parts_panel(records: Sequence[Record], frame: Frame) -> Panel | None:
    """Losses by part, where there is more than one."""
    keys = sorted({key for record in records for key in record if key.startswith(("loss_d_", "loss_g_"))})
    if all(key.endswith("_adversarial") for key in keys):
        return None
    names = {key: f"{key[5].upper()} {key[7:].replace('_', ' ')}" for key in keys}
    table: Table = [
        {"kimg": record["kimg"]} | {name: record.get(key) for key, name in names.items()} for record in records
    ]
    about = "Adversarial part, penalties and further terms, each with its weight."
    chart = lines(table, list(names.values()), frame, "loss", "symlog")
    return Panel("loss-parts", "Losses by part", about, chart, "symlog", "linear")


def _logits_panel(records: Sequence[Record], frame: Frame, bands: Mapping[str, Band]) -> Panel | None:
    kinds = ("real", "fake")
    table: Table = [
        {"kimg": record["kimg"]}
        | {name: at for kind in kinds for name, at in _fan(f"on {kind}", record["logits"], kind).items()}
        for record in records
        if record.get("logits") and all(sum(record["logits"][kind]) for kind in kinds)
    ]
    if not table:
        return None
    healthy = {f"on {kind}": bands[f"logit_{kind}"] for kind in kinds if f"logit_{kind}" in bands}
    about = "How D's logits are spread: nine tenths, a half, and the median. Healthy: the range of the means."
    chart = fans(table, [f"on {kind}" for kind in kinds], frame, "logit", healthy)
    return Panel("logits", "D's logits on real and fake", about, chart)


def _first_gradient_panel(records: Sequence[Record], frame: Frame, player: str) -> Panel | None:
    key, name = f"first_gradient_{player}", player.upper()
    table: Table = [
        {"kimg": record["kimg"]} | _fan(name, record[key], "counts")
        for record in records
        if record.get(key) and sum(record[key]["counts"])
    ]
    if not table:
        return None
    about = f"Sizes of the gradients of {name}'s first layer, as powers of ten: nine tenths, a half, and the median."
    chart = fans(table, [name], frame, "log10 |gradient|")
    return Panel(f"first-gradient-{player}", f"First layer of {name}: gradients", about, chart)


def _fan(name: str, histogram: Mapping[str, Any], counts: str) -> dict[str, float]:
    points = quantiles(histogram, histogram[counts])
    return {fan_column(name, share): point for share, point in zip(FAN, points, strict=True)}


LAYER_NUMBERS: dict[str, tuple[int, str, str]] = {
    "gradient": (0, "gradients of all layers", "The norm of each layer's gradient."),
    "update": (2, "updates of all layers", "How far a step moves each layer, as a share of its size."),
}
"""By place in the record's list for a layer."""


def _layers_panel(records: Sequence[Record], frame: Frame, player: str, what: str) -> Panel | None:
    key = f"layers_{player}"
    place, title, about = LAYER_NUMBERS[what]
    seen = next((record[key] for record in reversed(records) if record.get(key)), None)
    if not seen or all(numbers[place] is None for numbers in seen.values()):
        return None
    names = list(seen)
    table: Table = [
        {"kimg": record["kimg"]} | {name: record[key].get(name, [None] * 3)[place] for name in names}
        for record in records
        if record.get(key)
    ]
    unit = "norm" if what == "gradient" else "share"
    chart = lines(table, names, frame, unit, "log", legend=len(names) <= 6, most=max(60, 2400 // len(names)))
    return Panel(f"layers-{what}-{player}", f"{player.upper()}: {title}", about, chart, "log", "linear")


def quantiles(histogram: Mapping[str, Any], counts: Sequence[int]) -> list[float]:
    """The 5, 25, 50, 75, 95 % points of a histogram whose bins divide `low` to `high` evenly."""
    edges = np.linspace(histogram["low"], histogram["high"], len(counts) + 1)
    share = np.concatenate([[0.0], np.cumsum(counts) / np.sum(counts)])
    return [float(value) for value in np.interp(np.array(FAN) / 100, share, edges)]


def _has(records: Sequence[Record], key: str) -> bool:
    return any(record.get(key) is not None for record in records)
