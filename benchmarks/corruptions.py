"""Which score notices which fault? Real images are spoilt in known ways, more and more, and scored as if they were samples.

    python benchmarks/corruptions.py SOURCE --features learned random pixels --out table.md

A score that is worth its name gets worse with each step of a fault that it claims to see. SOURCE needs classes for the
faults that lose some.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ganglion.data.prepare import cache_folder, prepare
from ganglion.metrics.evaluation import DEFAULT_SCORES, Evaluation, evaluate_sets, select_scores
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.metrics.features import Extractor, ImageSet, array_set, store_set
from ganglion.metrics.learned import feature_training_split
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data

Pixels = NDArray[np.uint8]


def blurred(images: Pixels, radius: float) -> Pixels:
    return _by_image(images, lambda image: image.filter(ImageFilter.GaussianBlur(radius)))


def noisy(images: Pixels, deviation: float) -> Pixels:
    noise = np.random.default_rng(1).normal(0, deviation, images.shape)
    return np.clip(np.round(images + noise), 0, 255).astype(np.uint8)


def compressed(images: Pixels, quality: float) -> Pixels:
    def squeeze(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return _by_image(images, squeeze)


def darker(images: Pixels, share: float) -> Pixels:
    """Colour shifted: every channel loses, the first most."""
    factors = np.array([1 - share, 1 - share / 2, 1 - share / 4, 1])[: images.shape[3]]
    return np.round(images * factors).astype(np.uint8)


def _by_image(images: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    flat = images[..., 0] if images.shape[3] == 1 else images
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in flat]).reshape(images.shape)


def faults(held: ImageSet, training: ImageSet) -> dict[str, list[ImageSet]]:
    """Each fault at three strengths, weakest first."""
    images = np.array(held.images)
    random = np.random.default_rng(2)
    found = {
        "blur, radius 0.5, 1, 2": [blurred(images, radius) for radius in (0.5, 1, 2)],
        "noise, deviation 8, 16, 48": [noisy(images, deviation) for deviation in (8, 16, 48)],
        "JPEG, quality 75, 30, 10": [compressed(images, quality) for quality in (75, 30, 10)],
        "colour, 10 %, 20 %, 40 %": [darker(images, share) for share in (0.1, 0.2, 0.4)],
        "repeated, 1000, 100, 10 images": [
            images[random.integers(0, min(distinct, len(images)), len(images))] for distinct in (1000, 100, 10)
        ],
        "copied, 10 %, 30 %, 100 %": [
            np.concatenate([np.array(training.images[: int(s * len(images))]), images[int(s * len(images)) :]])
            for s in (0.1, 0.3, 1)
        ],
    }
    if held.labels is not None:
        lost = [images[held.labels >= first] for first in (1, 3, 7)]
        found["classes lost, 1, 3, 7"] = [part[np.arange(len(images)) % len(part)] for part in lost]
    return {fault: [array_set(fault, level) for level in levels] for fault, levels in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--features", nargs="+", default=["learned", "random", "pixels"])
    parser.add_argument("--metrics", nargs="+", default=DEFAULT_SCORES, help="scores")
    parser.add_argument("--n", type=int, default=4000, help="images of each set")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    screen = Screen()
    data = Data(source=asked.source, size=(asked.size, asked.size))
    everything = store_set(prepare(data, cache_folder(), screen))
    order = np.random.default_rng(0).permutation(np.flatnonzero(~feature_training_split(everything)))
    training, held, unseen = (everything.pick(np.sort(part)) for part in np.split(order[: 3 * asked.n], 3))
    spoilt = faults(held, training)
    pages, results = [], {}
    for name in asked.features:
        need = ExtractorContext(everything, cache_folder(), torch.device("cpu"), screen.steps("Training features"))
        extractor, _ = find_extractor(name, need)

        def scored(fake: ImageSet, extractor: Extractor = extractor) -> Evaluation:
            return evaluate_sets(
                training, [fake], extractor, cache_folder(), Screen(quiet=True), select_scores(asked.metrics), unseen
            )

        found = {"none": [scored(held)]} | {
            fault: [scored(level) for level in levels] for fault, levels in spoilt.items()
        }
        results[name] = {fault: [e.to_json()["scores"] for e in levels] for fault, levels in found.items()}
        pages.append(table(name, found))
        print(pages[-1], flush=True)
    asked.out.write_text("\n\n".join(pages) + "\n")
    asked.out.with_suffix(".json").write_text(json.dumps(results))


def table(features: str, found: dict[str, list[Evaluation]]) -> str:
    names = [score.name for score in found["none"][0].scores]
    lines = [f"| {features} | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for fault, levels in found.items():
        cells = [", ".join(f"{level[name]:.3g}" for level in levels) for name in names]
        lines.append(f"| {fault} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
