"""The recipe: everything that determines a run, as typed, frozen data. It knows nothing of networks, images or devices.

Each choice is a `Literal` here, and only here: help, validation and the tables that build the parts are held to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from ganglion.recipe.size import Size, check_reachable, parse_size

__all__ = [
    "Activation",
    "Ada",
    "Adam",
    "AdamW",
    "AdversarialName",
    "Augment",
    "AugmentName",
    "Balance",
    "Channels",
    "Conditioning",
    "Data",
    "DcganDiscriminator",
    "DcganGenerator",
    "DiffAugment",
    "DiffAugmentStep",
    "Discriminator",
    "Ema",
    "FeatureMatching",
    "FitPolicy",
    "Generator",
    "Init",
    "InitScheme",
    "InstanceNoise",
    "Latent",
    "MinibatchName",
    "NoAugment",
    "Norm",
    "Objective",
    "Optimizer",
    "OptimizerName",
    "Optimizers",
    "Penalty",
    "PenaltyName",
    "Precision",
    "Prior",
    "R3ganDiscriminator",
    "R3ganGenerator",
    "Recipe",
    "ResnetDiscriminator",
    "ResnetGenerator",
    "RmsProp",
    "Schedule",
    "Training",
    "conflicts",
]

Activation = Literal["relu", "leaky-relu", "silu", "elu"]
AdversarialName = Literal[
    "non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic", "relativistic-average"
]
AugmentName = Literal["none", "diffaugment", "ada"]
Channels = Literal[1, 3, 4]
Conditioning = Literal["embedding", "norm"]
DiffAugmentStep = Literal["color", "translation", "cutout"]
FitPolicy = Literal["crop", "pad", "stretch"]
InitScheme = Literal["normal", "xavier", "kaiming", "orthogonal"]
MinibatchName = Literal["none", "discrimination", "stddev"]
Norm = Literal["batch", "virtual-batch", "instance", "layer", "none"]
OptimizerName = Literal["adam", "adamw", "rmsprop"]
PenaltyName = Literal["r1", "r2", "gradient", "gradient-one-sided", "dragan", "lecam"]
Precision = Literal["auto", "32", "bf16"]
Prior = Literal["normal", "uniform", "sphere"]
Schedule = Literal["constant", "linear", "cosine"]

LOGISTIC = ("non-saturating", "minimax")
"""Losses whose D is a classifier by cross-entropy, so that its labels can be smoothed."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def choice(key: str, default: str) -> tuple[FieldInfo, BeforeValidator]:
    """The word under `key` says which part stands here; left out, it is `default`."""

    def named(value: object) -> object:
        return {key: default, **value} if isinstance(value, dict) else value

    return Field(discriminator=key), BeforeValidator(named)


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
    conditional: bool = False
    """Whether both networks are told the class of each image; every image needs one."""
    classes: tuple[str, ...] | None = None
    """Names of the classes, filled in when the images have been read and conditional is set."""
    content: str | None = None
    """Hash of the images and labels, filled in when they have been read; another hash is another run."""


class Latent(Part):
    dim: int = Field(100, ge=1, le=4096)
    """Numbers in a latent z."""
    prior: Prior = "normal"
    """Distribution of z: normal N(0, 1), uniform on [-1, 1], or the sphere of radius sqrt(dim)."""


WIDTH = Field(64, ge=1, le=1024)
SLOPE = Field(0.2, ge=0, lt=1)


class DcganGenerator(Part):
    family: Literal["dcgan"] = "dcgan"
    """Family of networks: transposed convolutions, Radford et al. 2015."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    kernel: Literal[4, 5] = 4
    """Side of the convolution kernels in pixels."""
    norm: Norm = "batch"
    """Normalisation before each hidden non-linearity."""
    activation: Activation = "relu"
    """Non-linearity of the hidden layers."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    conditioning: Conditioning = "embedding"
    """How a class enters: a vector beside z, or scale and shift of each normalisation. Used by conditional runs only."""


class DcganDiscriminator(Part):
    family: Literal["dcgan"] = "dcgan"
    """Family of networks: strided convolutions, Radford et al. 2015."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    kernel: Literal[4, 5] = 4
    """Side of the convolution kernels in pixels."""
    norm: Norm = "batch"
    """Normalisation after each hidden convolution but the first."""
    activation: Activation = "leaky-relu"
    """Non-linearity of the hidden layers."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    spectral: bool = False
    """Spectral normalisation of every layer's weight, Miyato et al. 2018."""
    minibatch: MinibatchName = "none"
    """What the last layer is told of the other images in the batch: nothing, their likeness, or their deviation."""


