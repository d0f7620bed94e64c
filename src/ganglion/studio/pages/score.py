"""The page Score: a run's samples against real images, with floors, or all of its checkpoints as curves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ganglion.errors import GanglionError
from ganglion.evaluation.curve import Curve
from ganglion.metrics.evaluation import remarks_of
from ganglion.metrics.scores import SCORES
from ganglion.runs.folder import Run
from ganglion.studio.background import Task, Tasks
from ganglion.studio.progress import LOOK_SEC, end_of, progress_bar
from ganglion.studio.scores import FEATURES, Asked, bars, curve_charts, curve_table, facts, measure, score_table
from ganglion.studio.state import Studio
from ganglion.studio.thumbnails import note, sentence

__all__ = ["build"]

SAMPLES, SAMPLES_OF_CURVE = 2000, 1000
MOST_CURVES = 9
Changes = dict[Any, Any]


@dataclass(eq=False)
class _Page:
    """The components."""

    against: Any
    upload: Any
    checkpoint: Any
    samples: Any
    seeds: Any
    features: Any
    metrics: Any
    start: Any
    stop: Any
    progress: Any
    table: Any
    bars: Any
    curves: list[Any]
    facts: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.against, self.upload, self.checkpoint, self.samples, self.seeds, self.features, self.metrics]

    @property
    def outputs(self) -> list[Any]:
        return [self.start, self.stop, self.progress, self.table, self.bars, *self.curves, self.facts]


def build(studio: Studio) -> None:
    """Creates the page in the current Blocks."""
    gr.HTML('<h1 class="hidden">Score</h1>', padding=False)
    with gr.Column(elem_classes="score-page"):
        page = _layout()
    _wire(page, _Actions(page, studio, Tasks()))


def _layout() -> _Page:
    with gr.Row(elem_classes="tight"):
        against = gr.Textbox(
            label="Real images", placeholder="the run's training images; or a folder, a zip, a name such as digits",
            elem_id="against", scale=3,
        )  # fmt: skip
        checkpoint = gr.Dropdown([], label="Checkpoint", elem_id="score-checkpoint", scale=2, min_width=200)
    with gr.Accordion("More settings", open=False):
        upload = gr.File(
            label="Or drop a zip with real images", file_types=[".zip", ".npy"], type="filepath", height=120
        )
        with gr.Row():
            samples = gr.Number(SAMPLES, label="Samples", precision=0, minimum=2, elem_id="score-samples")
            seeds = gr.Number(
                1, label="Seeds", info="More than one: each score with its spread", precision=0, minimum=1
            )
            features = gr.Dropdown(list(FEATURES), value="auto", label="Features", elem_id="score-features")
        metrics = gr.Dropdown(list(SCORES), label="Scores", info="None chosen: the usual ones", multiselect=True)
    with gr.Row(elem_classes="tight"):
        start = gr.Button("Measure", variant="primary", elem_id="score-start")
        stop = gr.Button("Stop", interactive=False, elem_id="score-stop")
    progress, table = gr.HTML(elem_id="score-progress"), gr.HTML(elem_id="score-table")
    chart = gr.Plot(visible=False, show_label=False, elem_id="score-bars")
    with gr.Row(elem_classes="curves"):
        curves = [gr.Plot(visible=False, show_label=False, elem_classes="curve") for _ in range(MOST_CURVES)]
    return _Page(
        against, upload, checkpoint, samples, seeds, features, metrics, start, stop, progress, table, chart, curves,
        gr.HTML(elem_id="score-facts"),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Actions:
    """What happens at an event, for the run that the page's address names."""

    page: _Page
    studio: Studio
    tasks: Tasks

    def opened(self, request: gr.Request) -> Iterator[Changes]:
        """The run's checkpoints; and what another tab, or this one before it was left, began to measure."""
        try:
            run = Run(self.studio.current(request))
            steps = run.steps_saved()
        except GanglionError as error:
            yield {self.page.progress: _problem(error)}
            return
        yield {self.page.checkpoint: gr.update(choices=_checkpoints(steps), value="best")}
        if (task := self.tasks.newest(str(run.path))) is not None:
            yield from _followed(self.page, task)

    def measured(self, request: gr.Request, *values: Any) -> Iterator[Changes]:
        try:
            run = self.studio.current(request)
            asked = self._asked(run, *values)
        except GanglionError as error:
            yield {self.page.progress: _problem(error)}
            return
        task = self.tasks.start(Task("scores"), lambda one: measure(asked, self.studio.cache, one), str(run))
        yield from _followed(self.page, task)

    def stopped(self, request: gr.Request) -> None:
        with suppress(GanglionError):
            if (task := self.tasks.newest(str(self.studio.current(request)))) is not None:
                task.stop()

    def _asked(self, run: Path, *values: Any) -> Asked:
        against, upload, checkpoint, samples, seeds, features, metrics = values
        source = upload or (self.studio.source(against) if against and against.strip() else None)
        counts = int(samples or 0), int(seeds or 0)
        return Asked(run, source, *counts, features, tuple(metrics or ()), checkpoint or "best")


