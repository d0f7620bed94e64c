"""The program of --script runs as it stands, and draws the model's image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganglion.exporting.export import export
from ganglion.exporting.layers import OUTPUTS, Output
from ganglion.exporting.script import script_text
from ganglion.latent.model import model_of
from untrained_models import untrained_model

KINDS: list[dict[str, Any]] = [
    {"channels": 1},
    {"channels": 2, "latent__prior": "uniform"},
    {"given": "classes", "latent__prior": "sphere"},
    {"channels": 4, "given": "attributes"},
    {"channels": 7, "data__shown_channels": (5, 3, 1)},
]


@pytest.mark.parametrize("asked", KINDS, ids=str)
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_program_is_short_and_compiles(asked: dict[str, Any], output: Output) -> None:
    text = script_text(Path("a/draw.py"), Path("b/g.onnx"), untrained_model(**asked), output)
    compile(text, "draw.py", "exec")
    assert "'../b/g.onnx'" in text
    assert len(text.splitlines()) < 35
    assert len([line for line in text.split('"""')[2].splitlines() if line.strip()]) <= 21


def test_the_program_of_a_model_that_is_from_no_run_shows_its_channels() -> None:
    gray = model_of(lambda z: z[:, :1, None, None].expand(-1, 1, 16, 16), dim=4)
    assert "[..., 0]" in script_text(Path("draw.py"), Path("g.onnx"), gray, "uint8")


@pytest.mark.parametrize(
    ("asked", "output"), [(KINDS[2], "uint8"), (KINDS[3], "float")], ids=["classes, uint8", "attributes, RGBA, float"]
)
def test_the_program_draws_the_image_of_its_seed(asked: dict[str, Any], output: Output, tmp_path: Path) -> None:
    model = untrained_model(**asked)
    export(model, onnx=tmp_path / "g.onnx", script=tmp_path / "sub" / "draw.py", output=output)
    command = [sys.executable, str(tmp_path / "sub" / "draw.py"), "5", str(tmp_path / "five.png")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    label = "0" if model.classes else "smiling=1,age=40,hair=dark"
    wanted = model.sample(1, seed=5, label=label)[0].astype(int)
    found = np.asarray(Image.open(tmp_path / "five.png")).astype(int)
    seen = (
        slice(None) if wanted.shape[2] == 3 else found[..., 3] > 128
    )  # of colours with little alpha few levels are kept
    assert np.abs(found - wanted)[seen].max() <= 2
