"""What happens on the page Explore, without Gradio: each action takes the view of one tab and gives the next one, and HTML."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.errors import DataError
from ganglion.latent.model import Label
from ganglion.pictures.films import enlarged, write_film
from ganglion.pictures.sheets import display_channels
from ganglion.studio.explorer import Place, Start, around, film, label_of, length, mixes, picture, seeds, start_at
from ganglion.studio.kept import keep
from ganglion.studio.loaded import Loaded, Models
from ganglion.studio.photos import Photo
from ganglion.studio.slider_sets import SliderSet, default_set, slider_set
from ganglion.studio.thumbnails import figure, film_player, picks, row
from ganglion.studio.training_images import nearest_images

__all__ = ["SEEDS", "Explorer", "Levels", "View", "asked_attributes"]

SEEDS, SIMILAR, MIXES = 24, 12, 7
HISTORY = 50
FPS = 24
FAR = 1.25
"""Lengths of z, as multiples of the usual one, from which on the page says that training had few such latents."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Levels:
    """Where the sliders of the page stand."""

    truncation: float = 1.0
    share: float = 0.0
    """Of the second seed in the mix."""
    strengths: tuple[float, ...] = ()
    """Of the eight sliders."""


@dataclass(frozen=True, eq=False)
class View:
    """What one tab shows, apart from its sliders' levels."""

    run: Path
    checkpoint: str
    """The checkpoint's folder, so that a tab keeps its generator while a training goes on."""
    place: Place
    sliders: str
    """Key of the set that the eight sliders move."""
    asked: Label | None = None
    seeds: tuple[Start, ...] = ()
    similar: tuple[Start, ...] = ()
    history: tuple[Place, ...] = ()
    photo: Photo | None = None

    def at(self, levels: Levels) -> Place:
        """The place with truncation and share as on the page."""
        return replace(self.place, truncation=levels.truncation, share=levels.share if self.place.other else 0.0)

    def moved_to(self, start: Start) -> View:
        """At another start, unedited; the way back is kept."""
        place = Place(start, np.zeros_like(start.z))
        return replace(self, place=place, history=(*self.history, self.place)[-HISTORY:])


