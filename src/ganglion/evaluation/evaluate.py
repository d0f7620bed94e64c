"""`ganglion.evaluate`: scores of a run's generator, or of any images, against real ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganglion.data.alpha import straight
from ganglion.data.find import find_source
from ganglion.data.given import Images, is_named
from ganglion.data.prepare import Reporter, cache_folder, plan, prepare
from ganglion.data.store import is_store
from ganglion.errors import DataError, StorageError
from ganglion.evaluation.real_images import AGAINST_MISSING, find_real
from ganglion.hub.names import is_hub_model
from ganglion.latent.model import Model, gathered, load
from ganglion.latent.single_file import is_single_file
from ganglion.metrics.evaluation import Evaluation, evaluate_sets, select_scores
from ganglion.metrics.extractors import ExtractorContext, check_features, find_extractor
from ganglion.metrics.features import Features, ImageSet, array_set, store_set
from ganglion.metrics.neighbours import nearest_neighbours
from ganglion.notebook.screen import screen_here
from ganglion.pictures.sheets import ShownChannels, save_image, sheet
from ganglion.platform.devices import choose_device
from ganglion.platform.numerics import reproducible
from ganglion.recipe.schema import Data
from ganglion.recipe.size import size_text
from ganglion.runs.folder import Run
from ganglion.runs.scores import keep_scores

__all__ = ["Samples", "evaluate", "neighbour_sheet"]


SAMPLES = 10_000
SHEET_PAIRS = 24


@dataclass(frozen=True)
class Samples:
    """The samples to be scored: of a run's generator, one set per seed, or existing images."""

    sets: list[ImageSet]
    data: Data
    """Source and preprocessing of the real images."""
    wasserstein: bool = False
    """Whether D is a Wasserstein critic; then `earth-mover` is among the default scores."""
    seed: int | None = None
    """Of the run; it determines which images were held out."""
    checkpoint: Path | None = None
    """Of a run: its folder."""


