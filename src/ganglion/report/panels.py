"""The vitals of a run as charts: which series each chart shows, its scale, and its description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.doctor.forecast import GOAL
from ganglion.report.bands import Band
from ganglion.report.charts import FAN, Frame, Scale, Table, fan_column, fans, lines, spans_chart, thinned, unchecked
from ganglion.runs.history import RunHistory
from ganglion.vitals.records import Record

if TYPE_CHECKING:
    import altair

__all__ = ["COMPARED", "Panel", "compared_panels", "panels_of"]


@dataclass(frozen=True)
class Panel:
    """A chart with its heading and description."""

    name: str
    title: str
    about: str
    chart: altair.LayerChart
    scale: Scale = "linear"
    other_scale: Scale | None = None
    """The scale to which a page can switch the vertical axis."""

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite."""
        tree: dict[str, Any] = self.chart.to_dict(validate=False)
        return tree


@dataclass(frozen=True)
class PanelSpec:
    """A line chart: names of the series, and the keys of the record that they come from."""

    name: str
    title: str
    about: str
    series: Mapping[str, str]
    unit: str
    scale: Scale = "linear"
    other_scale: Scale | None = None


PANEL_SPECS = (
    PanelSpec("loss", "Losses", "The losses of D and G. Levels are comparable only within one objective; jumps and constant "
         "lines mean the same in all.", {"D": "loss_d", "G": "loss_g"}, "loss", "linear", "symlog"),
    PanelSpec("probabilities", "D's probabilities", "Mean of the sigmoid of D's logits: the probability that an image is real.",
         {"on real": "d_real", "on fake": "d_fake"}, "probability"),
    PanelSpec("separation", "D AUC", "AUC of D's logits, the probability that D ranks a real above a fake: 0.5 is chance, "
         "1 is perfect separation. Healthy training is in between.",
         {"AUC": "separation", "accuracy on real": "accuracy_real", "accuracy on fake": "accuracy_fake"}, "share"),
    PanelSpec("distance", "Distance to the data", "Sliced Wasserstein distance (SWD, thousandths) of samples to real images, a "
         "cheap measure of quality; the floor is that between two halves of the real images.",
         {"samples": "swd", "floor": "swd_floor"}, "SWD", "log", "linear"),
    PanelSpec("relative-distance", "Relative distance", "Where the averaged G's samples stand: 0 as other real images, 1 as a "
         f"Gaussian fitted to the pixels. The goal is {GOAL:g}.",
         {"averaged G": "relative_distance"}, "relative distance", "linear", "symlog"),
    PanelSpec("score", "Score of snapshots", "Fréchet distance of the averaged G's samples to real images under random "
         "features; it selects the best checkpoint. Lower is better.",
         {"averaged G": "frechet"}, "distance", "log", "linear"),
    PanelSpec("diversity", "Diversity", "Mean distance between samples over that between reals: 1 is as diverse. Response: "
         "change of an image under another latent.",
         {"in pixels": "diversity", "in features of D": "diversity_seen", "response to z": "z_response",
          "near-duplicates": "duplicates"}, "relative to the data"),
    PanelSpec("updates", "Update over weight", "Norm of a step's update over that of the weights, median over layers: 0.001 is "
         "typical.", {"D": "update_d", "G": "update_g"}, "share", "log", "linear"),
    PanelSpec("first-gradients", "Gradients of the first layers", "Norms of the gradients of each network's first layer.",
         {"D": "grad_d_first", "G": "grad_g_first"}, "norm", "log", "linear"),
    PanelSpec("gradients", "Gradients of whole networks", "Norms over all weights, and the maximum of each tick.",
         {"D": "grad_d", "G": "grad_g", "maximum of D": "grad_d_max", "maximum of G": "grad_g_max"}, "norm", "log", "linear"),
    PanelSpec("held-out", "Held-out images", "AUC of D's logits on training images over held-out images: 0.5 without "
         "overfitting. Nearest: the probability that a sample is nearer to the training images than a held-out image is.",
         {"AUC, training over held-out": "held_out", "nearest": "nearest"}, "share"),
    PanelSpec("weights", "Weights", "Norm of each network's weights, and the share at the clip bound.",
         {"D": "weight_d", "G": "weight_g", "at the clip bound": "clip_share"}, "norm", "log", "linear"),
    PanelSpec("dead", "Dead units and saturation", "Share of feature maps whose output does not depend on the input, and of "
         "pixels that are black or white.",
         {"dead in D": "dead_d", "dead in G": "dead_g", "saturated": "saturation",
          "saturated in real images": "saturation_real"}, "share"),
    PanelSpec("earth-mover", "Earth mover's distance",
         "The critic's estimate; it falls as samples improve.",
         {"estimate": "earth_mover"}, "distance", "linear", "symlog"),
    PanelSpec("rates", "Learning rates", "As scheduled.", {"D": "lr_d", "G": "lr_g"}, "rate", "linear", "log"),
    PanelSpec("speed", "Speed", "Training images per second, including records, samples and checkpoints.",
         {"images/s": "images_per_sec"}, "images/s"),
)  # fmt: skip


