"""Whether packed images can be trained on, and what of them is worth saying beforehand: copies, two kinds.

N images, H height, W width, C channels.
"""

from __future__ import annotations

from typing import Any

from ganglion.data.alpha import RGBA
from ganglion.data.columns import examples
from ganglion.data.file_names import printable
from ganglion.data.fit import Fit
from ganglion.data.store import Store
from ganglion.errors import DataError
from ganglion.recipe.size import size_text

__all__ = [
    "LEAST_IMAGES",
    "channels_among",
    "check_suitable",
    "classes_among",
    "copies_in",
    "kinds_among",
    "notes_on",
    "said_of",
    "unsuitable",
]

LEAST_IMAGES = 16
"""Different images that a training takes: below, the spread of a batch says nothing of that of the data, and D knows each image
before G has drawn any."""
MANY_COPIES = 0.02  # of the images
SECOND_KIND, FEWEST_OF_A_KIND = 0.05, 5
FEW_IN_COLOUR = 0.02  # of the images
RGB = 3  # channels
FEW_OUTSIDE = 0.05  # of the images: with more of them in no folder, folders are hardly meant as classes
SHOWN = 3  # paths


def check_suitable(store: Store) -> None:
    """Raises DataError where there is nothing to learn from the images."""
    if reason := unsuitable(store):
        raise DataError(reason)


def unsuitable(store: Store) -> str | None:
    """Why the images cannot be trained on, and what to do; None where they can."""
    images, name = store.images, printable(str(store.facts["description"]))
    copies = 0 if store.fit.duplicates == "drop" else int(store.facts["duplicates"])
    if len(images) >= LEAST_IMAGES and _alike(store):
        return f"{name}: {_alike(store)}, so there is nothing to learn: use other images, or another --size"
    if len(images) - copies < LEAST_IMAGES:
        of_these = f" of which {copies:,} {'is a copy' if copies == 1 else 'are copies'}" if copies else ""
        return (
            f"{name} has {len(images):,} image{'s' if len(images) > 1 else ''}{of_these}, and a training takes at least "
            f"{LEAST_IMAGES} different ones, better 100: add images, or cut several parts out of each"
        )
    return None


def _alike(store: Store) -> str:
    """Whether all images are of one colour, transparent or equal, in words; empty where they are not."""
    images, fitted = store.images, f"made to fit {size_text(store.fit.size)}"
    if not any((image != image[:1, :1]).any() for image in images):
        if store.fit.channels == RGBA and not images[..., -1].any():
            return "every image is transparent all over"
        return f"every image is of one colour all over when {fitted}"
    if not any((image != images[0]).any() for image in images[1:]):
        return f"all {len(images):,} images are equal when {fitted}"
    return ""


def said_of(settings: Fit, whys: dict[str, str]) -> list[str]:
    """A line for each choice that a person would want to know before a training."""
    chosen = {
        "fit": f"fit {settings.policy}",
        "trim": "" if settings.trim == "off" else f"trim {settings.trim}",
        "resample": "" if settings.resample == "lanczos" else f"resample {settings.resample}",
        "channels": "1 channel" if settings.channels == 1 else "",
        "white_level": "" if settings.white_level is None else f"white level {settings.white_level:g}",
    }
    return [f"{text}: {whys[key]}" for key, text in chosen.items() if text and key in whys]


def notes_on(facts: dict[str, Any], settings: Fit) -> list[str]:
    """Copies among the images, photos among drawings, a few that decide the channels, folders that are no classes. `facts` are
    those of a scan.
    """
    return [
        *copies_in(facts, settings),
        *kinds_among(facts),
        *channels_among(facts, settings),
        *classes_among(facts),
    ]


def copies_in(facts: dict[str, Any], settings: Fit) -> list[str]:
    """A line where copies are left out, or many."""
    copies, images = facts["duplicates"], facts["images"]
    if settings.duplicates == "drop":
        return [f"{copies:,} images that equal an earlier one are left out"] if copies else []
    if copies <= MANY_COPIES * images:
        return []
    return [
        f"{copies:,} of {images:,} images ({copies / images:.0%}) equal an earlier one pixel by pixel, such as "
        f"{facts['duplicate_paths'][0][0]}; --set data.duplicates=drop leaves them out"
    ]


def kinds_among(facts: dict[str, Any]) -> list[str]:
    """A line where there are both drawings and photos, with paths of the fewer."""
    kinds = facts["kinds"]
    drawings, photos = kinds.get("drawing", 0), kinds.get("photo", 0)
    fewer = "drawing" if drawings < photos else "photo"
    if min(drawings, photos) < max(FEWEST_OF_A_KIND, SECOND_KIND * sum(kinds.values())):
        return []
    paths = ", ".join(facts["kind_paths"][fewer][:SHOWN])
    return [
        f"two kinds of images: {drawings:,} drawings and {photos:,} photos ({fewer}s such as {paths}); a folder of one kind "
        "trains better"
    ]


def channels_among(facts: dict[str, Any], settings: Fit) -> list[str]:
    """A line where a few images in colour are why all are, and where transparent pixels are laid over white."""
    images, alpha = (
        sum(facts.get("modes", {}).values()),
        facts.get("alpha", 0),
    )  # those scanned, before copies are dropped
    colour = images - facts.get("gray", 0)
    notes = []
    if settings.channels == RGB and 0 < colour <= FEW_IN_COLOUR * images and facts.get("colour_paths"):
        notes.append(
            f"{colour:,} of {images:,} images {'is' if colour == 1 else 'are'} in colour, the others gray "
            f"({examples(facts['colour_paths'])}): move {'it' if colour == 1 else 'them'} elsewhere to train in gray"
        )
    if settings.channels < RGBA and alpha and facts.get("alpha_paths"):
        notes.append(
            f"{alpha:,} of {images:,} images {'has' if alpha == 1 else 'have'} transparent pixels, which are laid over white "
            f"({examples(facts['alpha_paths'])}); --set data.channels=4 keeps them"
        )
    return notes


def classes_among(facts: dict[str, Any]) -> list[str]:
    """A line where images in no folder are why the folders of all others are no classes, and these are meant as classes."""
    found = facts.get("folders") or {}  # none in a store that another program packed
    outside, images, flat = found.get("outside", 0), facts["images"], found.get("flat", False)
    by_file = facts.get("labels_file") or {"not_used": "there is none"}
    few = 0 < outside <= max(1, FEW_OUTSIDE * images)
    if facts.get("labels") or not by_file["not_used"] or not (few or flat):
        return []
    some = examples(found["examples"])
    are, them = ("is", "it") if outside == 1 else ("are", "them")
    or_else = ", or name another folder as the source," if flat else ""
    return [
        f"the folders are not taken as classes, since {outside:,} of {images:,} images {are} in none of them ({some}): "
        f"move {them} elsewhere{or_else} to have classes"
    ]
