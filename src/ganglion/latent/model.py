"""A generator, ready for use: a trained one of ours, or anyone's function from latents to images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.alpha import straight
from ganglion.data.pixels import to_uint8
from ganglion.errors import RunError
from ganglion.hub.names import is_hub_model
from ganglion.latent.conditions import Asked, Conditions
from ganglion.latent.one_file import opened
from ganglion.latent.own_networks import load_weights, own_discriminator, own_generator
from ganglion.latent.shares import drawn_over_processes
from ganglion.latent.single_file import is_single_file
from ganglion.latent.single_file_networks import single_file_discriminator
from ganglion.networks.build import build_discriminator, build_generator, class_counts
from ganglion.networks.custom import AnyDiscriminator
from ganglion.networks.sampling import CHUNK, draw_labels, draw_latents, generate_chunks
from ganglion.pictures.image_array import ImageArray
from ganglion.recipe.attributes import Attribute
from ganglion.recipe.schema import Latent, Prior, Recipe
from ganglion.runs.checkpoints import load_discriminator, load_generator
from ganglion.runs.folder import Run
from ganglion.streams import Purpose, stream

__all__ = ["Label", "Model", "discriminator_of", "for_each", "gathered", "load", "model_of", "trained_model"]


Draw = Callable[[Tensor, Tensor | None], Iterator[Tensor]]
"""z (N, Z) and labels (N,) or (N, K) to float images (n, C, H, W) in [-1, 1], chunk by chunk."""

Label = str | int | Asked
"""A class by name or number; of a model with attributes some of their values, as `smiling=1,age=30` or a mapping."""


class Model:
    """A generator with its prior: equal latents give equal pixels, and memory is constant in their number."""

    def __init__(
        self,
        latent: Latent,
        draw: Draw,
        device: torch.device,
        network: nn.Module | None = None,
        classes: tuple[str, ...] = (),
        class_counts: tuple[int, ...] = (),
        recipe: Recipe | None = None,
        checkpoint: Path | None = None,
        discriminator: nn.Module | None = None,
        conditions: Conditions | None = None,
        origin: str = "",
    ) -> None:
        self.latent, self.device, self.classes = latent, device, classes
        """Prior and dimensions of z; the device; names of the classes."""
        self.network = network
        """The generator itself, in eval mode; None for a plain function."""
        self.origin = origin or ("" if checkpoint is None else f"checkpoint {checkpoint.name}")
        """Where the weights are from: `checkpoint 00012000`, a file, `hf:OWNER/NAME@COMMIT`; empty for another one."""
        self._recipe, self._checkpoint, self._draw, self._class_counts = recipe, checkpoint, draw, class_counts
        self._discriminator, self._conditions = discriminator, conditions

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The columns of a labels file that the model is conditioned on: names, kinds, ranges, classes; empty without."""
        return self._conditions.columns if self._conditions else ()

    @property
    def training_rows(self) -> NDArray[np.float32] | None:
        """Attributes (M, A) of training images, NaN where there is no value; None without attributes."""
        return self._conditions.rows if self._conditions else None

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run. Raises AttributeError for a generator that is not from a run."""
        if self._recipe is None:
            raise AttributeError("this generator is not from a run, so there is no recipe")
        return self._recipe

    @property
    def shown_channels(self) -> tuple[int, int, int] | None:
        """Channels to show as red, green and blue; None: the default ones."""
        return None if self._recipe is None else self._recipe.data.shown_channels

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the run. Raises AttributeError for a generator that is not from a run."""
        if self._checkpoint is None:
            raise AttributeError("this generator is not from a run, so there is no checkpoint")
        return self._checkpoint

    @property
    def generator(self) -> nn.Module:
        """The network. Raises AttributeError for a generator that is a plain function."""
        if self.network is None:
            raise AttributeError("this generator is a plain function, not a torch.nn.Module")
        return self.network

    def latents(self, n: int, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """n latents as float32 (n, Z) on the model's device; the first k of n are those of `latents(k, seed)`.

        `truncation` below 1 scales them towards the mean of the prior, which trades diversity for fidelity (Brock et al.
        2018, arXiv 1809.11096, section 3.1; here by scaling, as in StyleGAN, not by resampling).
        """
        if n < 1:
            raise ValueError(f"n must be at least 1; got {n}")
        return truncation * draw_latents(self.latent, n, stream(seed, Purpose.SAMPLE)).to(self.device)

    def labels(self, n: int, seed: int = 0, label: Label | None = None) -> Tensor | None:
        """n classes as int64 (n,): all of them `label` (a name or a number), or random; None for a model without classes.

        Of a model with attributes, condition vectors float32 (n, K): with the values in `label`, and all others those of random
        training images that agree with these. Random classes and attributes have the frequencies of the training images, so
        that samples are comparable with these. Raises ValueError for an unknown class, attribute or value.
        """
        if self._conditions is not None:
            return torch.from_numpy(self._conditions.draw(n, seed, self._asked(label))).to(self.device)
        if label is not None:
            return torch.full((n,), self._class(label), device=self.device)
        drawn = draw_labels(self._class_counts, n, stream(seed, Purpose.LABEL))
        return None if drawn is None else drawn.to(self.device)

    def remark(self, label: Label | None) -> str:
        """A sentence where no training image has the values in `label`; empty otherwise. Raises ValueError as `labels`."""
        return self._conditions.remark(self._asked(label)) if self._conditions else ""

    def generate(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z (N, Z), and labels (N, ...) or one for all (1, ...) for a conditional model, to float images (N, C, H, W) in
        [-1, 1].

        Of 4 channels, RGBA, colours are premultiplied with alpha; `pixels` and `sample` give them straight.

        Each image depends on its own latent and label only. Without labels, a conditional model draws them with seed 0.
        """
        return torch.cat(list(self.chunks(z, labels)))

    def chunks(self, z: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """The same, in chunks."""
        z = z.to(self.device, torch.float32)
        return self._draw(z, self.labels(len(z)) if labels is None else for_each(labels.to(self.device), len(z)))

    def pixels(self, z: Tensor, labels: Tensor | None = None) -> NDArray[np.uint8]:
        """The images of latents as uint8 (N, H, W, C); a notebook shows them."""
        images = np.concatenate([self._edge(to_uint8(chunk).cpu().numpy()) for chunk in self.chunks(z, labels)])
        return ImageArray(images, self.shown_channels)

    def sample(
        self, n: int, seed: int = 0, label: Label | None = None, truncation: float = 1.0, devices: int = 1
    ) -> NDArray[np.uint8]:
        """n images as uint8 (n, H, W, C), of class `label` or with its attributes if given; equal arguments give equal images.

        A notebook shows the array as images. Memory other than the images is constant in n. With several `devices` as many
        processes draw a share each: on CUDA devices of their own, or on shares of the CPU's cores.
        """
        return ImageArray(gathered(self.sample_chunks(n, seed, label, truncation, devices), n), self.shown_channels)

    def sample_chunks(
        self, n: int, seed: int = 0, label: Label | None = None, truncation: float = 1.0, devices: int = 1
    ) -> Iterator[NDArray[np.uint8]]:
        """The images of `sample`, a few at a time: memory other than the latents' is constant in n."""
        z, labels = self.latents(n, seed, truncation), self.labels(n, seed, label)
        if devices > 1:
            return map(self._edge, drawn_over_processes(self.generator, z, labels, self.device, devices))
        return (self._edge(to_uint8(chunk).cpu().numpy()) for chunk in self.chunks(z, labels))

    def _edge(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """With straight alpha; what alpha means to a generator that is not from a run is not known, so its pixels stay."""
        return pixels if self._recipe is None else straight(pixels)

    def _asked(self, label: Label | None) -> str | Asked | None:
        return str(label) if isinstance(label, int) else label

    def _class(self, label: Label) -> int:
        if not self.classes:
            raise ValueError(f"this model has no classes: leave the label out; got {label!r}")
        if str(label) in self.classes:
            return self.classes.index(str(label))
        if str(label).isdecimal() and int(str(label)) < len(self.classes):
            return int(str(label))
        names = ", ".join(self.classes[:20]) + (", ..." if len(self.classes) > 20 else "")
        raise ValueError(f"there is no class {label!r}; classes are {names} (or their numbers from 0)")


def for_each(labels: Tensor, n: int) -> Tensor:
    """Labels (1, ...) for n images, without copies; those of n images as they are."""
    return labels.expand(n, *labels.shape[1:])


def load(
    run: str | Path | Run,
    checkpoint: str | int = "best",
    device: str | torch.device = "cpu",
    *,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
) -> Model:
    """The averaged generator of a run, in eval mode and float32. `checkpoint` is best, latest or a step.

    `run` may also be one file, with one checkpoint: FILE.safetensors of `ganglion export`, or "hf:OWNER/NAME[@REVISION]", which
    `ganglion push` has sent to the Hugging Face Hub (a branch, tag or commit; none: the newest). The latter has to have the
    hash that its repository states, loads without a network once it was downloaded, and comes without D.

    For a run that was trained on modules of your own, pass them again: `generator`, and `discriminator` for `discriminator_of`.
    Copies of them get the run's weights. For a run that was trained on a file of networks, its copy in the run folder,
    networks.py, is executed if its hash is the one in the recipe: read a stranger's file before you load the run. Nothing
    is unpickled, and of any other run, and of a model from the Hub, nothing is executed.

    Raises RunError, CheckpointError, HubError, and RecipeError for a networks.py that fails.
    """
    if not isinstance(run, Run) and (is_hub_model(run) or is_single_file(run)):
        file, chosen = opened(run, checkpoint, generator, discriminator), torch.device(device)
        content, network = file.content, file.network.to(chosen)
        return trained_model(network, content.recipe, chosen, file.path, discriminator, content.rows, file.origin)
    folder = run if isinstance(run, Run) else Run(run)
    recipe, kept = folder.recipe, folder.checkpoint(checkpoint)
    if recipe.generator.family != "custom" and (generator is not None or discriminator is not None):
        raise RunError(
            f"{folder.path} was not trained on networks of your own: leave out generator= and discriminator="
        )
    network = own_generator(folder, generator) if recipe.generator.family == "custom" else build_generator(recipe)
    load_weights(load_generator, kept, network, folder)
    return trained_model(
        network.to(device).eval().requires_grad_(False), recipe, torch.device(device), kept, discriminator,
        folder.training_rows() if recipe.data.conditions else None,
    )  # fmt: skip


def trained_model(
    network: nn.Module, recipe: Recipe, device: torch.device, checkpoint: Path | None = None,
    discriminator: nn.Module | None = None, rows: NDArray[np.float32] | None = None, origin: str = "",
) -> Model:  # fmt: skip
    """The model of a recipe's generator, in eval mode; without a checkpoint it is that of a training under way.

    `rows` (M, A) are the attributes of training images, for a recipe with some.
    """
    classes = (recipe.data.classes or ()) if recipe.data.conditional else ()

    def draw(z: Tensor, labels: Tensor | None) -> Iterator[Tensor]:
        return generate_chunks(network, z, labels)

    conditions = Conditions(recipe.data.conditions, rows) if recipe.data.conditions and rows is not None else None
    counts = class_counts(recipe)
    return Model(
        recipe.latent, draw, device, network, classes, counts, recipe, checkpoint, discriminator, conditions, origin
    )


def model_of(
    generator: Callable[..., Tensor], dim: int, prior: Prior = "normal", device: str | torch.device = "cpu"
) -> Model:
    """Any generator as a model: a network, or a function of z (N, dim) that returns images (N, C, H, W) in [-1, 1].

    A network's mode is not changed: put it into eval mode first.
    """

    def draw(z: Tensor, labels: Tensor | None) -> Iterator[Tensor]:
        for first in range(0, len(z), CHUNK):
            with torch.no_grad():
                yield generator(z[first : first + CHUNK])

    network = generator if isinstance(generator, nn.Module) else None
    return Model(Latent(dim=dim, prior=prior), draw, torch.device(device), network)


def discriminator_of(model: Model, discriminator: nn.Module | None = None) -> AnyDiscriminator | None:
    """D of the same checkpoint, in eval mode; None for a generator that is not from a run, or from a file without D.

    `discriminator`: the module, for a run that was trained on modules of your own, unless `load` was given it.
    Raises RunError, CheckpointError.
    """
    if model._recipe is None or model._checkpoint is None:
        return None
    own = discriminator if discriminator is not None else model._discriminator
    if is_single_file(model._checkpoint):
        found = single_file_discriminator(model._checkpoint, own)
        return None if found is None else found.to(model.device)
    run = Run(model._checkpoint.parent.parent)
    network: AnyDiscriminator
    custom = model._recipe.discriminator.family == "custom"
    network = own_discriminator(run, own) if custom else build_discriminator(model._recipe)
    load_weights(load_discriminator, model._checkpoint, network, run)
    return network.to(model.device).eval().requires_grad_(False)


def gathered(chunks: Iterator[NDArray[np.uint8]], n: int) -> NDArray[np.uint8]:
    """Images (n, H, W, C) that come in chunks, as one array that is allocated once."""
    first = next(chunks)
    images = np.empty((n, *first.shape[1:]), np.uint8)
    images[: len(first)], done = first, len(first)
    for chunk in chunks:
        images[done : done + len(chunk)] = chunk
        done += len(chunk)
    return images