@unchecked()
def panels_of(history: RunHistory, bands: Mapping[str, Band] | None = None) -> list[Panel]:
    """Every chart for which the run has numbers."""
    frame, records, healthy = Frame(history.kimg, history.spans), history.records, bands or {}
    found: list[Panel] = []
    if history.spans:
        about = "Each finding from raised to cleared; the same times are marked in every chart."
        found.append(Panel("findings", "Findings", about, spans_chart(frame)))
    plain = {spec.name: _line_panel(spec, records, frame, healthy) for spec in PANEL_SPECS}
    made = [
        plain.pop("loss"),
        _parts_panel(records, frame),
        _logits_panel(records, frame, healthy),
        plain.pop("probabilities"),
        plain.pop("separation"),
        plain.pop("relative-distance"),
        plain.pop("distance"),
        plain.pop("score"),
        plain.pop("diversity"),
        *(_first_gradient_panel(records, frame, player) for player in ("g", "d")),
        *(_layers_panel(records, frame, player, what) for what in LAYER_NUMBERS for player in ("g", "d")),
        *plain.values(),
    ]
    return found + [panel for panel in made if panel is not None]


COMPARED = (
    ("relative_distance", "Relative distance", "linear"),
    ("swd", "Distance of samples to the data", "log"), ("frechet", "Score of the averaged G", "log"),
    ("separation", "D AUC: AUC of D's logits", "linear"), ("diversity", "Diversity", "linear"),
    ("loss_d", "Loss of D", "linear"), ("loss_g", "Loss of G", "linear"), ("d_real", "D's probability on reals", "linear"),
    ("d_fake", "D's probability on fakes", "linear"), ("grad_g_first", "Gradient of G's first layer", "log"),
    ("grad_d_first", "Gradient of D's first layer", "log"), ("update_g", "Update over weight, G", "log"),
    ("update_d", "Update over weight, D", "log"), ("held_out", "AUC of D, training over held-out images", "linear"),
    ("lr_g", "Learning rate of G", "log"), ("images_per_sec", "Images per second", "linear"),
)  # fmt: skip
"""What runs are compared by: key, title, scale."""
OF_A_RUN = 300  # records of each that a comparison shows


@unchecked()
def compared_panels(histories: Mapping[str, RunHistory]) -> list[Panel]:
    """One chart per number, one line per run."""
    frame = Frame(max(history.kimg for history in histories.values()))
    found = []
    for key, title, scale in COMPARED:
        table = [
            {"kimg": record["kimg"], name: record[key]}
            for name, history in histories.items()
            for record in thinned([one for one in history.records if one.get(key) is not None], OF_A_RUN)
        ]
        if table:
            ordered = sorted(table, key=lambda row: row["kimg"])
            chart = lines(ordered, list(histories), frame, title, scale, most=len(ordered))
            other = "linear" if scale == "log" else "symlog"
            found.append(Panel(key.replace("_", "-"), title, "", chart, scale, other))
    return found


