"""A Space of the Hub in which a model is explored: a Gradio page with the generator as ONNX, without PyTorch and Ganglion.

Its page is space/app.py.txt, sent as app.py; it is a program of its own and imports nothing of Ganglion.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ganglion.errors import DataError
from ganglion.exporting.export import export
from ganglion.hub.client import page
from ganglion.latent.directions import sefa_directions
from ganglion.latent.model import Model, trained_model
from ganglion.recipe.schema import Recipe

__all__ = ["space_files"]

GRADIO = "6.31.0"
"""The version that the page is tested with; the Hub installs it."""
REQUIREMENTS = "numpy\nonnxruntime\n"
DIRECTIONS = 6


def space_files(repository: str, model: Model, public: Recipe, licence: str | None) -> dict[str, bytes]:
    """The files of the Space by their names. `public` is the recipe without private names.

    Raises ExportError where the generator cannot be written as ONNX, or a package of the extra `export` is missing.
    """
    rows = model.training_rows
    without_names = trained_model(model.generator, public, model.device, rows=rows)
    return {
        "README.md": _settings(repository, licence).encode(),
        "app.py": files("ganglion.sharing").joinpath("space", "app.py.txt").read_bytes(),
        "requirements.txt": REQUIREMENTS.encode(),
        "explorer.json": json.dumps(_explorer(repository, model)).encode(),
        "generator.onnx": _onnx(without_names),
    }


def _settings(repository: str, licence: str | None) -> str:
    """https://huggingface.co/docs/hub/spaces-config-reference."""
    name = repository.partition("/")[2]
    tree: dict[str, Any] = {
        "title": name, "sdk": "gradio", "sdk_version": GRADIO, "app_file": "app.py", "license": licence or "unknown",
        "models": [repository], "tags": ["gan", "ganglion"],
    }  # fmt: skip
    text = f"A page that draws images with the generator of [{repository}]({page(repository)})."
    return f"---\n{yaml.safe_dump(tree, sort_keys=False)}---\n\n# {name}\n\n{text}\n"


def _explorer(repository: str, model: Model) -> dict[str, Any]:
    directions: list[list[float]] = []
    with suppress(DataError):  # needs access to the first layer
        directions = sefa_directions(model, DIRECTIONS).vectors.float().tolist()
    return {
        "model": repository, "name": repository.partition("/")[2], "page": page(repository), "directions": directions,
        "shown_channels": model.shown_channels,
    }  # fmt: skip


def _onnx(model: Model) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ganglion-") as passing:
        path = Path(passing) / "generator.onnx"
        export(model, onnx=path)
        return path.read_bytes()
