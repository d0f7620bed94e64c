"""The page Doctor: a log of any training, dropped or named; how it was read, the verdict, remedies."""

from __future__ import annotations

from typing import Any

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError, GanglionError
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
                    batch = gr.Textbox(label="Batch", info="Images in it", max_lines=1)
                    epoch = gr.Textbox(label="Epoch", info="Images in it", max_lines=1)
                    run = gr.Textbox(label="Run", info="Of several", max_lines=1)
            go = gr.Button("Diagnose", variant="primary", elem_id="look")
        with gr.Column(scale=3, min_width=320):
            found = gr.HTML(rendered("doctor_hint.html"), padding=False, apply_default_css=False, elem_id="diagnosis")
    form = [source, names, batch, epoch, run]
    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    go.click(lambda *fields: _shown(studio, *fields), form, found, **quiet)
    source.submit(lambda *fields: _shown(studio, *fields), form, found, **quiet)


def examined(studio: Studio, path: str, names: str = "", batch: str = "", epoch: str = "", run: str = "") -> Verdict:
    """The verdict on a log; the last three are whole numbers as they were typed. Raises DataError."""
    return diagnose(
        studio.source(path or "", "log"), map=(names or "").strip(), batch=_count("Batch", batch),
        images_per_epoch=_count("Epoch", epoch), run=_count("Run", run),
    )  # fmt: skip


def _count(field: str, text: str) -> int | None:
    text = (text or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text[:15]) > 0 and len(text) < 15):
        raise DataError(f"{field}: expected a whole number from 1 on, or nothing; got {text[:40]!r}")
    return int(text)


def _shown(studio: Studio, *form: Any) -> str:
    try:
        verdict = examined(studio, *form)
    except (GanglionError, OSError) as error:
        return rendered("said.html", text=str(error), kind="problem")
    return rendered("doctor_found.html", verdict=verdict, understood=verdict.understood)
