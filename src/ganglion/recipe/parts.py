"""The parts of a recipe other than networks and data: losses, penalties, balance, optimisers, augmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

__all__ = [
    "TRAITS",
    "Ada",
    "Adam",
    "AdamW",
    "AdversarialName",
    "Augment",
    "AugmentName",
    "Balance",
    "DiffAugment",
    "DiffAugmentStep",
    "FeatureMatching",
    "InstanceNoise",
    "LossTraits",
    "NoAugment",
    "Objective",
    "Optimizer",
    "OptimizerName",
    "Optimizers",
    "Part",
    "Penalty",
    "PenaltyName",
    "RmsProp",
    "Schedule",
    "choice",
]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def choice(key: str, default: str) -> tuple[FieldInfo, BeforeValidator]:
    """A union of parts in which the value of `key` selects one; the default is `default`."""

    def named(value: object) -> object:
        return {key: default, **value} if isinstance(value, dict) else value

    return Field(discriminator=key), BeforeValidator(named)


AdversarialName = Literal[
    "non-saturating",
    "minimax",
    "least-squares",
    "hinge",
    "wasserstein",
    "relativistic",
    "relativistic-average",
]

PenaltyName = Literal["r1", "r2", "wgan-gp", "wgan-lp", "dragan", "lecam", "reconstruction"]


class LossTraits(Part):
    name: str = "custom"
    """What messages call the loss."""
    generator_needs_real: bool = False
    """Whether G's loss looks at the real logits."""
    probability_logits: bool = False
    """Whether the sigmoid of a logit is D's probability that the image is real, so that its label can be smoothed."""
    zero_boundary: bool = False
    """Whether a logit's sign is D's answer, real above 0, which ADA needs; so it is of probability_logits too."""
    critic: bool = False
    """Whether D is a critic: real minus fake logits estimate the earth mover's distance."""

    @property
    def sign_is_the_answer(self) -> bool:
        """Least squares draws the line between real and fake at 1/2, Wasserstein and relativistic losses nowhere."""
        return self.zero_boundary or self.probability_logits


TRAITS: dict[AdversarialName, LossTraits] = {
    "non-saturating": LossTraits(name="non-saturating", probability_logits=True),
    "minimax": LossTraits(name="minimax", probability_logits=True),
    "least-squares": LossTraits(name="least-squares"),
    "hinge": LossTraits(name="hinge", zero_boundary=True),
    "wasserstein": LossTraits(name="wasserstein", critic=True),
    "relativistic": LossTraits(name="relativistic", generator_needs_real=True),
    "relativistic-average": LossTraits(name="relativistic-average", generator_needs_real=True),
}


class Penalty(Part):
    kind: PenaltyName
    """On D's gradient: r1 (at reals), r2 (at fakes), wgan-gp (at interpolates, towards norm 1), wgan-lp (the same, only above
    norm 1), dragan (around reals, towards norm 1). On D's logits: lecam (towards their running means). On D's features of
    reals: reconstruction (the family fastgan decodes them to the image)."""
    weight: float = Field(1.0, gt=0)
    """Multiplies the penalty; r1 and r2 are half the squared norm, so that this is the gamma of their papers."""
    interval_updates: int = Field(1, ge=1)
    """Computed at every k-th update of D and multiplied by k (lazy regularisation)."""

    @property
    def on_gradient(self) -> bool:
        """Whether it is a function of D's gradient at its input, so that D is differentiated twice."""
        return self.kind not in ("lecam", "reconstruction")


def _layer(value: object) -> object:
    if isinstance(value, int | str):
        return value
    raise ValueError("is neither a block's number nor a module's name")


class FeatureMatching(Part):
    weight: float = Field(0, ge=0)
    """Multiplies the squared distance between mean features of reals and fakes in G's loss; 0: none."""
    ramp_kimg: float = Field(0, ge=0)
    """The weight rises linearly over this many thousand images; 0: no ramp."""
    layer: Annotated[int | str, BeforeValidator(_layer)] = -1
    """Block of D whose output is matched: 0 the first, -1 the last. Of your own D: the name of a module, or -1 for the
    input of its last layer."""


class InstanceNoise(Part):
    std: float = Field(0, ge=0)
    """Standard deviation of Gaussian noise added to D's input, for pixels on [-1, 1]; 0: none."""
    decay_kimg: float | None = Field(None, gt=0)
    """The noise falls linearly to 0 over this many thousand images. None: constant."""


