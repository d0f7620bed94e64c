"""The recipe: everything that determines a run, as typed, frozen data. Independent of networks, images and devices.

Each choice is a `Literal`, defined once; help, validation and the tables that build the parts follow it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ganglion.recipe.attributes import Attribute
from ganglion.recipe.conflicts import conflicts
from ganglion.recipe.networks import DcganDiscriminator, DcganGenerator, Discriminator, Generator
from ganglion.recipe.parts import Augment, Balance, NoAugment, Objective, Optimizers, Part
from ganglion.recipe.size import Size, parse_size

__all__ = [
    "MOST_CHANNELS",
    "Box",
    "Channels",
    "CudaGraph",
    "Data",
    "Duplicates",
    "Ema",
    "FitPolicy",
    "Init",
    "InitScheme",
    "Latent",
    "Precision",
    "Prior",
    "Recipe",
    "Resample",
    "Sampling",
    "Training",
    "Trim",
]


MOST_CHANNELS = 64

Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]

FitPolicy = Literal["auto", "crop", "pad", "stretch"]

Trim = Literal["auto", "off", "each", "common"]

Resample = Literal["auto", "lanczos", "nearest"]

Duplicates = Literal["keep", "drop"]

Share = Annotated[float, Field(ge=0, le=1)]

Box = tuple[Share, Share, Share, Share]

InitScheme = Literal["normal", "xavier", "kaiming", "orthogonal"]

Precision = Literal["auto", "32", "bf16"]

CudaGraph = Literal["auto", "on", "off"]

Prior = Literal["normal", "uniform", "sphere"]

Sampling = Literal["frequency", "balanced"]


def _as_names(value: object) -> object:
    """`smiling,young` as a list; YAML reads a column called 1 as a number, and one called no as False."""
    if isinstance(value, list | tuple):
        return [_as_text(name) for name in value]
    return None if value is None else [name.strip() for name in str(_as_text(value)).split(",")]


def _as_text(value: object) -> object:
    """What YAML reads as a number, or as True or False, as it is written."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | float) else value


def _on_or_off(value: object) -> object:
    """YAML reads on and off as True and False."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class Data(Part):
    source: str | None = None
    """Source of the images: a folder, zip, store, IDX file or data set's name. None: given by the caller."""
    data_dir: str | None = None
    """A local copy of a named data set. None: downloaded."""
    size: Annotated[Size, BeforeValidator(parse_size)] | None = None
    """Height and width in pixels, written 64 or 96x64. None: chosen from the images."""
    channels: Channels | None = None
    """1 gray, 3 RGB, 4 RGB with alpha; an array may have any number up to 64. None: chosen from the images."""
    shown_channels: tuple[int, int, int] | None = None
    """Channels, counted from 0, shown as red, green and blue on sheets. None: all channels of images with 1, 3 or 4, of 2 the
    first as gray, of more the first three."""
    fit: FitPolicy = "auto"
    """How an image of another aspect ratio is fitted: crop its centre, pad its short side with what continues its border, or
    stretch it. auto: chosen from aspect ratios and borders."""
    trim: Annotated[Trim, BeforeValidator(_on_or_off)] = "auto"
    """Whether empty margins are cut off first: each image to its own content; common, the same part of every image; or off.
    auto: chosen from the margins."""
    trim_box: Box | None = None
    """The part kept by trim common: left, top, right, bottom as shares of width and height. Filled in by auto."""
    resample: Resample = "auto"
    """Filter of the resizing. nearest keeps pixels sharp where an image is enlarged, by whole factors where it is padded.
    auto: nearest for pixel art, otherwise lanczos."""
    white_level: float | None = Field(None, gt=0)
    """Value of gray images of 16 or 32 bits that is shown as white. None: chosen from the largest value of all images."""
    duplicates: Duplicates = "keep"
    """Whether images that equal an earlier one pixel by pixel are kept or dropped."""
    held_out_images: int | None = Field(None, ge=0)
    """Images held out from training, to measure overfitting of D. None: a twentieth, at most 500, or none of fewer than 320."""
    conditional: bool = False
    """Whether G and D are conditioned on the class, which every image needs, or on the columns of a labels file."""
    labels: Annotated[str, BeforeValidator(_on_or_off)] = Field("auto", min_length=1)
    """Where labels come from: a file in or beside the images, by its name; folders; auto: labels.csv or the like where there
    is one, otherwise folders."""
    attributes: Annotated[tuple[str, ...], BeforeValidator(_as_names), Field(min_length=1)] | None = None
    """Columns of the labels file to condition on; NAME:class takes whole numbers as classes. None: all that can be used."""
    sampling: Sampling = "frequency"
    """How often a class is shown in training: by its frequency, or, balanced, all classes equally often; conditional runs."""
    conditions: tuple[Attribute, ...] = ()
    """The columns that G and D are conditioned on, filled in when the images have been read and conditional is set."""
    classes: tuple[str, ...] | None = None
    """Names of the classes, filled in when the images have been read and conditional is set."""
    class_counts: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Training images per class, filled in with classes: the frequencies with which classes are sampled."""
    content: str | None = None
    """Hash of the images and labels, filled in when they have been read; a run cannot continue with another hash."""

    @model_validator(mode="after")
    def _shown_are_there(self) -> Self:
        last = (self.channels or MOST_CHANNELS) - 1
        if wrong := [shown for shown in self.shown_channels or () if not 0 <= shown <= last]:
            raise ValueError(f"shown_channels contains channel {wrong[0]}; there are 0 to {last}: choose three of them")
        return self

    @model_validator(mode="after")
    def _box_has_an_area(self) -> Self:
        if self.trim == "common" and self.trim_box is None:
            raise ValueError("trim common needs trim_box: left, top, right, bottom, such as [0.1, 0.1, 0.9, 0.9]")
        if self.trim_box and (self.trim_box[0] >= self.trim_box[2] or self.trim_box[1] >= self.trim_box[3]):
            raise ValueError(f"trim_box {list(self.trim_box)} is empty: it is left, top, right, bottom, from 0 to 1")
        return self


class Latent(Part):
    dim: int = Field(100, ge=1, le=4096)
    """Dimensions of the latent z."""
    prior: Prior = "normal"
    """Distribution of z: normal N(0, 1), uniform on [-1, 1], or uniform on the sphere of radius sqrt(dim)."""


class Init(Part):
    scheme: InitScheme = "normal"
    """Distribution of the initial weights: normal N(0, std), xavier uniform, kaiming normal, orthogonal."""
    std: float = Field(0.02, gt=0)
    """Standard deviation of the scheme normal; the other schemes compute theirs."""


class Ema(Part):
    halflife_kimg: float = Field(10, ge=0)
    """Half-life of the average of G's weights, in thousands of images; 0: no averaging."""
    rampup_ratio: float | None = Field(0.05, gt=0)
    """The half-life is at most this share of the images shown so far, so that the average is usable early. None: no ramp."""