class ResnetGenerator(Part):
    family: Literal["resnet"] = "resnet"
    """Family of networks: residual blocks, Gulrajani et al. 2017 and Miyato et al. 2018."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    norm: Norm = "batch"
    """Normalisation before each non-linearity."""
    activation: Activation = "relu"
    """Non-linearity."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    conditioning: Conditioning = "norm"
    """How a class enters: a vector beside z, or scale and shift of each normalisation. Used by conditional runs only."""


class ResnetDiscriminator(Part):
    family: Literal["resnet"] = "resnet"
    """Family of networks: residual blocks, Gulrajani et al. 2017 and Miyato et al. 2018."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    norm: Norm = "none"
    """Normalisation before each non-linearity but the first."""
    activation: Activation = "relu"
    """Non-linearity."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    spectral: bool = False
    """Spectral normalisation of every layer's weight, Miyato et al. 2018."""
    minibatch: MinibatchName = "none"
    """What the last layer is told of the other images in the batch: nothing, their likeness, or their deviation."""


class R3ganGenerator(Part):
    family: Literal["r3gan"] = "r3gan"
    """Family of networks: grouped convolutions in residual blocks without normalisation, Huang et al. 2025."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    blocks: int = Field(2, ge=1, le=16)
    """Residual blocks at each resolution."""
    expansion: int = Field(2, ge=1, le=8)
    """Feature maps inside a block over those between blocks."""
    group: int = Field(16, ge=1)
    """Feature maps in one group of the 3x3 convolution."""
    slope: float = SLOPE
    """Slope of leaky ReLU below zero."""


class R3ganDiscriminator(Part):
    family: Literal["r3gan"] = "r3gan"
    """Family of networks: grouped convolutions in residual blocks without normalisation, Huang et al. 2025."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    blocks: int = Field(2, ge=1, le=16)
    """Residual blocks at each resolution."""
    expansion: int = Field(2, ge=1, le=8)
    """Feature maps inside a block over those between blocks."""
    group: int = Field(16, ge=1)
    """Feature maps in one group of the 3x3 convolution."""
    slope: float = SLOPE
    """Slope of leaky ReLU below zero."""
    minibatch: MinibatchName = "none"
    """What the last layer is told of the other images in the batch: nothing, their likeness, or their deviation."""


Generator = Annotated[DcganGenerator | ResnetGenerator | R3ganGenerator, *choice("family", "dcgan")]
Discriminator = Annotated[DcganDiscriminator | ResnetDiscriminator | R3ganDiscriminator, *choice("family", "dcgan")]


class Init(Part):
    scheme: InitScheme = "normal"
    """Distribution of the first weights: normal N(0, std), xavier uniform, kaiming normal, orthogonal."""
    std: float = Field(0.02, gt=0)
    """Standard deviation for the scheme normal; the other schemes compute theirs."""


class Penalty(Part):
    kind: PenaltyName
    """On D's gradient: r1 (at reals), r2 (at fakes), gradient and gradient-one-sided (between them, towards length 1),
    dragan (around reals, towards length 1). On D's logits: lecam (towards their running means)."""
    weight: float = Field(1.0, gt=0)
    """Multiplies the penalty; r1 and r2 are halves of a squared length, so that this is their papers' gamma."""
    every: int = Field(1, ge=1)
    """Computed at every so many updates of D, scaled up by as much."""


class FeatureMatching(Part):
    weight: float = Field(0, ge=0)
    """Multiplies the squared distance between mean features of reals and fakes in G's loss; 0: none."""
    ramp_kimg: float = Field(0, ge=0)
    """The weight rises linearly over so many thousand images; 0: no rise."""
    layer: int = -1
    """Which block of D gives the features: 0 the first, -1 the last."""


class InstanceNoise(Part):
    std: float = Field(0, ge=0)
    """Standard deviation of the Gaussian noise on all that D sees, in units of pixels on [-1, 1]; 0: none."""
    decay_kimg: float | None = Field(None, gt=0)
    """The noise falls linearly to 0 over so many thousand images. None: it stays."""


class Objective(Part):
    adversarial: AdversarialName = "non-saturating"
    """The loss that the two players contest."""
    adversarial_weight: float = Field(1.0, ge=0)
    """Multiplies G's adversarial loss; 0: G learns by feature matching alone."""
    penalties: tuple[Penalty, ...] = ()
    """What is added to D's loss."""
    clip: float | None = Field(None, gt=0)
    """After each of D's updates its weights are clipped to [-clip, clip], Arjovsky et al. 2017. None: they are not."""
    real_label: float = Field(1.0, gt=0.5, le=1)
    """What D is told that a real image's probability is; below 1: one-sided label smoothing, Salimans et al. 2016."""
    feature_matching: FeatureMatching = FeatureMatching()
    history: float = Field(0, ge=0)
    """Weight of historical averaging in both losses, Salimans et al. 2016: the squared distance of a player's weights
    from their mean over all steps so far."""
    instance_noise: InstanceNoise = InstanceNoise()


