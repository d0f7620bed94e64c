"""User-supplied networks: any pair of modules, or a Python file that creates one.

N images, C channels, H height, W width, Z latent dimension, P places of a map of logits, A features of an image.
"""

from __future__ import annotations

import copy
import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.errors import RecipeError
from ganglion.networks.base import Discriminator
from ganglion.networks.layers import MinibatchDiscrimination, MinibatchStddev
from ganglion.networks.sampling import blank_labels
from ganglion.recipe.schema import Recipe

__all__ = [
    "AnyDiscriminator", "CustomNetworks", "WrappedDiscriminator", "WrappedGenerator", "digest_of", "files_of", "from_file",
    "from_modules", "mixes_images", "recorded", "run_file", "wrapped_copy",
]  # fmt: skip

WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class WrappedGenerator(nn.Module):
    """z (N, Z), and labels int64 (N,) or float32 (N, K) in a conditional run, to images (N, C, H, W) in [-1, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.network(z) if labels is None else self.network(z, labels)
        return images


class WrappedDiscriminator(nn.Module):
    """Images (N, C, H, W), and labels int64 (N,) or float32 (N, K) in a conditional run, to logits (N,), or (N, P) of a map."""

    needs_reference = False
    reference: Tensor | None = None

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return _as_logits(self._output(images, labels), images.shape[0])  # len() would fix N in an exported graph

    def trace(self, images: Tensor, labels: Tensor | None = None, layer: int | str = -1) -> tuple[Tensor, Tensor]:
        """Logits and features (N, A): the output of the module named `layer`, or for -1 the input of D's last layer
        with weights; of a D that has none of PyTorch's, the logits.
        """
        with recorded(self.network, layer) as kept:
            output = self._output(images, labels)
        logits = _as_logits(output, len(images))
        if not kept and layer != -1:
            raise RecipeError(f"objective.feature_matching.layer {layer!r}: D did not call this module")
        return logits, (kept[-1] if kept else logits).flatten(1)

    def features(self, images: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """Outputs of D's convolutions and linear layers in the order of their calls, but for the last: (N, A, ...)."""
        kept: list[Tensor] = []
        layers = [module for module in self.network.modules() if isinstance(module, WEIGHTED)]
        hooks = [layer.register_forward_hook(lambda _, __, output: kept.append(output)) for layer in layers]
        try:
            self._output(images, labels)
        finally:
            for hook in hooks:
                hook.remove()
        found = [output for output in kept if len(output) == len(images) and output.ndim > 1]
        yield from (output[..., None] if output.ndim == 2 else output for output in found[:-1] or found)

    def _output(self, images: Tensor, labels: Tensor | None) -> Any:
        return self.network(images) if labels is None else self.network(images, labels)


AnyDiscriminator = Discriminator | WrappedDiscriminator

COMPARING = (MinibatchDiscrimination, MinibatchStddev)


def mixes_images(discriminator: AnyDiscriminator) -> bool:
    """Whether D's logit of an image may depend on the rest of the batch, in the mode that it is in; of networks of one's own it
    is not known.
    """
    if isinstance(discriminator, WrappedDiscriminator):
        return True
    layers = list(discriminator.modules())
    normalised = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training for layer in layers)
    return normalised or any(isinstance(layer, COMPARING) for layer in layers)


@dataclass(frozen=True)
class CustomNetworks:
    """The origin of user-supplied networks: a file's content, or modules to copy. It can be pickled."""

    path: Path | None = None
    content: bytes = b""
    """Of the file, as it was read once."""
    modules: tuple[nn.Module, nn.Module] | None = None
    """G and D; never trained themselves."""

    @property
    def digests(self) -> tuple[str, str]:
        """Of G and of D: a run goes on with those that it began with."""
        if self.modules is None:
            return (hashlib.sha256(self.content).hexdigest(),) * 2
        return digest_of(self.modules[0]), digest_of(self.modules[1])

    def keys(self) -> dict[str, object]:
        """What a recipe says of these networks, by dotted key."""
        digests = zip(("generator", "discriminator"), self.digests, strict=True)
        return {
            f"{part}.{key}": value
            for part, digest in digests
            for key, value in (("family", "custom"), ("digest", digest), ("file", self.modules is None))
        }

    def build(self, recipe: Recipe) -> tuple[WrappedGenerator, WrappedDiscriminator]:
        """New networks with their first weights. Raises RecipeError."""
        generator, discriminator = self._make(recipe) if self.modules is None else map(_copied, self.modules)
        return WrappedGenerator(generator), WrappedDiscriminator(discriminator)

    def image_shape(self, recipe: Recipe) -> tuple[int, int, int] | None:
        """(C, H, W) of G's images in eval mode. None for a file, whose G may depend on the images, and for a G that does
        not take these latents: the check on one batch says what is wrong.
        """
        if self.modules is None:
            return None
        network = wrapped_copy(self.modules[0]).eval()
        device = next((weight.device for weight in network.parameters()), None)
        labels = blank_labels(recipe, 2, device)
        try:
            with torch.no_grad():
                shape = tuple(network(torch.zeros(2, recipe.latent.dim, device=device), labels).shape[1:])
        except Exception:  # whatever a foreign forward raises
            return None
        return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None

    def _make(self, recipe: Recipe) -> tuple[nn.Module, nn.Module]:
        module = run_file(self.path or Path("networks.py"), self.content)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(
                recipe.training.seed
            )  # PyTorch's layers draw their first weights from it
            return _made(module, "generator", recipe, self.path), _made(module, "discriminator", recipe, self.path)