def _line_panel(spec: PanelSpec, records: Sequence[Record], frame: Frame, bands: Mapping[str, Band]) -> Panel | None:
    series = {name: key for name, key in spec.series.items() if _has(records, key)}
    if not series:
        return None
    table: Table = [
        {"kimg": record["kimg"]} | {name: record.get(key) for name, key in series.items()} for record in records
    ]
    healthy = {name: bands[key] for name, key in series.items() if key in bands}
    chart = lines(table, list(series), frame, spec.unit, spec.scale, healthy)
    return Panel(spec.name, spec.title, spec.about, chart, spec.scale, spec.other_scale)


def _parts_panel(records: Sequence[Record], frame: Frame) -> Panel | None:
    """Losses by term, where there is more than one."""
    keys = sorted({key for record in records for key in record if key.startswith(("loss_d_", "loss_g_"))})
    if all(key.endswith("_adversarial") for key in keys):
        return None
    names = {key: f"{key[5].upper()} {key[7:].replace('_', ' ')}" for key in keys}
    table: Table = [
        {"kimg": record["kimg"]} | {name: record.get(key) for key, name in names.items()} for record in records
    ]
    about = "Adversarial loss, penalties and other terms, each multiplied by its weight."
    chart = lines(table, list(names.values()), frame, "loss", "symlog")
    return Panel("loss-parts", "Losses by term", about, chart, "symlog", "linear")


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
    about = "Distribution of D's logits: 90 %, 50 % and the median. Healthy band: the range of the means."
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
    about = f"Distribution of the gradient of {name}'s first layer, log10 of its values: 90 %, 50 % and the median."
    chart = fans(table, [name], frame, "log10 |gradient|")
    return Panel(f"first-gradient-{player}", f"First layer of {name}: gradients", about, chart)


def _fan(name: str, histogram: Mapping[str, Any], counts: str) -> dict[str, float]:
    points = quantiles(histogram, histogram[counts])
    return {fan_column(name, share): point for share, point in zip(FAN, points, strict=True)}


LAYER_NUMBERS: dict[str, tuple[int, str, str]] = {
    "gradient": (0, "gradients of all layers", "The norm of each layer's gradient."),
    "update": (2, "updates of all layers", "Update over weight of each layer."),
}
"""Index in the record's list for a layer, title, description."""


def _layers_panel(records: Sequence[Record], frame: Frame, player: str, what: str) -> Panel | None:
    key = f"layers_{player}"
    index, title, about = LAYER_NUMBERS[what]
    layers = next((record[key] for record in reversed(records) if record.get(key)), None)
    if not layers or all(numbers[index] is None for numbers in layers.values()):
        return None
    names = list(layers)
    table: Table = [
        {"kimg": record["kimg"]} | {name: record[key].get(name, [None] * 3)[index] for name in names}
        for record in records
        if record.get(key)
    ]
    unit = "norm" if what == "gradient" else "share"
    chart = lines(table, names, frame, unit, "log", legend=len(names) <= 6, most=max(60, 2400 // len(names)))
    return Panel(f"layers-{what}-{player}", f"{player.upper()}: {title}", about, chart, "log", "linear")


def quantiles(histogram: Mapping[str, Any], counts: Sequence[int]) -> list[float]:
    """The 5, 25, 50, 75, 95 % quantiles of a histogram with equal bins from `low` to `high`."""
    edges = np.linspace(histogram["low"], histogram["high"], len(counts) + 1)
    share = np.concatenate([[0.0], np.cumsum(counts) / np.sum(counts)])
    return [float(value) for value in np.interp(np.array(FAN) / 100, share, edges)]


def _has(records: Sequence[Record], key: str) -> bool:
    return any(record.get(key) is not None for record in records)
