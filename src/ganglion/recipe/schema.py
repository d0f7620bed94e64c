"""The recipe: everything that determines a run, as typed, frozen data. It knows nothing of networks, images or devices.

Each choice is a `Literal` here, and only here: help, validation and the tables that build the parts are held to it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ganglion.recipe.size import Size, check_reachable, parse_size

__all__ = [
    "Activation",
    "Adam",
    "AdversarialName",
    "Channels",
    "Data",
    "DcganDiscriminator",
    "DcganGenerator",
    "Ema",
    "FitPolicy",
    "Init",
    "InitScheme",
    "Latent",
    "Norm",
    "Objective",
    "Optimizers",
    "Penalty",
    "PenaltyName",
    "Precision",
    "Prior",
    "Recipe",
    "Schedule",
    "Training",
]

Activation = Literal["relu", "leaky-relu", "silu", "elu"]
AdversarialName = Literal["non-saturating", "minimax", "relativistic"]
Channels = Literal[1, 3, 4]
FitPolicy = Literal["crop", "pad", "stretch"]
InitScheme = Literal["normal", "xavier", "kaiming", "orthogonal"]
Norm = Literal["batch", "instance", "layer", "none"]
PenaltyName = Literal["r1", "r2"]
Precision = Literal["auto", "32", "bf16"]
Prior = Literal["normal", "uniform", "sphere"]
Schedule = Literal["constant", "linear", "cosine"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Data(Part):
    source: str | None = None
    """Where the images come from: a folder, zip, store, IDX file or data set's name. None: named by the caller."""
    data_dir: str | None = None
    """A local copy of a named data set. None: fetched from where it is published."""
    size: Annotated[Size, BeforeValidator(parse_size), AfterValidator(check_reachable)] | None = None
    """Height and width in pixels, written 64 or 96x64. None: chosen from the images."""
    channels: Channels | None = None
    """1 gray, 3 RGB, 4 RGB with alpha. None: chosen from the images."""
    fit: FitPolicy = "crop"
    """How an image of another shape is made to fit: crop its centre, pad its short side with black, or stretch it."""
    content: str | None = None
    """Hash of the images and labels, filled in when they have been read; another hash is another run."""


class Latent(Part):
    dim: int = Field(100, ge=1, le=4096)
    """Numbers in a latent z."""
    prior: Prior = "normal"
    """Distribution of z: normal N(0, 1), uniform on [-1, 1], or the sphere of radius sqrt(dim)."""


class DcganGenerator(Part):
    family: Literal["dcgan"] = "dcgan"
    """Family of networks."""
    width: int = Field(64, ge=1, le=1024)
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    kernel: Literal[4, 5] = 4
    """Side of the convolution kernels in pixels."""
    norm: Norm = "batch"
    """Normalisation after each hidden convolution."""
    activation: Activation = "relu"
    """Non-linearity of the hidden layers."""
    slope: float = Field(0.2, ge=0, lt=1)
    """Slope below zero; used by leaky-relu only."""


class DcganDiscriminator(Part):
    family: Literal["dcgan"] = "dcgan"
    """Family of networks."""
    width: int = Field(64, ge=1, le=1024)
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    kernel: Literal[4, 5] = 4
    """Side of the convolution kernels in pixels."""
    norm: Norm = "batch"
    """Normalisation after each hidden convolution but the first."""
    activation: Activation = "leaky-relu"
    """Non-linearity of the hidden layers."""
    slope: float = Field(0.2, ge=0, lt=1)
    """Slope below zero; used by leaky-relu only."""


class Init(Part):
    scheme: InitScheme = "normal"
    """Distribution of the first weights: normal N(0, std), xavier uniform, kaiming normal, orthogonal."""
    std: float = Field(0.02, gt=0)
    """Standard deviation for the scheme normal; the other schemes compute theirs."""


class Penalty(Part):
    kind: PenaltyName
    """r1: squared gradient of D at real images; r2: at fakes."""
    weight: float = Field(1.0, gt=0)
    """gamma; half of it multiplies the penalty."""
    every: int = Field(1, ge=1)
    """Computed at every so many steps, scaled up by as much."""


class Objective(Part):
    adversarial: AdversarialName = "non-saturating"
    """The loss that the two players contest."""
    penalties: tuple[Penalty, ...] = ()
    """What is added to D's loss."""


class Adam(Part):
    algorithm: Literal["adam"] = "adam"
    """Adam, Kingma and Ba 2014."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate at the schedule's height."""
    beta1: float = Field(0.5, ge=0, lt=1)
    """Decay of the mean of gradients."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""


class Optimizers(Part):
    generator: Adam = Adam()
    discriminator: Adam = Adam()
    schedule: Schedule = "constant"
    """Shape of the learning rates over the budget: constant, or falling to zero linearly or as a half cosine."""
    warmup_kimg: float = Field(0, ge=0)
    """The learning rates rise linearly over so many thousand images; 0: no rise."""


class Ema(Part):
    halflife_kimg: float = Field(10, ge=0)
    """Half-life of the average of G's weights, in thousands of images; 0: no averaging."""
    rampup: float | None = Field(0.05, gt=0)
    """The half-life is at most this share of the images seen, so that the average is of use early. None: no ramp."""


class Training(Part):
    batch: int = Field(64, ge=2, le=65536)
    """Real images in one step, over all devices."""
    kimg: float | None = Field(None, gt=0)
    """Budget in thousands of real images shown to D. Exactly one of kimg, steps, minutes is set."""
    steps: int | None = Field(None, gt=0)
    """Budget in steps of G."""
    minutes: float | None = Field(None, gt=0)
    """Budget in minutes of training, measured over all sessions of the run."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of everything that is random."""
    precision: Annotated[Precision, BeforeValidator(lambda v: "32" if v == 32 else v)] = "auto"  # YAML reads 32 as int
    """32: full float32. bf16: autocast, weights stay float32. auto: bf16 where the hardware computes it natively."""
    tick_kimg: float = Field(1, gt=0)
    """A record is written each time so many thousand images have been seen."""
    snapshot_kimg: float = Field(10, gt=0)
    """Samples and a checkpoint are written each time so many thousand images have been seen."""
    keep: int = Field(2, ge=1)
    """So many newest checkpoints are kept; the best one is kept as well."""

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        chosen = [name for name in ("kimg", "steps", "minutes") if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(f"exactly one of kimg, steps, minutes is set; got {', '.join(chosen) or 'none'}")
        return self


class Recipe(Part):
    name: str = "custom"
    """The preset or file that this recipe began as."""
    data: Data = Data()
    latent: Latent = Latent()
    generator: DcganGenerator = DcganGenerator()
    discriminator: DcganDiscriminator = DcganDiscriminator()
    init: Init = Init()
    objective: Objective = Objective()
    optimizer: Optimizers = Optimizers()
    ema: Ema = Ema()
    training: Training

    @model_validator(mode="after")
    def _penalties_see_single_images(self) -> Self:
        if self.discriminator.norm == "batch" and self.objective.penalties:
            raise ValueError(
                f"the penalty {self.objective.penalties[0].kind} is on D's gradient at single images, and batch norm makes "
                "each logit depend on the whole batch (Gulrajani et al. 2017, section 4); "
                "set discriminator.norm to layer, instance or none, or objective.penalties to []"
            )
        return self