class Explorer:
    """The actions. `cache` holds packed training images."""

    def __init__(self, models: Models, cache: Path) -> None:
        self.models, self.cache = models, cache

    def loaded(self, view: View) -> Loaded:
        return self.models.again(view.run, view.checkpoint)

    def open(self, run: Path, checkpoint: str = "best", seed: int = 0) -> View:
        """The view of a run that is opened. Raises RunError, CheckpointError."""
        loaded = self.models.open(run, int(checkpoint) if checkpoint.isdecimal() else checkpoint)
        start = start_at(loaded.model, seed)
        return View(run, loaded.checkpoint, Place(start, np.zeros_like(start.z)), default_set(loaded))

    def ask(self, view: View, asked: Label | None) -> tuple[View, str]:
        """With another class or other attributes; and a remark where no training image has these. Raises DataError."""
        wanted = asked or None
        try:
            remark = self.loaded(view).model.remark(wanted)
        except ValueError as error:
            raise DataError(str(error)) from None
        return replace(view, asked=wanted), remark[:1].upper() + remark[1:] + ("." if remark else "")

    def picture(self, view: View, levels: Levels) -> str:
        """The picture, with what it is."""
        loaded, vectors = self.loaded(view), self.slider_set(view).vectors
        place = view.at(levels)
        pixels = picture(loaded, place, view.asked, vectors, levels.strengths)
        far = length(loaded.model, place.z(loaded.model, vectors, levels.strengths))
        words = f"{place.name[0].upper()}{place.name[1:]}"
        words += f", z {far:.2f} times as long as usual" + (": rare in training" if far > FAR else "")
        return figure(pixels, f"Picture at {place.name}", words, loaded.model.shown_channels, "main")

    def pixels(self, view: View, levels: Levels) -> Pixels:
        """The same as uint8 (H, W, C)."""
        return picture(self.loaded(view), view.at(levels), view.asked, self.slider_set(view).vectors, levels.strengths)

    def slider_set(self, view: View) -> SliderSet:
        return slider_set(self.loaded(view), view.sliders)

    def ends(self, view: View, levels: Levels, reach: float) -> list[str]:
        """For each slider the pictures at both of its ends, with the others where they are."""
        loaded, (names, vectors) = self.loaded(view), self.slider_set(view)
        place, rows = view.at(levels), []
        for slider in range(len(names)):
            for end in (-reach, reach):
                strengths = list(levels.strengths)
                strengths[slider] = end
                rows.append(place.z(loaded.model, vectors, strengths))
        drawn = loaded.draw(torch.stack(rows), label_of(loaded.model, place.start.seed, view.asked))
        shown = loaded.model.shown_channels
        texts = ("lowest", "highest")
        return [
            '<div class="ends">'
            + "".join(figure(drawn[2 * i + end], f"{name}: {texts[end]}", "", shown) for end in (0, 1))
            + "</div>"
            for i, name in enumerate(names)
        ]

    def choose_sliders(self, view: View, levels: Levels, key: str) -> View:
        """With another set of sliders; what these have moved stays. Raises DataError."""
        edited = view.place.edited(self.slider_set(view).vectors, levels.strengths)
        chosen = replace(view, place=edited, sliders=key)
        self.slider_set(chosen)
        return chosen

    def seeds(self, view: View, truncation: float, first: int) -> tuple[View, str]:
        """A grid of seeds from `first` on. Raises DataError."""
        loaded = self.loaded(view)
        starts, drawn = seeds(loaded, first, SEEDS, truncation, view.asked)
        names = [start.name for start in starts]
        html = picks(drawn, names, loaded.model.shown_channels, f"Pictures of the seeds {first} to {first + SEEDS - 1}")
        return replace(view, seeds=tuple(starts)), html

    def similar(self, view: View, levels: Levels, distance: float, seed: int) -> tuple[View, str]:
        """A grid of latents near the picture's. Raises DataError."""
        loaded, place = self.loaded(view), view.at(levels)
        z = place.z(loaded.model, self.slider_set(view).vectors, levels.strengths)
        starts, drawn = around(loaded, place, z, SIMILAR, distance, seed, view.asked)
        names = [f"variation {i}" for i in range(1, len(starts) + 1)]
        return replace(view, similar=tuple(starts)), picks(
            drawn, names, loaded.model.shown_channels, "Similar pictures"
        )

    def back(self, view: View) -> View:
        """At the place before the last pick; as it is where there is none."""
        if not view.history:
            return view
        return replace(view, place=view.history[-1], history=view.history[:-1])

    def unedited(self, view: View) -> View:
        return replace(view, place=Place(view.place.start, np.zeros_like(view.place.edit)))

    def mix(self, view: View, levels: Levels, seed: int) -> tuple[View, str]:
        """With a second seed to mix in, and a row of pictures from the one to the other. Raises DataError."""
        loaded = self.loaded(view)
        mixed = replace(view, place=replace(view.place, other=start_at(loaded.model, seed)))
        drawn = mixes(loaded, mixed.at(levels), start_at(loaded.model, seed), MIXES, view.asked)
        shares = [f"{i / (MIXES - 1):.0%}" for i in range(MIXES)]
        return mixed, row(drawn, shares, loaded.model.shown_channels)

    def film(self, view: View, truncation: float, stops: str, frames: int, loop: bool) -> str:
        """A film through seeds, as a player. Raises DataError, StorageError."""
        chosen = _numbers(stops)
        loaded = self.loaded(view)
        path, label = film(loaded, chosen, frames, loop, truncation, view.asked)
        channels = loaded.model.shown_channels
        images = (enlarged(display_channels(one, channels)) for one in loaded.model.pixels(path, label))
        with tempfile.TemporaryDirectory(prefix="ganglion-", ignore_cleanup_errors=True) as folder:
            written = Path(folder) / "film.mp4"
            write_film(images, written, FPS)
            content = written.read_bytes()
        name = "seeds-" + "-".join(map(str, chosen[:6]))
        return film_player(content, f"Film from seed to seed: {', '.join(map(str, chosen))}", f"{name}.mp4")

    def keep(self, view: View, levels: Levels, name: str) -> None:
        """Keeps what sliders and mix have moved as a direction of this name. Raises DataError, RunError, StorageError."""
        keep(view.run, self._moved(view, levels), name)

    def _moved(self, view: View, levels: Levels) -> Tensor:
        model, place = self.loaded(view).model, view.at(levels)
        unmoved = Place(place.start, np.zeros_like(place.edit), truncation=place.truncation)
        return place.z(model, self.slider_set(view).vectors, levels.strengths) - unmoved.z(model)

    def nearest(self, view: View, levels: Levels) -> str:
        """The picture and the training images nearest to it. Raises DataError where these are gone."""
        loaded = self.loaded(view)
        sample = self.pixels(view, levels)
        found = nearest_images(sample, loaded.model.recipe.data, self.cache)
        words = ["the picture", *(f"{error:.3f}" for error in found.errors)]
        below = (
            f"<p class='note plain'>Root mean square difference of pixels on [-1, 1]; {found.searched:,} training images "
            "were searched. A difference near 0 is a copy.</p>"
        )
        return row([sample, *found.pixels], words, loaded.model.shown_channels) + below


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise DataError(f"expected seeds, separated by commas, such as 1, 7, 42; got {text[:60]!r}")
    return [int(part) for part in parts]


def asked_attributes(pairs: Sequence[str], numbers: Mapping[str, float]) -> dict[str, str]:
    """`smiling=1` and the like, and values of numbers, as what a model is asked for. Raises DataError."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise DataError(f"expected NAME=VALUE, such as smiling=1; got {pair[:60]!r}")
        found[name.strip()] = value.strip()
    return found | {name: f"{value:g}" for name, value in numbers.items()}
