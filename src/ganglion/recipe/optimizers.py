"""How weights move."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ganglion.recipe.part import Part, choice

__all__ = ["Adam", "AdamW", "Optimizer", "OptimizerName", "Optimizers", "RmsProp", "Schedule"]

OptimizerName = Literal["adam", "adamw", "rmsprop"]

Schedule = Literal["constant", "linear", "cosine"]


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