@reproducible()
def evaluate(
    samples: str | os.PathLike[str] | NDArray[np.uint8],
    against: Images | None = None,
    *,
    held_out: Images | None = None,
    n: int | None = None,
    features: str = "auto",
    metrics: Iterable[str] | None = None,
    seeds: int = 1,
    checkpoint: str | int = "best",
    data_dir: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    neighbours: str | Path | None = None,
    cache: str | Path | None = None,
    quiet: bool = False,
    generator: nn.Module | None = None,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Scores of samples against the real images `against`, each with its floor.

    `samples` is a run, a FILE.safetensors, a model `hf:OWNER/NAME` on the Hugging Face Hub, a folder, a zip, a NumPy file, or
    uint8 images (N, H, W, C). Scores of a run are kept in it, in `evaluation.json`. For a run, `against` defaults to its
    training images, and `n` samples (10,000) are generated for each of `seeds` seeds. `held_out` are real images that the
    generator was not trained on; by default those that the run held out. Both accept the sources of `ganglion.train`, also
    images in memory. `generator` is the module that the run was trained on, if it was one of your own. `neighbours` is an
    image file to write: the samples nearest to a training image, each above that image. With several `devices` as many
    processes draw the samples. `reporter` is told the progress, instead of the screen. `features` and `metrics`:
    docs/metrics.md. Raises DataError, RunError.
    """
    at_least_one(n=n, seeds=seeds, devices=devices)
    folder = Path(cache) if cache else cache_folder()
    chosen = choose_device(device, devices)
    screen: Reporter = reporter or screen_here(quiet)
    scores = select_scores(metrics)
    check_features(features)  # what is wrong is said before samples are drawn
    for source in (against, held_out):
        if source is not None and is_named(source) and not is_store(Path(str(source))):
            find_source(str(source), data_dir if source is against else None)
    if against is None and _are_images(samples):
        raise DataError(AGAINST_MISSING)
    found = find_samples(samples, n, seeds, checkpoint, chosen, folder, screen, generator, devices)
    real, notes, settled = find_real(found.data, against, data_dir, folder, screen, found.seed)
    unseen = None if held_out is None else find_real(settled, held_out, None, folder, screen)
    notes += [f"held-out images: {note}" for note in (unseen.notes if unseen else [])]
    extractor, of_extractor = find_extractor(
        features,
        ExtractorContext(
            real, folder, chosen, screen.steps("Training features on the real images"), "inception-score" in scores
        ),
    )
    notes += of_extractor
    if metrics is None and found.wasserstein:
        scores = (*scores, "earth-mover")

    def draw_neighbours(ours: Features, theirs: Features) -> None:
        if neighbours is not None:
            page = neighbour_sheet(real, found.sets[0], theirs.features, ours.features, found.data.shown_channels)
            save_image(page, Path(neighbours))

    result = evaluate_sets(
        real,
        found.sets,
        extractor,
        folder,
        screen,
        scores,
        unseen.images if unseen else None,
        notes,
        on_features=draw_neighbours,
    )
    if found.checkpoint is not None:
        _keep(found.checkpoint, result)
    return result


def _keep(checkpoint: Path, result: Evaluation) -> None:
    """In the run; scores of a run that cannot be written into are measured all the same."""
    try:
        keep_scores(Run(checkpoint.parent.parent), checkpoint.name, result)
    except StorageError as error:
        result.notes.append(f"the scores are not kept in the run: {error}")


def at_least_one(**counts: int | None) -> None:
    """Raises DataError for a count below 1; None is allowed."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise DataError(f"{name} must be at least 1; got {count}")


def find_samples(
    samples: str | os.PathLike[str] | NDArray[np.uint8], n: int | None, seeds: int, checkpoint: str | int, device: torch.device,
    cache: Path, reporter: Reporter, generator: nn.Module | None = None, devices: int = 1,
) -> Samples:  # fmt: skip
    """The sets to be scored, one per seed. Raises DataError, RunError, HubError."""
    if isinstance(samples, np.ndarray):
        return _of_set(array_set("the given images", samples), n, seeds)
    if _is_model(samples):
        model = load(os.fspath(samples), checkpoint, device, generator=generator)
        recipe, kept = model.recipe, None if _is_one_file(samples) else model.checkpoint
        drawn = [_drawn(model, n or SAMPLES, seed, devices, reporter) for seed in range(seeds)]
        return Samples(drawn, recipe.data, recipe.objective.traits.critic, recipe.training.seed, kept)
    if checkpoint != "best":
        raise DataError(f"{samples} is no run, so it has no checkpoint {checkpoint}: leave --checkpoint out")
    return _of_set(store_set(prepare(_untouched(os.fspath(samples), cache, reporter), cache, reporter)), n, seeds)


def _of_set(images: ImageSet, n: int | None, seeds: int) -> Samples:
    """The images, or n of them; seeds then vary only the randomness within the scores."""
    if n is not None and n > len(images):
        raise DataError(f"{images.name} has {len(images):,} images, fewer than --n {n:,}: use a smaller --n")
    chosen = images if n is None else images.pick(np.sort(np.random.default_rng(0).permutation(len(images))[:n]))
    h, w, c = images.shape
    return Samples([chosen] * seeds, Data().model_copy(update={"size": (h, w), "channels": c}))


def _drawn(model: Model, n: int, seed: int, devices: int, reporter: Reporter) -> ImageSet:
    name = model.origin if _is_one_file(model.origin) else f"run {model.checkpoint.parent.parent}, {model.origin}"
    chunks = model.sample_chunks(n, seed, devices=devices)
    return array_set(f"{name}, seed {seed}", gathered(_counted(chunks, n, reporter.steps("Drawing samples")), n))


def _is_model(samples: str | os.PathLike[str] | NDArray[np.uint8]) -> bool:
    """Whether samples are drawn from it: a run, or a model that is none."""
    return not isinstance(samples, np.ndarray) and (_is_one_file(samples) or Run(samples).exists)


def _are_images(samples: str | os.PathLike[str] | NDArray[np.uint8]) -> bool:
    return isinstance(samples, np.ndarray) or (Path(samples).exists() and not _is_model(samples))


def _is_one_file(samples: str | os.PathLike[str]) -> bool:
    """Whether it is a model that is no run: hf:OWNER/NAME, or a FILE.safetensors."""
    return is_hub_model(samples) or is_single_file(samples)


def _counted(
    chunks: Iterator[NDArray[np.uint8]], n: int, progress: Callable[[int, int], None]
) -> Iterator[NDArray[np.uint8]]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        progress(done, n)


def _untouched(source: str, cache: Path, reporter: Reporter) -> Data:
    """Samples are not resized; they must have one size. Raises DataError where sizes differ."""
    if is_store(Path(source)):
        return Data(source=source)
    found = plan(Data(source=source), cache, reporter).scan
    if found.smallest_size != found.largest_size:
        raise DataError(
            f"{source} has images from {size_text(found.smallest_size)} to {size_text(found.largest_size)}: "
            "samples are not resized, so they must have one size"
        )
    as_they_are = Data(source=source, fit="crop", trim="off", resample="lanczos")
    return as_they_are.model_copy(update={"size": found.median_size})  # also sizes that no network has


def neighbour_sheet(
    real: ImageSet,
    fake: ImageSet,
    theirs: NDArray[np.float32],
    ours: NDArray[np.float32],
    channels: ShownChannels = None,
) -> NDArray[np.uint8]:
    """The 24 samples that lie nearest to a training image, each above that image, nearest first; one picture (H, W, C).

    `theirs` (M, A) and `ours` (N, A) are features of the real images and of the fakes.
    """
    trained = np.arange(len(real)) if real.held_out is None else np.flatnonzero(~real.held_out)
    found = nearest_neighbours(ours, theirs[trained])
    first = np.argsort(found.distance, kind="stable")[:SHEET_PAIRS]
    columns = -(-len(first) // 2)
    shown = np.zeros((2, 2, columns, *real.shape), np.uint8)  # rows of pairs, above and below, columns
    for row, chosen in enumerate(np.split(first, [columns])):
        shown[row, 0, : len(chosen)] = fake[chosen]
        shown[row, 1, : len(chosen)] = real[trained[found.indices[chosen]]]
    rows = shown[: 1 if len(first) <= columns else 2]
    return sheet(straight(rows.reshape(-1, *real.shape)), columns, channels=channels)
