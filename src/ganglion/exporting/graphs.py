"""G and D of a model as graphs with named inputs, and what PyTorch makes of the same inputs.

N images, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganglion.errors import ExportError
from ganglion.exporting.layers import (
    ConditionalDiscriminatorGraph,
    ConditionalGeneratorGraph,
    DiscriminatorGraph,
    GeneratorGraph,
    Output,
    exportable,
)
from ganglion.latent.model import Model

__all__ = ["CHECKED", "Graph", "discriminator_graph", "generator_graph"]

CHECKED = 64
"""Latents with which a file is compared with PyTorch."""
SEED = 0
TRUNCATION = "truncation"

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class Graph:
    """A network to export."""

    part: str
    """generator or discriminator."""
    module: nn.Module
    inputs: Inputs
    """CHECKED of each by name, in the order in which the module takes them; truncation is one number (1,)."""
    output: str
    """Its name, images or logits."""
    reference: Callable[[Inputs], Tensor]
    """What the model itself makes of such inputs."""

    def batch(self, first: int, n: int, truncation: float = 1.0) -> dict[str, Tensor]:
        """n of the inputs."""
        some = {name: rows if name == TRUNCATION else rows[first : first + n] for name, rows in self.inputs.items()}
        return some | ({TRUNCATION: torch.tensor([truncation])} if TRUNCATION in some else {})

    @property
    def batched(self) -> list[str]:
        """Names of the inputs with a row for each image."""
        return [name for name in self.inputs if name != TRUNCATION]


def generator_graph(model: Model, output: Output) -> Graph:
    """G, with labels for a conditional model. Raises ExportError for a generator that is a plain function."""
    if model.network is None:
        raise ExportError("this generator is a plain function: only a torch.nn.Module can be exported")
    labels = model.labels(CHECKED, SEED)
    kind = GeneratorGraph if labels is None else ConditionalGeneratorGraph
    of_a_run = getattr(model, "recipe", None) is not None  # of another generator it is not known what alpha means
    module = kind(exportable(model.generator), model.latent, output, straight=of_a_run).eval()
    given = {} if labels is None else {"labels": labels.cpu()}
    inputs = {"z": model.latents(CHECKED, SEED).cpu(), **given, TRUNCATION: torch.ones(1)}

    def reference(inputs: Inputs) -> Tensor:
        z, labels = inputs["z"] * inputs[TRUNCATION], inputs.get("labels")
        return torch.from_numpy(model.pixels(z, labels)) if output == "uint8" else model.generate(z, labels).cpu()

    return Graph("generator", module, inputs, "images", reference)


def discriminator_graph(model: Model, discriminator: nn.Module) -> Graph:
    """D, which is on the model's device, to be compared on images of G."""
    labels = model.labels(CHECKED, SEED)
    kind = DiscriminatorGraph if labels is None else ConditionalDiscriminatorGraph
    images = model.generate(model.latents(CHECKED, SEED), labels).cpu().contiguous()
    inputs = {"images": images} | ({} if labels is None else {"labels": labels.cpu()})

    def reference(inputs: Inputs) -> Tensor:
        with torch.no_grad():
            logits: Tensor = discriminator(*(tensor.to(model.device) for tensor in inputs.values()))
        return logits.cpu()

    return Graph("discriminator", kind(exportable(discriminator)).eval(), inputs, "logits", reference)
