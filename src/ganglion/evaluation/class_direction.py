"""The direction in latent space that separates two classes, found with a classifier of the run's own images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ganglion.data.pixels import to_float, to_uint8
from ganglion.data.prepare import cache_folder
from ganglion.errors import DataError
from ganglion.evaluation.real_images import find_real
from ganglion.latent.directions import Directions, class_direction
from ganglion.latent.model import Model
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.platform.numerics import reproducible
from ganglion.platform.screen import Screen
from ganglion.recipe.explain import did_you_mean

__all__ = ["probe_classes"]


SAMPLES = 4000
CONFIDENT = 0.8  # probability above which a sample counts as of a class


@reproducible()
def probe_classes(
    run: Path, model: Model, names: tuple[str, str], cache: Path | None = None, quiet: bool = False
) -> Directions:
    """From the second class to the first, over samples that a classifier of the run's images labels with confidence.

    Raises DataError where the images have no classes, or not these ones.
    """
    folder, screen, data = cache or cache_folder(), Screen(quiet=quiet), model.recipe.data
    if not data.source:
        raise DataError(
            f"a direction between classes needs the training images, and {run} does not say which: use its run"
        )
    real = find_real(data, None, None, folder, screen).images
    if not real.classes:
        raise DataError("a direction between classes needs a data set with classes; the run's images have none")
    for name in names:
        if name not in real.classes:
            known = ", ".join(real.classes[:20])
            raise DataError(f"there is no class {name!r}; classes are {known}{did_you_mean(name, real.classes)}")
    extractor, _ = find_extractor(
        "learned", ExtractorContext(real, folder, model.device, screen.steps("Training the classifier"))
    )
    z = model.latents(SAMPLES)
    found = []
    with torch.no_grad():
        for chunk in model.chunks(z):
            output = extractor.embed(to_float(to_uint8(chunk)).contiguous())
            assert output.probabilities is not None  # the images have classes
            found.append(output.probabilities.cpu().numpy())
    probabilities = np.concatenate(found)  # (N, K)
    first, second = (probabilities[:, real.classes.index(name)] > CONFIDENT for name in names)
    chosen = torch.from_numpy(first | second)
    return class_direction(z[chosen], torch.from_numpy(first)[chosen])
