"""The real images that samples are scored against, made to fit their size, and what was done to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.data.batches import FEWEST_HELD_OUT, held_out
from ganglion.data.choices import choose_channels
from ganglion.data.fit import recipe_values
from ganglion.data.given import Images, cannot_be_named, is_named, name_of
from ganglion.data.prepare import DataPlan, Reporter, plan, prepare, prepare_again
from ganglion.data.store import Store, is_store
from ganglion.errors import DataError
from ganglion.metrics.features import ImageSet, store_set
from ganglion.recipe.schema import Data
from ganglion.recipe.size import size_text

__all__ = ["AGAINST_MISSING", "RealImages", "find_real"]


AGAINST_MISSING = "--against SOURCE is missing: name the real images to compare the samples with"


class RealImages(NamedTuple):
    images: ImageSet
    notes: list[str]
    """On what was done to them."""
    data: Data
    """As was asked for, with what was chosen of the preprocessing for them."""


def find_real(
    data: Data, against: Images | None, data_dir: str | Path | None, cache: Path, reporter: Reporter,
    seed: int | None = None,
) -> RealImages:  # fmt: skip
    """The real images at the size of the samples. Raises DataError.

    With the `seed` of the run, the images that it held out are marked.
    """
    own = against is None
    if own and not data.source:
        raise DataError(AGAINST_MISSING)
    source = data.source if own else str(name_of(against))
    copy = None if data_dir is None else str(data_dir)
    changes = {"source": source, "data_dir": copy or (data.data_dir if own else None)}
    changes |= {} if own else {"labels": "auto"}  # the run's file of labels is that of its own images
    packed = is_named(against) and is_store(Path(str(source)))
    if data.trim == "auto" and not packed:  # samples that are files are not trimmed either
        changes["trim"] = "off"
    wanted = data.model_copy(update=changes)
    notes: list[str] = []
    if own and cannot_be_named(str(source)):
        store = prepare_again(wanted, cache, reporter)
    else:
        if not packed:
            notes = what_is_done(plan(wanted, cache, reporter, against), wanted)
        store = prepare(wanted, cache, reporter, against)
    if own and data.content not in (None, store.content):
        notes.append("the real images have changed since the training")
    chosen = {key.removeprefix("data__"): value for key, value in recipe_values(store.fit).items()}
    settled = data.model_copy(update=chosen | {"duplicates": data.duplicates})  # which is no preprocessing
    return RealImages(replace(store_set(store), held_out=kept_from_training(store, data, seed)), notes, settled)


def kept_from_training(store: Store, data: Data, seed: int | None) -> NDArray[np.bool_] | None:
    """Which images (N,) a run with this `data` and `seed` held out; None where the run was trained on other images, or the
    held-out images are too few.
    """
    count = data.held_out_images or 0
    if seed is None or data.content != store.content or count < FEWEST_HELD_OUT:
        return None
    kept = np.zeros(len(store.images), bool)
    kept[held_out(len(kept), seed, count)[1]] = True
    return kept


def what_is_done(planned: DataPlan, wanted: Data) -> list[str]:
    """Notes on the preprocessing of real images."""
    notes, scan, settings = [], planned.scan, planned.fit
    size, smallest, largest = wanted.size or scan.median_size, scan.smallest_size, scan.largest_size
    if not smallest == largest == size or settings.trim != "off":
        sizes = size_text(smallest) if smallest == largest else f"{size_text(smallest)} to {size_text(largest)}"
        trimmed = "" if settings.trim == "off" else f"trim {settings.trim}, "
        how = f"{trimmed}{settings.policy}, {settings.resample.capitalize()}"
        notes.append(f"real images of {sizes} are made to fit {size_text(size)} ({how})")
    natural, _ = choose_channels(scan)
    if wanted.channels not in (None, natural):
        notes.append(
            f"real images have {natural} channels by nature and are read with {wanted.channels}, as the samples are"
        )
    if scan.bad:
        notes.append(f"{len(scan.bad)} real files cannot be read and are left out; ganglion data lists them")
    return notes
