"""What of a run goes to the Hub: weights, recipe, attributes, a sheet of samples, the model card, and their hashes.

Everything is chosen; nothing else of the run folder is read into it. Optimiser states, D, records, environment and the code of
own networks stay.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.hub.checksums import SUMS, checksums
from ganglion.latent.model import Model
from ganglion.latent.one_file import WEIGHTS
from ganglion.latent.single_file import SingleFile, single_file_bytes
from ganglion.pictures.sheets import over_white, sheet, to_pillow
from ganglion.recipe.resolve import recipe_text
from ganglion.runs.folder import Run
from ganglion.sharing.card import CARD, SHEET, model_card
from ganglion.sharing.facts import RunFacts, run_facts
from ganglion.sharing.public_recipe import withheld

__all__ = ["Contents", "run_contents"]

RECIPE = "recipe.yaml"
MOST_SAMPLES, SHEET_SIDE = 64, 1100
"""A sheet has as many samples, and is enlarged as much, as its side in pixels allows."""


@dataclass(frozen=True)
class Contents:
    """Files by their names in the repository."""

    files: dict[str, bytes]
    about: dict[str, str]
    """What each of them is."""
    withheld: list[str]
    """What is left out of the recipe because it is private."""
    facts: RunFacts


def run_contents(run: Run, model: Model, repository: str, licence: str | None, cache: Path) -> Contents:
    """What is sent of `run` at the checkpoint of `model`, a model of it."""
    facts = run_facts(run, model, cache)
    pixels, samples = _sheet(model)
    content = SingleFile(facts.recipe, model.checkpoint.name, model.generator.state_dict(), rows=model.training_rows)
    files = {
        WEIGHTS: single_file_bytes(content),
        RECIPE: recipe_text(facts.recipe).encode(),
        SHEET: _png(pixels),
    }
    rows = model.training_rows
    about = {
        CARD: "the model card",
        WEIGHTS: f"averaged weights of G, {model.origin}"
        + ("" if rows is None else f", and the attributes of {len(rows):,} training images"),
        RECIPE: "every value of the training but names of files",
        SHEET: f"{samples} random samples",
        SUMS: "their hashes",
    }
    files[SUMS] = checksums(files)
    card = model_card(repository, facts, licence, samples)
    return Contents({CARD: card.encode(), **files}, about, withheld(run.recipe), facts)


def _sheet(model: Model) -> tuple[NDArray[np.uint8], int]:
    """A square sheet of random samples (H, W, C), and their number."""
    height, width = model.sample(1).shape[1:3]
    columns = int(max(3, min(MOST_SAMPLES**0.5, SHEET_SIDE // width)))
    samples = model.sample(columns * columns, seed=0)
    times = max(1, SHEET_SIDE // (columns * max(height, width)))
    return sheet(samples.repeat(times, 1).repeat(times, 2), columns, channels=model.shown_channels), len(samples)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Where it is transparent, white is shown: the Hub's pages have a light and a dark mode."""
    file = io.BytesIO()
    picture = to_pillow(pixels)
    (over_white(picture) if picture.mode == "RGBA" else picture).save(file, format="PNG", optimize=True)
    return file.getvalue()
