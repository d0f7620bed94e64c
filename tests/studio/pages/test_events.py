"""Events of all pages: one that brings a new value is not dropped while the one before it is still worked on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganglion.studio.state import Studio

pytest.importorskip("gradio")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Gradio and what it imports
VALUES = {"change", "input", "release", "upload", "clear", "select"}


def test_a_value_that_comes_while_another_is_shown_is_shown_after_it(tmp_path: Path) -> None:
    from ganglion.studio.app import blocks

    found = [
        (event, one.trigger_mode) for one in blocks(Studio(tmp_path, tmp_path)).fns.values() for _, event in one.targets
    ]
    of_values = [mode for event, mode in found if event in VALUES]
    assert len(of_values) >= 12
    assert {*of_values} == {"always_last"}