class Training(Part):
    batch: int = Field(64, ge=2, le=65536)
    """Real images in one step, summed over all devices."""
    micro_batch: int | None = Field(None, ge=1)
    """Images that a device sends through the networks at once; their gradients add up to those of its share of the batch. Less
    memory, more time. None: all of them, or, when a run begins and they do not fit into memory, as many as do."""
    kimg: float | None = Field(None, gt=0)
    """Budget in thousands of real images shown to D. Exactly one of kimg, steps, minutes is set."""
    steps: int | None = Field(None, gt=0)
    """Budget in steps of G."""
    minutes: float | None = Field(None, gt=0)
    """Budget in minutes of training, measured over all sessions of the run."""
    progressive: float = Field(0, ge=0, lt=1)
    """Share of the budget in which images are smaller: their short side begins at 16 to 31 pixels and doubles, in equal parts
    of this share, up to the full size (progressive growing, Karras et al. 2018). 0: full size throughout. Networks of the
    family skip only."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random numbers."""
    precision: Annotated[Precision, BeforeValidator(lambda v: "32" if v == 32 else v)] = "auto"  # YAML reads 32 as int
    """32: full float32. bf16: autocast, weights stay float32. auto: bf16 where the hardware computes it natively."""
    deterministic: bool = False
    """On a CUDA device: deterministic kernels, no TF32, no choice of algorithms by timing, so that a resumed run ends with the
    same bits. Slower. On a CPU that holds anyway."""
    cuda_graph: Annotated[CudaGraph, BeforeValidator(_on_or_off)] = "auto"
    """Whether steps run as CUDA graphs. auto: on a CUDA device, in one process, where networks and loss are Ganglion's."""
    tick_kimg: float = Field(2, gt=0)
    """Longest interval, in thousands of images, at which a record is written and the doctor updates the verdict. A run has at
    least forty records, so it is shorter where that is more than a fortieth of the budget (docs/runs.md)."""
    snapshot_kimg: float = Field(10, gt=0)
    """Longest interval, in thousands of images, at which samples and a checkpoint are written; a run has eight at least."""
    keep_checkpoints: int = Field(2, ge=1)
    """Number of newest checkpoints to keep; the best one is kept as well."""
    stop_when_failing: bool = False
    """Training stops as soon as the doctor's verdict is failing."""
    stop_when_done: bool = False
    """Training stops when the distance to the data has not improved for a third of the run."""
    treat: bool = False
    """At a failing verdict the run goes back to its last healthy checkpoint, or to its start, and goes on with the first remedy
    that fits, for what is left of the budget; at most three times."""
    start_from: str | None = None
    """The run whose weights this one begins with: RUN, RUN:best, RUN:latest or RUN:STEP. None: weights are drawn."""

    @property
    def grows(self) -> bool:
        """Whether the images become larger during the training."""
        return self.progressive > 0 and self.start_from is None

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        chosen = [name for name in ("kimg", "steps", "minutes") if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(f"exactly one of kimg, steps, minutes must be set; got {', '.join(chosen) or 'none'}")
        return self


class Recipe(Part):
    """Every value that determines a run; frozen and checked when it is made."""

    name: str = "custom"
    """The preset or file that this recipe is based on."""
    data: Data = Data()
    latent: Latent = Latent()
    generator: Generator = DcganGenerator()
    discriminator: Discriminator = DcganDiscriminator()
    init: Init = Init()
    objective: Objective = Objective()
    balance: Balance = Balance()
    optimizer: Optimizers = Optimizers()
    augment: Augment = NoAugment()
    ema: Ema = Ema()
    training: Training

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for reason in conflicts(self):
            raise ValueError(reason)
        return self
