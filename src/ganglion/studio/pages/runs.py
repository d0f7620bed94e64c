"""The page Runs: every run under the folder, live. Rows come from `/studio/live/runs`."""

from __future__ import annotations

from ganglion.studio.fragments import rendered
from ganglion.studio.state import Studio

__all__ = ["build"]


COLUMNS = [
    ("name", "Run", 1, "Name, recipe, images"),
    ("state", "Verdict", -1, "The doctor's verdict, and what it found"),
    ("changed", "Now", -1, "What happens in it, and when it last wrote a record"),
    (
        "score",
        "Score",
        1,
        "Best Fréchet distance of the averaged G's samples to real images under random features; lower is better",
    ),
    ("distance", "Distance", 1, "Relative distance: 0 as other real images, 1 as a Gaussian of the pixels"),
    ("kimg", "kimg", -1, "Thousands of real images shown to D"),
    ("speed", "Images/s", -1, "Real images shown to D per second, at the last record"),
]
"""Key, word, first direction of sorting, description."""
NUMERIC = {"score", "distance", "kimg", "speed"}


def build(studio: Studio) -> None:
    """Creates the page in the current Blocks."""
    import gradio as gr

    gr.HTML(rendered("runs.html", columns=COLUMNS, numeric=NUMERIC), padding=False, apply_default_css=False)
