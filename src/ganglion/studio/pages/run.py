"""The page of one run, named by ?run=NAME: verdict with remedies, samples, charts, findings, recipe; live while it trains."""

from __future__ import annotations

from ganglion.studio.fragments import rendered
from ganglion.studio.state import Studio

__all__ = ["build"]


def build(studio: Studio) -> None:
    """Creates the page in the current Blocks. Its parts come from `/studio/live/run`, its charts from `/studio/charts`."""
    import gradio as gr

    gr.HTML(rendered("run.html"), padding=False, apply_default_css=False)
