"""Events of all pages: one that brings a new value is not dropped while the one before it is still worked on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gradio")
VALUES = {"change", "input", "release", "upload", "clear", "select"}
EVENTS = """
import json, pathlib, sys
from ganglion.studio.app import blocks
from ganglion.studio.state import Studio
place = pathlib.Path(sys.argv[1])
print(json.dumps([(event, one.trigger_mode) for one in blocks(Studio(place, place)).fns.values() for _, event in one.targets]))
"""
"""In a process of its own, since Gradio leaves event loops open."""


def test_a_value_that_comes_while_another_is_shown_is_shown_after_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVENTS, str(tmp_path)], capture_output=True, text=True, check=True, timeout=300
    )
    of_values = [mode for event, mode in json.loads(done.stdout) if event in VALUES]
    assert len(of_values) >= 12
    assert {*of_values} == {"always_last"}
