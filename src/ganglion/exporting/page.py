"""The page of `--web`: one HTML file with the generator and onnxruntime-web inside, which asks the network for nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganglion.errors import DataError, ExportError
from ganglion.exporting.runtime import MODULE, NAME, VERSION, WASM
from ganglion.latent.directions import sefa_directions
from ganglion.latent.model import Model
from ganglion.latent.single_file import without_paths
from ganglion.latent.walk import RANGES, influence
from ganglion.recipe.attributes import Attribute
from ganglion.report.render import for_script, stylesheet

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["PAGE_FILES", "SEEDS", "web_page"]

PAGE = Path(__file__).parent / "page"
PAGE_FILES = ("index.html", "LICENCES.txt")
SEEDS = 256
"""Seeds whose latents are those of `ganglion sample`; the page draws those of larger seeds itself."""
DIRECTIONS, DIMENSIONS = 8, 8
STRENGTH = 4.0
"""Steps along a direction, each way, as in reports."""
BASES = 2
"""Latents at which the influence of a dimension is measured."""
EXPORTED = re.compile(r"export\{([^}]*)\};?\s*(?://#.*)?\s*$")
LARGEST = 384 * 2**20
"""Bytes of a generator in a page: browsers limit the length of a text."""


def web_page(model: Model, onnx: bytes, runtime: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of PAGE_FILES by name. `onnx` is G with uint8 output, `runtime` of `runtime_files`. Raises ExportError."""
    if len(onnx) > LARGEST:
        raise ExportError(
            f"the generator has {len(onnx) / 2**20:.0f} MB, and a page holds {LARGEST / 2**20:.0f} MB at most: use --onnx"
        )
    library, script = _library(runtime[MODULE].decode()), _text("page.js")
    style = stylesheet() + _text("page.css")
    blocks = {
        "wasm": _packed(runtime[WASM]),
        "network": _packed(onnx),
        "latents": _packed(_rows([model.latents(1, seed)[0].cpu() for seed in range(SEEDS)])),
        "directions": _packed(_rows(_directions(model))),
    }
    recipe = getattr(model, "recipe", None)
    page = _templates().get_template("index.html").render(
        title=_title(model), facts=_facts(model), page=for_script(_settings(model)), blocks=blocks, seeds=SEEDS,
        library=_safe(library), script=_safe(script), style=_safe(style), version=version("ganglion"),
        library_name=f"{NAME} {VERSION}", classes=model.classes, attributes=model.attributes,
        policy=_policy([library, script], style), alpha=recipe is not None and recipe.data.channels == 4,
    )  # fmt: skip
    return {"index.html": page.encode(), "LICENCES.txt": _text("LICENCES.txt").encode()}


def _settings(model: Model) -> dict[str, Any]:
    """What the script needs besides the blocks."""
    recipe = getattr(model, "recipe", None)
    labels = model.labels(1)
    low, high = RANGES[model.latent.prior]
    height, width = (recipe.data.size if recipe else None) or tuple(model.generate(model.latents(1)).shape[2:])
    dims = influence(model, bases=BASES, labels=labels).argsort()[::-1][:DIMENSIONS]
    return {
        "dim": model.latent.dim,
        "prior": model.latent.prior,
        "height": height,
        "width": width,
        "shown": model.shown_channels,
        "seeds": SEEDS,
        "dimensions": dims.tolist(),
        "directions": len(_directions(model)),
        "range": [low, high],
        "strength": STRENGTH,
        "conditional": labels is not None,
        "attributes": [_control(column) for column in model.attributes],
    }


def _control(column: Attribute) -> dict[str, Any]:
    """What the script needs to make the numbers of the condition vector."""
    return {"kind": column.kind, "classes": len(column.classes), "mean": column.mean, "std": column.std}


def _directions(model: Model) -> list[Tensor]:
    """(Z,) each; none for a generator without a first layer that takes z."""
    try:
        return [vector.float() for vector in sefa_directions(model, DIRECTIONS).vectors]
    except DataError:
        return []


def _title(model: Model) -> str:
    recipe = getattr(model, "recipe", None)
    source = without_paths(recipe).data.source if recipe else None
    return f"Generator of {source}" if source else "Generator"


def _facts(model: Model) -> list[str]:
    recipe = getattr(model, "recipe", None)
    facts = [f"latent of {model.latent.dim} dimensions, {model.latent.prior} prior"]
    if recipe is not None:
        height, width = recipe.data.size or (0, 0)
        facts = [f"{height}x{width} pixels", *facts, f"recipe {recipe.name}"]
    if model.classes:
        facts.append(f"{len(model.classes)} classes")
    return facts


def _rows(vectors: list[Tensor]) -> bytes:
    """float32, little-endian."""
    return torch.stack(vectors).numpy().astype("<f4").tobytes() if vectors else b""


def _packed(content: bytes) -> str:
    """gzip, then base64; a browser unpacks it without a request."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _library(text: str) -> str:
    """The module as a script that leaves its names in `ort`: a module would have to be asked for from somewhere."""
    found = EXPORTED.search(text)
    if found is None:
        raise ExportError(f"{MODULE} does not end in its exports, so it cannot be put into a page")
    names = (pair.split(" as ") for pair in found[1].split(","))
    table = ",".join(f'"{pair[-1].strip()}":{pair[0].strip()}' for pair in names)
    return f"{text[: found.start()]};globalThis.ort={{{table}}};"


def _policy(scripts: list[str], style: str) -> str:
    """A content security policy: these scripts and this style by their hashes, WebAssembly, and no request to anywhere."""
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'wasm-unsafe-eval'; style-src 'sha256-{_sha256(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _safe(text: str) -> Any:
    """Our own code, not escaped. Raises ExportError where it would end its element."""
    from markupsafe import Markup

    if re.search(r"</(script|style)", text, re.IGNORECASE):
        raise ExportError("a script of the page contains its own end")
    return Markup(text)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _text(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