def from_modules(generator: Any, discriminator: Any) -> CustomNetworks:
    """Two modules, of which copies are trained. Raises RecipeError for anything else."""
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, nn.Module):
            got = "nothing" if network is None else f"{type(network).__name__}"
            raise RecipeError(f"generator= and discriminator= take a torch.nn.Module each; {name} is {got}")
        if any(isinstance(weight, nn.parameter.UninitializedParameter) for weight in network.parameters()):
            raise RecipeError(f"{name} has lazy layers without weights yet: call it once on a batch before training")
        if other := [key for key, value in network.state_dict().items() if not isinstance(value, Tensor)]:
            raise RecipeError(
                f"{name} keeps {other[0]!r} in its state, which is no tensor and cannot be saved: make it one"
            )
    if {id(p) for p in generator.parameters()} & {id(p) for p in discriminator.parameters()}:
        raise RecipeError(
            "generator and discriminator share weights, and each is trained by its own loss: give each its own"
        )
    return CustomNetworks(modules=(_copied(generator), _copied(discriminator)))


def from_file(path: Path) -> CustomNetworks:
    """A Python file with functions `generator(recipe)` and `discriminator(recipe)`; it is run. Raises RecipeError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"--networks {path} cannot be read: {error.strerror or error}") from None
    run_file(path, content)
    return CustomNetworks(path, content)


def wrapped_copy(generator: nn.Module) -> WrappedGenerator:
    """A copy of G, as a run keeps it. Raises RecipeError."""
    return WrappedGenerator(_copied(generator))


def digest_of(network: nn.Module) -> str:
    """Changes with the class of a network, its modules, and the names and shapes of its tensors; not with their values."""
    shapes = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in network.state_dict().items()]
    shown = re.sub(r" at 0x[0-9a-fA-F]+", "", str(network))  # addresses of functions differ between processes
    return hashlib.sha256(repr((type(network).__qualname__, shown, shapes)).encode()).hexdigest()


@contextmanager
def recorded(network: nn.Module, layer: int | str) -> Iterator[list[Tensor]]:
    """While it lasts, the outputs of the module named `layer` are kept; for -1, the inputs of all layers with weights.

    A number names a module of an nn.Sequential. Raises RecipeError where there is no such module.
    """
    kept: list[Tensor] = []
    named = dict(network.named_modules())
    if layer == -1:
        hooks = [
            module.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
            for module in named.values()
            if isinstance(module, WEIGHTED)
        ]
    elif str(layer) in named:
        hooks = [named[str(layer)].register_forward_hook(lambda _, __, output: kept.append(output))]
    else:
        there = ", ".join(filter(None, named)) or "none"
        raise RecipeError(f"objective.feature_matching.layer: D has no module {str(layer)!r}; its modules are {there}")
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _as_logits(output: Any, n: int) -> Tensor:
    """(N,) or (N, P) of (N,), (N, 1) or a map (N, 1, H, W)."""
    if isinstance(output, Tensor) and output.is_floating_point() and output.ndim and output.shape[0] == n:
        if output.numel() == n:
            return output.reshape(n)
        if output.ndim > 2 and output.shape[1] == 1:
            return output.flatten(1)  # (N, P)
    came = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise RecipeError(f"D returned {came} for {n} images; logits are (N,), (N, 1) or a map (N, 1, H, W)")


def _copied(network: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever a foreign attribute raises
        raise RecipeError(
            f"{type(network).__name__} cannot be copied ({type(error).__name__}: {error}): a module must not keep results of "
            "its last call as attributes"
        ) from error


EXECUTED: dict[str, tuple[Path, bytes]] = {}
"""The files that this process has run, by the names of their modules."""


def files_of(network: nn.Module) -> list[tuple[Path, bytes]]:
    """The files that define classes of a network: another process has to run them before it can unpickle that."""
    names = dict.fromkeys(type(module).__module__ for module in network.modules())
    return [EXECUTED[name] for name in names if name in EXECUTED]


def run_file(path: Path, content: bytes) -> ModuleType:
    """The file as a module, run once in a process. Raises RecipeError."""
    name = f"ganglion_networks_{hashlib.sha256(content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and pickle look for a class's module there
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)
        for function in ("generator", "discriminator"):
            if not callable(getattr(module, function, None)):
                raise RecipeError(f"{path} has no function {function}(recipe); it needs generator and discriminator")
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, RecipeError) or not isinstance(error, Exception):
            raise
        raise RecipeError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    EXECUTED[name] = path, content
    return module


def _made(module: ModuleType, name: str, recipe: Recipe, path: Path | None) -> nn.Module:
    try:
        network = getattr(module, name)(recipe)
    except Exception as error:
        raise RecipeError(f"{path}: {name}(recipe) fails: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise RecipeError(f"{path}: {name}(recipe) returned {type(network).__name__}; a torch.nn.Module was expected")
    return network
