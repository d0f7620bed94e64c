"""Scores over the checkpoints of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.data.prepare import Reporter, cache_folder
from ganglion.errors import CheckpointError, DataError, RunError
from ganglion.evaluation.evaluate import at_least_one, find_samples
from ganglion.evaluation.real_images import find_real
from ganglion.metrics.evaluation import evaluate_sets, remarks_of, select_scores
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.metrics.scores import SCORES
from ganglion.pictures.figures import save_figure
from ganglion.platform.devices import choose_device
from ganglion.platform.numerics import reproducible
from ganglion.platform.screen import Screen
from ganglion.runs.folder import Run

if TYPE_CHECKING:
    import altair

__all__ = ["Curve", "best_value", "curve_figure", "evaluate_checkpoints"]

WIDTH, HEIGHT = 260, 160
COLUMNS = 3


SAMPLES = 5000
QUICK_SCORES = ("fid", "kid", "precision", "recall", "coverage", "swd")


@dataclass(frozen=True)
class Curve:
    """Scores by checkpoint, oldest first."""

    features: str
    samples: int
    rows: list[dict[str, float]]
    """Each with `step`, `kimg` (NaN where no record has it), and a value per score."""
    floor: dict[str, float]
    """Without scores for which half of the real images are not sufficient."""
    picture: str
    left_out: dict[str, str]
    """Scores that could not be measured, and why."""
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def table(self) -> str:
        """Plain text; the best value of each score has a star."""
        names = [name for name in self.rows[0] if name in SCORES]
        best = {name: best_value(name, [row[name] for row in self.rows], self.floor.get(name)) for name in names}
        lines = [f"{'step':>9} {'kimg':>8} " + " ".join(f"{name:>10}" for name in names)]
        for row in self.rows:
            cells = [f"{row[name]:>9.4g}{'*' if row[name] == best[name] else ' '}" for name in names]
            lines.append(f"{row['step']:>9.0f} {row['kimg']:>8.1f} " + " ".join(cells))
        floor = [f"{self.floor[name]:>9.4g} " if name in self.floor else " " * 10 for name in names]
        lines.append(f"{'floor':>18} " + " ".join(floor))
        return "\n".join([*lines, *remarks_of(self.left_out, self.notes)])


@reproducible()
def evaluate_checkpoints(
    run: str | Path,
    against: str | Path | None = None,
    *,
    n: int | None = None,
    features: str = "auto",
    metrics: Iterable[str] | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    cache: Path | None = None,
    quiet: bool = False,
    reporter: Reporter | None = None,
) -> Curve:
    """Scores each checkpoint of `run` with the same latents, and plots RUN/evaluation.svg.

    `reporter` is told the progress, instead of the screen. Raises DataError, RunError.
    """
    at_least_one(n=n, devices=devices)
    folder, chosen = cache or cache_folder(), choose_device(device, devices)
    screen: Reporter = reporter or Screen(quiet=quiet)
    opened = Run(run)
    if not opened.exists:
        raise RunError(f"--all-checkpoints needs a run; {run} is not one")
    steps = opened.steps_saved()
    if not steps:
        raise CheckpointError(f"there is no checkpoint in {opened.path} yet")
    scores = select_scores(QUICK_SCORES if metrics is None else metrics)
    kimg = {record["step"]: record["kimg"] for record in opened.records()}
    recipe = opened.recipe
    real, notes, _ = find_real(recipe.data, against, data_dir, folder, screen, recipe.training.seed)
    extractor, of_extractor = find_extractor(
        features,
        ExtractorContext(
            real, folder, chosen, screen.steps("Training features on the real images"), "inception-score" in scores
        ),
    )
    notes += of_extractor
    rows: list[dict[str, float]] = []
    floor: dict[str, float] = {}
    progress = screen.steps("Scoring checkpoints")
    for done, step in enumerate(steps, start=1):
        inner = _OfCheckpoint(reporter, f"Checkpoint {done} of {len(steps)}") if reporter else Screen(quiet=True)
        fakes = find_samples(run, n or SAMPLES, 1, step, chosen, folder, inner, devices=devices).sets
        found = evaluate_sets(real, fakes, extractor, folder, inner, scores, None, notes, done == 1)
        rows.append({"step": step, "kimg": kimg.get(step, float("nan"))} | {s.name: s.value for s in found.scores})
        floor = floor or {s.name: s.floor for s in found.scores if s.floor is not None}
        progress(done, len(steps))
    if not found.scores:
        raise DataError(f"none of {', '.join(scores)} can be measured: {next(iter(found.left_out.values()))}")
    picture = opened.path / "evaluation.svg"
    save_figure(curve_figure(rows, floor, f"{extractor.name} features, {n or SAMPLES:,} samples"), picture)
    return Curve(extractor.name, n or SAMPLES, rows, floor, str(picture), found.left_out, found.notes)


@dataclass(frozen=True)
class _OfCheckpoint:
    """Tells a reporter which checkpoint the progress is of."""

    reporter: Reporter
    which: str

    def steps(self, text: str) -> Callable[[int, int], None]:
        return self.reporter.steps(f"{self.which}: {text[0].lower()}{text[1:]}")


def best_value(name: str, values: list[float], floor: float | None) -> float:
    """The best of a score's values; of one that is best at its floor, the nearest to it."""
    better = SCORES[name].better
    if better in ("lower", "higher"):
        return min(values) if better == "lower" else max(values)
    aim = floor if better == "as the floor" else float(better)
    return values[0] if aim is None else min(values, key=lambda value: abs(value - aim))


def curve_figure(rows: list[dict[str, float]], floor: dict[str, float], title: str) -> altair.ConcatChart:
    """A chart per score over thousands of images, with the floor dashed."""
    import altair

    alt: Any = altair  # its data classes are untyped

    across = alt.X("kimg:Q", title="thousand images")
    charts: list[Any] = []
    for name in (name for name in SCORES if name in rows[0]):
        points = [{"kimg": row["kimg"], "value": row[name]} for row in rows]
        line = alt.Chart(alt.Data(values=points)).mark_line(point=True).encode(
            x=across, y=alt.Y("value:Q", title=name, scale=alt.Scale(zero=False))
        )  # fmt: skip
        if name in floor:
            at = alt.Data(values=[{"floor": floor[name]}])
            line += alt.Chart(at).mark_rule(strokeDash=[4, 4]).encode(y="floor:Q")
        charts.append(line.properties(width=WIDTH, height=HEIGHT, title=f"{name} ({SCORES[name].better} is better)"))
    joined: altair.ConcatChart = alt.concat(*charts, columns=COLUMNS).properties(title=title)
    return joined
