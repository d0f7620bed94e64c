"""The registry of feature extractors, and the choice of `auto`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ganglion.errors import DataError
from ganglion.metrics.features import Extractor, ImageSet
from ganglion.metrics.learned import learned_extractor
from ganglion.metrics.pretrained import (
    find_inception,
    hf_extractor,
    inception_extractor,
    squeezenet_extractor,
    timm_extractor,
    torchscript_extractor,
)
from ganglion.metrics.untrained import pixel_extractor, random_extractor
from ganglion.recipe.explain import did_you_mean

__all__ = ["EXTRACTORS", "ExtractorContext", "check_features", "choose_extractor", "find_extractor"]


FEWEST_TO_LEARN = 500
COLOUR_NETWORKS = ("inception", "squeezenet", "timm", "hf")
COLOUR_CHANNELS = (1, 3)


@dataclass(frozen=True)
class ExtractorContext:
    """Inputs for constructing an extractor."""

    real: ImageSet
    cache: Path
    device: torch.device
    progress: Callable[[int, int], None] = lambda done, total: None
    inception_classes: bool = False
    """Whether Inception's probabilities are needed too, which takes a second pass of it."""


EXTRACTORS: dict[str, Callable[[ExtractorContext, str], Extractor]] = {
    "inception": lambda need, _: inception_extractor(need.cache, need.device, classes=need.inception_classes),
    "squeezenet": lambda need, _: squeezenet_extractor(need.cache, need.device),
    "learned": lambda need, _: learned_extractor(need.real, need.cache, need.device, need.progress),
    "random": lambda need, _: random_extractor(need.real.shape[2], need.device),
    "pixels": lambda need, _: pixel_extractor(need.device),
    "torchscript": lambda need, file: torchscript_extractor(Path(file), need.device),
    "timm": lambda need, name: timm_extractor(name, need.device),
    "hf": lambda need, name: hf_extractor(name, need.device),
}
"""By the part before a colon; the part after it is a file or a name."""

NAMED = {"torchscript": "FILE", "timm": "NAME", "hf": "OWNER/NAME"}


def find_extractor(name: str, need: ExtractorContext) -> tuple[Extractor, list[str]]:
    """The extractor of this name and, for `auto`, a note of which it is and why. Raises DataError."""
    check_features(name)
    chosen, reason = choose_extractor(need) if name == "auto" else (name, "")
    kind, _, rest = chosen.partition(":")
    channels = need.real.shape[2]
    if kind in COLOUR_NETWORKS and channels not in COLOUR_CHANNELS:
        raise DataError(
            f"{kind} takes images of 1 or 3 channels, these have {channels}: use --features learned or random"
        )
    extractor = EXTRACTORS[kind](need, rest)
    return extractor, [f"features {extractor.name}: {reason}"] if reason else []


def check_features(name: str) -> None:
    """Raises DataError where there are no features of this name."""
    kind, _, rest = name.partition(":")
    known = [f"{kind}:{NAMED[kind]}" if kind in NAMED else kind for kind in EXTRACTORS]
    if name != "auto" and (kind not in EXTRACTORS or bool(rest) != (kind in NAMED)):
        raise DataError(
            f"there are no features {name!r}; features are auto, {', '.join(known)}{did_you_mean(name, known)}"
        )


def choose_extractor(need: ExtractorContext) -> tuple[str, str]:
    """The best available extractor, and why."""
    if need.real.shape[2] in COLOUR_CHANNELS and find_inception(need.cache):
        return "inception", "FID's Inception network is available"
    if len(need.real) >= FEWEST_TO_LEARN:
        return "learned", "FID's Inception is not available, and there are enough images to train on"
    return "random", f"FID's Inception is not available, and {len(need.real)} images are too few to train on"