class Objective(Part):
    adversarial: Literal[AdversarialName, "custom"] = "non-saturating"
    """The adversarial loss; custom: one that a program passes to ganglion.train."""
    custom_loss: LossTraits | None = None
    """Properties of a loss of your own, filled in from it."""
    adversarial_weight: float = Field(1.0, ge=0)
    """Multiplies G's adversarial loss; 0: G learns by feature matching alone."""
    penalties: tuple[Penalty, ...] = ()
    """Penalties added to D's loss."""
    weight_clip: float | None = Field(None, gt=0)
    """D's weights are clipped to [-weight_clip, weight_clip] after each update, Arjovsky et al. 2017. None: no clipping."""
    real_label: float = Field(1.0, gt=0.5, le=1)
    """D's target probability for real images; below 1: one-sided label smoothing, Salimans et al. 2016."""
    feature_matching: FeatureMatching = FeatureMatching()
    historical_averaging_weight: float = Field(0, ge=0)
    """Weight of historical averaging in both losses, Salimans et al. 2016: the squared distance of a network's weights
    from their mean over all steps so far."""
    instance_noise: InstanceNoise = InstanceNoise()

    @property
    def traits(self) -> LossTraits:
        """Of the adversarial loss."""
        return (self.custom_loss or LossTraits()) if self.adversarial == "custom" else TRAITS[self.adversarial]


UpdateOrder = Literal["alternating", "simultaneous"]


class Balance(Part):
    d_steps: int = Field(1, ge=1, le=100)
    """Updates of D in a step, each on a new batch."""
    g_steps: int = Field(1, ge=1, le=100)
    """Updates of G in a step, each on new latents."""
    updates: UpdateOrder = "alternating"
    """alternating: G is updated through the D that has just been updated. simultaneous: D's last update and G's first are
    computed from one forward and backward pass of D on the fakes, which saves time (one-stage training, Shen et al. 2021)."""
    pause_above_auc: float | None = Field(None, gt=0.5, lt=1)
    """D pauses while the AUC of its logits is above this, G while it is below 1 minus this. The AUC is the probability that D
    ranks a real image above a fake one: 0.5 is chance, 1 is perfect separation. None: never."""


OptimizerName = Literal["adam", "adamw", "rmsprop"]

Schedule = Literal["constant", "linear", "cosine"]


class Adam(Part):
    kind: Literal["adam"] = "adam"
    """Adam, Kingma and Ba 2014."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate at the schedule's maximum."""
    beta1: float = Field(0.5, ge=0, lt=1)
    """Decay of the mean of gradients."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""


class AdamW(Part):
    kind: Literal["adamw"] = "adamw"
    """Adam with decoupled weight decay, Loshchilov and Hutter 2017."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate at the schedule's maximum."""
    beta1: float = Field(0.5, ge=0, lt=1)
    """Decay of the mean of gradients."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.01, ge=0)
    """Share of a weight that is subtracted at each update, times the learning rate."""


class RmsProp(Part):
    kind: Literal["rmsprop"] = "rmsprop"
    """RMSprop, Tieleman and Hinton 2012."""
    lr: float = Field(5e-5, gt=0)
    """Learning rate at the schedule's maximum."""
    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(1e-8, gt=0)
    """Added to the denominator."""


Optimizer = Annotated[Adam | AdamW | RmsProp, *choice("kind", "adam")]


class Optimizers(Part):
    generator: Optimizer = Adam()
    discriminator: Optimizer = Adam()
    schedule: Schedule = "constant"
    """Shape of the learning rates over the budget: constant, or falling to zero linearly or as a half cosine."""
    warmup_kimg: float = Field(0, ge=0)
    """The learning rates rise linearly over this many thousand images; 0: no warm-up."""


AugmentName = Literal["none", "diffaugment", "ada"]

DiffAugmentStep = Literal["color", "translation", "cutout"]


class NoAugment(Part):
    kind: Literal["none"] = "none"
    """D's input is not augmented."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""


class DiffAugment(Part):
    kind: Literal["diffaugment"] = "diffaugment"
    """Every input of D is augmented in each of the ways of `policy`, Zhao et al. 2020."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""
    policy: tuple[DiffAugmentStep, ...] = ("color", "translation", "cutout")
    """color: brightness, saturation, contrast; translation by up to an eighth; cutout of a square of half the side."""


class Ada(Part):
    kind: Literal["ada"] = "ada"
    """Each augmentation has a probability p that rises while D overfits, Karras et al. 2020."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""
    target: float = Field(0.6, gt=-1, lt=1)
    """p rises while the mean sign of D's logits on reals is above this, and falls while it is below."""
    speed_kimg: float = Field(500, gt=0)
    """Thousands of images in which p can rise from 0 to 1."""


Augment = Annotated[NoAugment | DiffAugment | Ada, *choice("kind", "none")]