def _wire(page: _Page, actions: _Actions) -> None:
    plain = {"show_progress": "hidden", "concurrency_limit": None}
    root = gr.context.Context.root_block
    gr.on([root.load], actions.opened, None, [page.checkpoint, *page.outputs], **plain)
    page.start.click(actions.measured, page.inputs, page.outputs, **plain)
    page.stop.click(actions.stopped, None, None, queue=False, show_progress="hidden")
    page.checkpoint.input(
        _samples_for, [page.checkpoint, page.samples], page.samples, show_progress="hidden", trigger_mode="always_last"
    )


def _samples_for(checkpoint: str, samples: float) -> float:
    """Fewer for a curve, which scores every checkpoint, unless a number was typed."""
    before, after = (SAMPLES, SAMPLES_OF_CURVE) if checkpoint == "all" else (SAMPLES_OF_CURVE, SAMPLES)
    return after if samples == before else samples


def _followed(page: _Page, task: Task) -> Iterator[Changes]:
    """Progress until the task ends, then its result. It goes on when the page is left."""
    yield {page.start: gr.update(interactive=False), page.stop: gr.update(interactive=True)}
    while not task.ended:
        yield {page.progress: progress_bar(task)}
        time.sleep(LOOK_SEC)
    yield {
        page.progress: end_of(task), page.start: gr.update(interactive=True), page.stop: gr.update(interactive=False),
        **(_result(page, task.result) if task.state == "done" else {}),
    }  # fmt: skip


def _result(page: _Page, found: Any) -> Changes:
    if isinstance(found, Curve):
        charts = curve_charts(found)[:MOST_CURVES]
        about = [
            f"{found.samples:,} samples of each checkpoint, at the same latents; features {found.features}. Dashed: the floor, "
            "the score of one half of the real images against the other.",
            *remarks_of(found.left_out, found.notes),
        ]
        shown: Changes = {page.table: curve_table(found), page.bars: gr.update(visible=False)}
    else:
        charts, about, chart = [], facts(found), bars(found)
        shown = {page.table: score_table(found), page.bars: gr.update(value=chart, visible=chart is not None)}
    for place, curve in enumerate(page.curves):
        there = place < len(charts)
        shown[curve] = gr.update(value=charts[place] if there else None, visible=there)
    return {**shown, page.facts: "".join(f"<p class='note plain'>{escape(one)}</p>" for one in about)}


def _checkpoints(steps: list[int]) -> list[tuple[str, str]]:
    each = [(f"step {step:,}", str(step)) for step in reversed(steps)]
    return [("best", "best"), ("newest", "latest"), (f"all {len(steps)}, as curves", "all"), *each]


def _problem(error: GanglionError) -> str:
    return note(sentence(str(error)), "bad")
