"""A program of about twenty lines that draws an image from an exported ONNX file, without Ganglion or PyTorch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ganglion.exporting.layers import Output
from ganglion.latent.model import Model
from ganglion.recipe.attributes import CONSTANT, Attribute
from ganglion.recipe.schema import Prior
from ganglion.streams import Purpose

__all__ = ["script_text"]

DRAWS: dict[Prior, str] = {
    "normal": "random.standard_normal((1, {dim}), np.float32),",
    "uniform": "random.random((1, {dim}), np.float32) * 2 - 1,",
    "sphere": "random.standard_normal((1, {dim}), np.float32),  # the file puts it on the sphere",
}
"""NumPy's code for the latent of `Model.latents(1, seed)`, by prior."""

HEAD = '''"""Draws an image with the generator in {onnx}: python {script} [SEED] [FILE.png]

The same seed gives the same image as: ganglion sample RUN --n 1 --seed SEED{label}
Needs: pip install onnxruntime numpy pillow
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
file = sys.argv[2] if len(sys.argv) > 2 else f"seed-{{seed}}.png"

random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, {purpose}, 0))))
inputs = {{
    "z": {z}
    "truncation": np.array([1], np.float32),  # less: more typical and less diverse images
'''

TAIL = """}}
session = onnxruntime.InferenceSession(str(Path(__file__).parent / {path!r}), providers=["CPUExecutionProvider"])
(images,) = session.run(["images"], inputs)
{pixels}
Image.{image}.save(file)
print(file)
"""

UINT8 = "pixels = images[0]{channels}  # uint8 (height, width, channels)"
FLOAT = """pixels = ((images[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8){channels}"""


def script_text(script: Path, onnx: Path, model: Model, output: Output) -> str:
    """The program, to be written as `script`; it finds the ONNX file relative to itself."""
    labels, label = _labels(model)
    z = DRAWS[model.latent.prior].format(dim=model.latent.dim)
    head = HEAD.format(onnx=onnx.name, script=script.name, label=label, purpose=int(Purpose.SAMPLE), z=z)
    path = Path(os.path.relpath(onnx.resolve(), script.resolve().parent)).as_posix()
    count = _shown(model)
    pixels = (UINT8 if output == "uint8" else FLOAT).format(channels=count[1])
    image = "fromarray(pixels)"
    if output == "float" and count[0] == 4:
        image = 'frombytes("RGBa", pixels.shape[1::-1], pixels.tobytes()).convert("RGBA")'
    return head + labels + TAIL.format(path=path, pixels=pixels, image=image)


def _labels(model: Model) -> tuple[str, str]:
    """The line of the input, and the option of `ganglion sample` for the same."""
    if model.attributes:
        numbers, words = zip(*(_default(column) for column in model.attributes), strict=True)
        label = ",".join(words)
        line = _line([one for part in numbers for one in part], model.attributes)
        return line, f" --label {label}" if re.fullmatch(r"[\w=.,-]+", label) else " and those labels"
    if not model.classes:
        return "", ""
    names = ", ".join(f"{i}: {name}" for i, name in enumerate(model.classes[:12]))
    more = ", ..." if len(model.classes) > 12 else ""
    return f'    "labels": np.array([0], np.int64),  # classes: {_one_line(names)}{more}\n', " --label 0"


def _line(numbers: list[float], columns: tuple[Attribute, ...]) -> str:
    names = ", ".join(name for column in columns for name in column.vector_names)
    vector = ", ".join(f"{number:g}" for number in [*numbers, 1])
    return f'    "labels": np.array([[{vector}]], np.float32),  # {_one_line(names)}, {CONSTANT}\n'


def _default(column: Attribute) -> tuple[list[float], str]:
    """The numbers of a condition vector for a value of the column, and the value in words."""
    if column.kind == "class":
        return [1.0] + [0.0] * (len(column.classes) - 1), f"{column.name}={column.classes[0]}"
    if column.kind == "yes-no":
        return [1.0], f"{column.name}=1"
    return [0.0], f"{column.name}={column.mean:g}"


def _shown(model: Model) -> tuple[int, str]:
    """How many channels are shown, and the index that chooses them."""
    recipe = getattr(model, "recipe", None)
    count = (recipe.data.channels if recipe else None) or model.generate(model.latents(1)).shape[1]
    if model.shown_channels is not None:
        return 3, f"[..., {list(model.shown_channels)}]"
    if count <= 2:
        return 1, "[..., 0]"
    return (count, "") if count <= 4 else (3, "[..., :3]")


def _one_line(text: str) -> str:
    """Names of classes are anyone's: nothing of them may end the comment."""
    return " ".join(text.split()).encode("unicode_escape").decode() if not text.isprintable() else text
