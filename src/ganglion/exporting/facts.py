"""What a file says of itself: as metadata, a value for each key, and in sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from ganglion.exporting.graphs import Graph
from ganglion.exporting.layers import Output
from ganglion.latent.model import Model
from ganglion.latent.single_file import is_single_file, read_single_file, without_paths
from ganglion.recipe.attributes import vector_names
from ganglion.recipe.resolve import recipe_text
from ganglion.recipe.schema import Recipe

__all__ = ["about", "checkpoint_name", "facts_of"]


def checkpoint_name(model: Model) -> str:
    """The step of a run's checkpoint, as its folder is named, also of one in a single file; empty for a model without."""
    found: Path | None = getattr(model, "checkpoint", None)
    if found is None:
        return ""
    return read_single_file(found).checkpoint if is_single_file(found) else found.name


def facts_of(model: Model, graph: Graph, output: Output) -> dict[str, str]:
    """Metadata of a file: what it holds, its inputs and outputs, classes or attributes, size, recipe."""
    recipe: Recipe | None = getattr(model, "recipe", None)
    facts = {
        "ganglion": version("ganglion"),
        "part": graph.part,
        "latent_dim": str(model.latent.dim),
        "prior": model.latent.prior,
        "inputs": json.dumps(_inputs(model, graph)),
        "output": _output(graph, output),
    }
    if recipe is None:
        return facts
    height, width = recipe.data.size or (0, 0)
    return facts | {
        "size": f"{height}x{width}",
        "channels": str(recipe.data.channels),
        "classes": json.dumps(list(model.classes), ensure_ascii=False),
        "attributes": json.dumps([column.model_dump(mode="json") for column in model.attributes], ensure_ascii=False),
        "condition_vector": json.dumps(list(vector_names(model.attributes)), ensure_ascii=False),
        "checkpoint": checkpoint_name(model),
        "recipe": recipe_text(without_paths(recipe)),
    }


def about(facts: Mapping[str, str]) -> str:
    """The same in sentences: what goes in, what comes out."""
    inputs = json.loads(facts["inputs"])
    lines = [f"The {facts['part']} of a generative adversarial network, made by Ganglion {facts['ganglion']}."]
    lines += [f"Input {name}: {text}." for name, text in inputs.items()]
    lines += [f"Output {facts['output']}.", "N is the number of images, any number from 1."]
    return "\n".join(lines)


DRAWN = {
    "normal": "numbers from N(0, 1)",
    "uniform": "numbers uniform on [-1, 1]",
    "sphere": "numbers from N(0, 1), which the file puts on the sphere of radius sqrt(Z)",
}


def _inputs(model: Model, graph: Graph) -> dict[str, str]:
    texts = {
        "z": f"float32 (N, {model.latent.dim}), {DRAWN[model.latent.prior]}",
        "labels": _labels(model),
        "truncation": "float32 (1,), 1 for the whole prior, less for more typical and less diverse images",
        "images": "float32 (N, C, H, W) in [-1, 1], 0 is -1 and 255 is 1; RGBA with colours premultiplied by alpha",
    }
    return {name: texts[name] for name in graph.inputs}


def _labels(model: Model) -> str:
    if not model.attributes:
        return f"int64 (N,), classes from 0 to {len(model.classes) - 1}"
    names = vector_names(model.attributes)
    return (
        f"float32 (N, {len(names)}), condition vectors: {', '.join(names)}; yes is 1 and no -1, of a class 1 is its own and 0 "
        "the others, a number is (value - mean) / std, the last number is always 1"
    )


def _output(graph: Graph, output: Output) -> str:
    if graph.part == "discriminator":
        return "logits: float32 (N,), or (N, P) of P places; larger is more real"
    if output == "uint8":
        return "images: uint8 (N, H, W, C), RGBA with straight alpha"
    return "images: float32 (N, C, H, W) in [-1, 1], RGBA with colours premultiplied by alpha"
