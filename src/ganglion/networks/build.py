"""From a recipe to networks, and what they cost. A new family is one entry in each table."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ganglion.networks import dcgan, fastgan, r3gan, resnet, skip
from ganglion.networks.base import Discriminator, Generator, Head
from ganglion.networks.custom import CustomNetworks
from ganglion.networks.initialise import WEIGHTED, initialise
from ganglion.networks.layers import REFERENCE
from ganglion.networks.sampling import blank_labels, draw_labels, draw_latents
from ganglion.recipe.attributes import vector_names
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import Chain, chain_to
from ganglion.streams import Purpose, stream

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "Cost",
    "build_discriminator",
    "build_generator",
    "class_count",
    "class_counts",
    "cost_of",
]

FamilyName = Literal["dcgan", "resnet", "r3gan", "skip", "fastgan"]

GENERATORS: dict[FamilyName, Any] = {
    "dcgan": dcgan.generator,
    "resnet": resnet.generator,
    "r3gan": r3gan.generator,
    "skip": skip.generator,
    "fastgan": fastgan.generator,
}
DISCRIMINATORS: dict[FamilyName, Any] = {
    "dcgan": dcgan.discriminator,
    "resnet": resnet.discriminator,
    "r3gan": r3gan.discriminator,
    "skip": skip.discriminator,
    "fastgan": fastgan.discriminator,
}


def build_generator(recipe: Recipe) -> Generator:
    """G with the first weights that the recipe's seed gives: z (N, Z), labels (N,) to images (N, C, H, W) in [-1, 1].

    With virtual batch normalisation its reference has no attributes until those of training images are put there.
    """
    channels, chain = _image(recipe)
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw weights of their own; the caller's numbers stay his
        family = GENERATORS[_ours(recipe.generator.family)]
        network: Generator = family(recipe.generator, recipe.latent.dim, channels, chain, class_count(recipe))
    _initialise(network, recipe, Purpose.INIT_GENERATOR)
    if network.needs_reference:
        device, seed = next(network.parameters()).device, recipe.training.seed
        network.reference = draw_latents(recipe.latent, REFERENCE, stream(seed, Purpose.REFERENCE)).to(device)
        labels = draw_labels(class_counts(recipe), REFERENCE, stream(seed, Purpose.REFERENCE, 2))
        labels = blank_labels(recipe, REFERENCE) if labels is None else labels
        network.reference_labels = None if labels is None else labels.to(device)
    return network


def build_discriminator(recipe: Recipe) -> Discriminator:
    """D with the first weights that the recipe's seed gives: images (N, C, H, W), labels (N,) to logits (N,).

    With virtual batch normalisation its reference is black until real images are put there.
    """
    channels, chain = _image(recipe)
    with torch.random.fork_rng(devices=[]):
        # spectral norm's first vectors come from here; torch.manual_seed would seed the generators of all devices as well
        torch.default_generator.manual_seed(recipe.training.seed)
        family = DISCRIMINATORS[_ours(recipe.discriminator.family)]
        network: Discriminator = family(recipe.discriminator, channels, chain, class_count(recipe))
        if recipe.data.conditions and isinstance(network.head, Head):
            network.head.project_places()
        _initialise(network, recipe, Purpose.INIT_DISCRIMINATOR)
        if getattr(recipe.discriminator, "spectral_norm", False):
            _normalise_spectrally(network)
    if network.needs_reference:
        device = next(network.parameters()).device
        network.reference = torch.full((REFERENCE, channels, *(recipe.data.size or ())), -1.0, device=device)
    return network


def _ours(family: str) -> FamilyName:
    if family == "custom":
        raise ValueError("networks of one's own are built by CustomNetworks, not from a recipe alone")
    return cast(FamilyName, family)


def class_count(recipe: Recipe) -> int:
    """Number of classes that the networks are told apart, or of numbers in a condition vector; 0 for neither."""
    if not recipe.data.conditional:
        return 0
    if recipe.data.conditions:
        return len(vector_names(recipe.data.conditions))
    if not recipe.data.classes:
        raise ValueError("data.classes is settled before conditional networks are built")
    return len(recipe.data.classes)


def class_counts(recipe: Recipe) -> tuple[int, ...]:
    """Training images of each class, by which labels are drawn; empty for an unconditional recipe, or one with attributes."""
    if not recipe.data.conditional or recipe.data.conditions:
        return ()
    if not recipe.data.class_counts:
        raise ValueError("data.class_counts is settled before labels are drawn")
    return recipe.data.class_counts


def _image(recipe: Recipe) -> tuple[int, Chain]:
    size, channels = recipe.data.size, recipe.data.channels
    chain = chain_to(size) if size else None
    if chain is None or channels is None:
        raise ValueError("data.size and data.channels are settled before networks are built")
    return channels, chain


def _initialise(network: nn.Module, recipe: Recipe, purpose: Purpose) -> None:
    initialise(network, recipe.init, stream(recipe.training.seed, purpose))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub lacks this keyword


def _normalise_spectrally(network: nn.Module) -> None:
    """Divides each layer's weight by its largest singular value. Miyato et al. 2018, arXiv 1802.05957, section 2.1."""
    for layer in list(network.modules()):
        if isinstance(layer, (*WEIGHTED, nn.Embedding)):
            spectral_norm(layer)


class Cost(NamedTuple):
    parameters: int
    flops: int
    """Of a forward pass of one image; a multiplication and an addition count as two."""
    outputs: float = 0
    """Bytes that the operations of that pass write, in float32; what works in place writes none of its own."""

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.2f} M parameters, {self.flops / 1e6:.1f} MFLOP an image"


def cost_of(recipe: Recipe, own: CustomNetworks | None = None) -> tuple[Cost, Cost]:
    """Cost of G and of D. Nothing is computed: the networks are built on PyTorch's meta device.

    Networks of one's own are called on two images, since not every module can be called there.
    """
    if own is not None:
        return _cost_of_own(recipe, own)
    with torch.device("meta"):
        generator, discriminator = build_generator(recipe), build_discriminator(recipe)
        n = recipe.training.batch  # with a reference batch, the cost of an image depends on it
        labels = blank_labels(recipe, n)
        images = torch.empty(n, recipe.data.channels or 0, *(recipe.data.size or (0, 0)))
        latents = torch.empty(n, recipe.latent.dim)
    return _cost(generator, latents, labels), _cost(discriminator, images, labels)


def _cost_of_own(recipe: Recipe, own: CustomNetworks) -> tuple[Cost, Cost]:
    generator, discriminator = own.build(recipe)
    device = next(generator.parameters()).device
    labels = blank_labels(recipe, 2, device)
    images = torch.zeros(2, recipe.data.channels or 0, *(recipe.data.size or (0, 0)), device=device)
    latents = torch.zeros(2, recipe.latent.dim, device=device)
    with torch.random.fork_rng(devices=[]):  # dropout draws
        return _cost(generator.eval(), latents, labels), _cost(discriminator.to(device).eval(), images, labels)


def _cost(network: nn.Module, batch: torch.Tensor, labels: torch.Tensor | None) -> Cost:
    with torch.no_grad(), OutputCounter() as outputs, FlopCounterMode(display=False) as counter:
        network(batch, labels)
    parameters, n = sum(p.numel() for p in network.parameters()), len(batch)
    return Cost(parameters, counter.get_total_flops() // n, outputs.bytes / n)


class OutputCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of tensors that operations make; of views none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        taken = {_storage(x) for x in tree_leaves(args) if isinstance(x, torch.Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and _storage(tensor) not in taken:
                self.bytes += tensor.numel() * tensor.element_size()
        return made


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
