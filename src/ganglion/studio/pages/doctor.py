"""The page Doctor: a log of any training, dropped or named; how it was read, the verdict, remedies."""

from __future__ import annotations

from typing import Any

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Verdict
from ganglion.errors import GanglionError
from ganglion.studio.fragments import rendered
from ganglion.studio.state import Studio

__all__ = ["build", "examined"]


def build(studio: Studio) -> None:
    """Creates the page in the current Blocks."""
    import gradio as gr

    gr.HTML(rendered("doctor_head.html"), padding=False, apply_default_css=False)
    with gr.Row(elem_classes="fields"):
        with gr.Column(scale=2, min_width=300):
            source = gr.Textbox(
                label="Log", info="A run, a file or a folder on this machine", placeholder="runs/mine, train.log",
                elem_id="source",
            )  # fmt: skip
            what = "console output, CSV, JSON, a notebook, or a folder of TensorBoard events"
            gr.HTML(
                rendered("drop.html", target="source", then="look", what=what), padding=False, apply_default_css=False
            )
            with gr.Accordion("If it is read wrongly", open=False):
                names = gr.Textbox(
                    label="Names", info="What the log calls things: d_loss=critic,g_loss=gen,step=it", max_lines=1
                )
                with gr.Row():
                    batch = gr.Number(label="Batch", info="Images in a batch", value=None, precision=0)
                    epoch = gr.Number(label="Epoch", info="Images in an epoch", value=None, precision=0)
                    run = gr.Number(label="Run", info="Of several in the log", value=None, precision=0)
            go = gr.Button("Diagnose", variant="primary", elem_id="look")
        with gr.Column(scale=3, min_width=320):
            found = gr.HTML(rendered("doctor_hint.html"), padding=False, apply_default_css=False, elem_id="diagnosis")
    form = [source, names, batch, epoch, run]
    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    go.click(lambda *fields: _shown(studio, *fields), form, found, **quiet)
    source.submit(lambda *fields: _shown(studio, *fields), form, found, **quiet)


def examined(
    studio: Studio,
    path: str,
    names: str = "",
    batch: int | None = None,
    epoch: int | None = None,
    run: int | None = None,
) -> Verdict:
    """The verdict on a log. Raises DataError."""
    return diagnose(
        studio.source(path, "log"), map=(names or "").strip(), batch=batch or None, images_per_epoch=epoch or None,
        run=run or None,
    )  # fmt: skip


def _shown(studio: Studio, *form: Any) -> str:
    try:
        verdict = examined(studio, *form)
    except (GanglionError, OSError) as error:
        return rendered("said.html", text=str(error), kind="problem")
    return rendered("doctor_found.html", verdict=verdict, understood=verdict.understood)