class Balance(Part):
    d_steps: int = Field(1, ge=1, le=100)
    """Updates of D in a step, each on a batch of its own."""
    g_steps: int = Field(1, ge=1, le=100)
    """Updates of G in a step, each on latents of its own."""
    stall: float | None = Field(None, gt=0.5, lt=1)
    """A player waits while its lead is beyond this: D while separation is above it, G while it is below 1 minus it.
    Separation is the chance that D ranks a real image above a fake one: 0.5 cannot tell, 1 always tells. None: never."""


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


class AdamW(Part):
    algorithm: Literal["adamw"] = "adamw"
    """Adam with decoupled weight decay, Loshchilov and Hutter 2017."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate at the schedule's height."""
    beta1: float = Field(0.5, ge=0, lt=1)
    """Decay of the mean of gradients."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.01, ge=0)
    """Share of a weight that is taken off at each update, times the learning rate."""


class RmsProp(Part):
    algorithm: Literal["rmsprop"] = "rmsprop"
    """RMSprop, Tieleman and Hinton 2012."""
    lr: float = Field(5e-5, gt=0)
    """Learning rate at the schedule's height."""
    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""


Optimizer = Annotated[Adam | AdamW | RmsProp, *choice("algorithm", "adam")]


class Optimizers(Part):
    generator: Optimizer = Adam()
    discriminator: Optimizer = Adam()
    schedule: Schedule = "constant"
    """Shape of the learning rates over the budget: constant, or falling to zero linearly or as a half cosine."""
    warmup_kimg: float = Field(0, ge=0)
    """The learning rates rise linearly over so many thousand images; 0: no rise."""


class NoAugment(Part):
    kind: Literal["none"] = "none"
    """D sees the images as they are."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""


class DiffAugment(Part):
    kind: Literal["diffaugment"] = "diffaugment"
    """Every image that D sees is changed in each of these ways, Zhao et al. 2020."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""
    policy: tuple[DiffAugmentStep, ...] = ("color", "translation", "cutout")
    """color: brightness, saturation, contrast; translation by up to an eighth; cutout of a square of half the side."""


class Ada(Part):
    kind: Literal["ada"] = "ada"
    """Each change is made with a probability that rises while D over-fits, Karras et al. 2020."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""
    target: float = Field(0.6, gt=-1, lt=1)
    """The probability rises while the mean sign of D's logits on reals is above this, and falls while it is below."""
    speed_kimg: float = Field(500, gt=0)
    """Thousands of images in which the probability can go from 0 to 1."""


Augment = Annotated[NoAugment | DiffAugment | Ada, *choice("kind", "none")]


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


def conflicts(recipe: Recipe) -> Iterator[str]:
    """Why parts that are sound by themselves cannot work together, and what to do instead."""
    objective, d = recipe.objective, recipe.discriminator
    on_gradient = [penalty.kind for penalty in objective.penalties if penalty.kind != "lecam"]
    norm_d = getattr(d, "norm", "none")
    if norm_d == "batch" and on_gradient:
        yield (
            f"the penalty {on_gradient[0]} is on D's gradient at single images, and batch norm makes "
            "each logit depend on the whole batch (Gulrajani et al. 2017, section 4); "
            "set discriminator.norm to layer, instance or none, or objective.penalties to []"
        )
    if objective.clip is not None and getattr(d, "spectral", False):
        yield (
            "objective.clip bounds the weights that discriminator.spectral rescales, so neither bounds D: "
            "both are ways to keep D Lipschitz (Miyato et al. 2018, section 2); leave one out"
        )
    if objective.real_label < 1 and objective.adversarial not in LOGISTIC:
        yield (
            f"objective.real_label smooths the labels of a classifier, and the loss {objective.adversarial} has no "
            f"labels; leave it at 1, or set objective.adversarial to {' or '.join(LOGISTIC)}"
        )
    if objective.adversarial_weight == 0 and objective.feature_matching.weight == 0:
        yield (
            "objective.adversarial_weight and objective.feature_matching.weight are both 0: nothing would teach G; "
            "give one of them a weight"
        )
    yield from _label_conflicts(recipe)


def _label_conflicts(recipe: Recipe) -> Iterator[str]:
    if not recipe.data.conditional:
        return
    norms = {getattr(part, "norm", "none") for part in (recipe.generator, recipe.discriminator)}
    if "virtual-batch" in norms:
        yield (
            "virtual batch normalisation measures every image against one reference batch, whatever its class; "
            "for data.conditional set the norms to batch, layer, instance or none"
        )
    conditioning = getattr(recipe.generator, "conditioning", "embedding")
    if conditioning == "norm" and getattr(recipe.generator, "norm", "none") == "none":
        yield (
            "generator.conditioning norm puts the class into normalisations, and generator.norm is none; "
            "set generator.conditioning to embedding"
        )
