"""The one registry of feature extractors, and the choice among them where none is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ganglion.errors import DataError
from ganglion.metrics.features import Extractor, ImageSet
from ganglion.metrics.learned import learned_extractor
from ganglion.metrics.pretrained import (
    hf_extractor,
    inception_at_hand,
    inception_extractor,
    timm_extractor,
    torchscript_extractor,
)
from ganglion.metrics.untrained import pixel_extractor, random_extractor
from ganglion.recipe.explain import did_you_mean

__all__ = ["EXTRACTORS", "ExtractorContext", "choose_extractor", "find_extractor"]


FEWEST_TO_LEARN = 500
COLOUR_NETWORKS = ("inception", "timm", "hf")
SEEN_BY_THEM = (1, 3)  # channels


@dataclass(frozen=True)
class ExtractorContext:
    """What an extractor may look at while it is made."""

    real: ImageSet
    cache: Path
    device: torch.device
    progress: Callable[[int, int], None] = lambda done, total: None


EXTRACTORS: dict[str, Callable[[ExtractorContext, str], Extractor]] = {
    "inception": lambda need, _: inception_extractor(need.cache, need.device),
    "learned": lambda need, _: learned_extractor(need.real, need.cache, need.device, need.progress),
    "random": lambda need, _: random_extractor(need.real.shape[2], need.device),
    "pixels": lambda need, _: pixel_extractor(need.device),
    "torchscript": lambda need, file: torchscript_extractor(Path(file), need.device),
    "timm": lambda need, name: timm_extractor(name, need.device),
    "hf": lambda need, name: hf_extractor(name, need.device),
}
"""By the word before a colon; what follows the colon is a file or a name."""

NAMED = {"torchscript": "FILE", "timm": "NAME", "hf": "OWNER/NAME"}


def find_extractor(name: str, need: ExtractorContext) -> tuple[Extractor, str]:
    """The extractor of this name and, for `auto`, the reason in a sentence. Raises DataError."""
    chosen, reason = choose_extractor(need) if name == "auto" else (name, "")
    kind, _, rest = chosen.partition(":")
    known = [f"{kind}:{NAMED[kind]}" if kind in NAMED else kind for kind in EXTRACTORS]
    if kind not in EXTRACTORS or bool(rest) != (kind in NAMED):
        raise DataError(
            f"there are no features {name!r}; there are auto, {', '.join(known)}{did_you_mean(name, known)}"
        )
    channels = need.real.shape[2]
    if kind in COLOUR_NETWORKS and channels not in SEEN_BY_THEM:
        raise DataError(
            f"{kind} takes images of 1 or 3 channels, these have {channels}: use --features learned or random"
        )
    return EXTRACTORS[kind](need, rest), reason


def choose_extractor(need: ExtractorContext) -> tuple[str, str]:
    """The best extractor that is at hand, and why."""
    if need.real.shape[2] in SEEN_BY_THEM and inception_at_hand(need.cache):
        return "inception", "FID's own network is at hand"
    if len(need.real) >= FEWEST_TO_LEARN:
        return "learned", "FID's Inception is not at hand, and there are images enough to train on"
    return "random", f"FID's Inception is not at hand, and {len(need.real)} images are too few to train on"
