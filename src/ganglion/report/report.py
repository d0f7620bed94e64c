"""`ganglion report`: a summary of a run as one HTML file of at most 3 MB that needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ganglion.data.alpha import straight
from ganglion.data.given import cannot_be_named
from ganglion.data.prepare import cache_folder, prepare_again
from ganglion.data.store import Store
from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Verdict
from ganglion.errors import CheckpointError, DataError, RunError
from ganglion.latent.model import load
from ganglion.pictures.sheets import sheet
from ganglion.platform.command_line import pasteable
from ganglion.platform.files import write_atomically
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import preset_names, recipe_text, resolve
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import size_text
from ganglion.report.album import Snapshot, data_uris, snapshots
from ganglion.report.bands import healthy_bands
from ganglion.report.explored import Picture, explore, nearest_rows
from ganglion.report.panels import Panel, panels_of
from ganglion.report.render import for_script, render
from ganglion.report.watched import is_watched, write_watched_report
from ganglion.runs.folder import Run, changes
from ganglion.runs.history import RunHistory, run_history
from ganglion.streams import Purpose, stream
from ganglion.vitals.records import Record

__all__ = ["BEST_SCORES", "LIMIT", "differences_of", "panels_of_run", "pictures_of_run", "write_report"]


LIMIT = 3_000_000  # characters of a report
MARKUP = 10_000  # of them for markup around the snapshots
PICTURES = 800_000  # of them for images of latent space
REAL_IMAGES = 64
NEAREST_SAMPLES = 8
SEARCHED = 20_000  # real images among which the nearest are searched
LONGEST = 90  # characters of a value in a table
BEST_SCORES = {"score": "frechet", "relative distance": "relative_distance"}
"""Of the best checkpoint, by their names; with few images it is the second that chose it."""
NOT_SHOWN = {"command", "process"}  # of the environment: it is above; of use to programs alone


@dataclass
class Gallery:
    """Images of a run other than its snapshots, and notes on what is missing."""

    pictures: list[Picture] = field(default_factory=list)
    real: str | None = None
    data_facts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_report(
    run: str | Path | Run,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    quiet: bool = False,
    generator: nn.Module | None = None,
) -> Path:
    """Writes the report of a run, finished or not; by default to `report.html` in its folder. Returns the file.

    `generator`: the module of your own that the run was trained on, if it was one; without it no new samples are shown.
    Raises RunError, StorageError. The folder of a watched training
    gives a report without recipe. The report notes what is missing (a checkpoint, the images).
    """
    folder = run if isinstance(run, Run) else Run(run)
    if is_watched(folder.path):
        return write_watched_report(folder.path, Path(out) if out else None)
    recipe, history = folder.recipe, run_history(folder)
    target = Path(out) if out else folder.path / "report.html"
    gallery = pictures_of_run(folder, Path(cache) if cache else cache_folder(), Screen(quiet=quiet), generator)
    panels, about = panels_of_run(folder, history)
    best = folder.best_step
    content = _content(folder, recipe, history, gallery) | {"band_about": about}
    page = render("report.html", panels, snapshots=[], snapshots_json="", **content)
    room = LIMIT - len(page.encode()) - len(gallery.real or "") - MARKUP  # of a page that has no timeline yet
    found = snapshots(folder.fixed_samples, folder.fresh_samples, room, best)
    shown = for_script(_timeline(found, recipe, history, best))
    page = render("report.html", panels, snapshots=found, snapshots_json=shown, **content)
    write_atomically(target, page.encode())
    return target


def panels_of_run(run: Run, history: RunHistory) -> tuple[list[Panel], str]:
    """The charts, and the origin of the healthy bands."""
    bands, about = healthy_bands(run.recipe.name)
    return (panels_of(history, bands) if history.records else []), about


def pictures_of_run(run: Run, cache: Path, screen: Screen, generator: nn.Module | None = None) -> Gallery:
    """Images of the best checkpoint, and real images for comparison."""
    gallery = Gallery()
    store = _images(run.recipe, cache, screen, gallery)
    try:
        model = load(run, generator=generator)
    except (CheckpointError, RunError) as error:
        gallery.notes.append(f"No images of latent space: {error}.")
        return gallery
    gallery.pictures = explore(model, str(run.path))
    if store is not None:
        searched = store.images[:: -(-len(store.images) // SEARCHED)]  # a view: they are read piece by piece
        about = f"By pixels, among {len(searched):,} of {len(store.images):,} images. A sample equal to one of them is a copy."
        pixels = nearest_rows(model.sample(NEAREST_SAMPLES), searched, model.shown_channels)
        gallery.pictures.append(Picture("nearest", "Samples and their nearest real images", about, pixels))
    return gallery


def _images(recipe: Recipe, cache: Path, screen: Screen, gallery: Gallery) -> Store | None:
    """The images of a run where they are still available; adds facts on them to the gallery."""
    try:
        store = prepare_again(recipe.data, cache, screen)
    except DataError as error:
        gallery.notes.append(f"The run's images are not available, so none are shown: {error}.")
        return None
    if store.content != recipe.data.content:
        gallery.notes.append("The images have changed since the run; the current ones are shown.")
    chosen = np.sort(stream(recipe.training.seed, Purpose.SCORE, 1).permutation(len(store.images))[:REAL_IMAGES])
    (gallery.real,) = data_uris(
        [sheet(straight(store.images[chosen]), channels=recipe.data.shown_channels)], PICTURES // 8
    )
    gallery.data_facts = _data_facts(store, recipe)
    return store


def _data_facts(store: Store, recipe: Recipe) -> list[tuple[str, str]]:
    bad = store.facts["bad"]
    found = [
        ("Source", str(store.facts["description"])),
        ("Images", f"{len(store.images):,} of {size_text(store.fit.size)}, {store.fit.channels} channels"),
        ("Held out", f"{recipe.data.held_out_images or 0:,}"),
        ("Broken files, skipped", f"{len(bad):,}" + "".join(f"; {name}: {why}" for name, why in bad[:5])),
    ]
    return found + ([("Classes", f"{len(store.classes):,}")] if store.classes else [])


def _timeline(found: Sequence[Snapshot], recipe: Recipe, history: RunHistory, best: int | None) -> list[dict[str, Any]]:
    """The snapshots for the page's script."""
    kimg_at = {record["step"]: record["kimg"] for record in history.records}
    per_step = recipe.training.batch / 1000
    return [
        {"step": one.step, "kimg": round(kimg_at.get(one.step, one.step * per_step), 1), "fixed": one.fixed,
         "fresh": one.fresh, "best": one.step == best}
        for one in found
    ]  # fmt: skip


def _content(run: Run, recipe: Recipe, history: RunHistory, gallery: Gallery) -> dict[str, Any]:
    """The content of the page, without its timeline."""
    verdict, environment = diagnose(run.path), run.environment()
    facts = _facts(recipe, history, environment, run.best_of(history.records))
    pictures = zip(gallery.pictures, data_uris([one.pixels for one in gallery.pictures], PICTURES), strict=True)
    return {
        "title": run.path.name or str(run.path), "facts": facts, "verdict": verdict,
        "lead": _lead(verdict), "real": gallery.real, "notes": gallery.notes, "data_facts": gallery.data_facts,
        "pictures": [{"title": one.title, "about": one.about, "uri": text} for one, text in pictures],
        "preset": recipe.name if recipe.name in preset_names() else "", "differences": differences_of(recipe),
        "recipe_text": recipe_text(recipe), "command": _command(run, recipe, environment),
        "environment": [(name, _short(value)) for name, value in environment.items() if name not in NOT_SHOWN],
    }  # fmt: skip


def _lead(verdict: Verdict) -> str:
    sentence = verdict.headline[0].upper() + verdict.headline[1:]
    codes = ", ".join(finding.code for finding in verdict.findings)
    samples = f" Samples: {verdict.samples}" if verdict.samples else ""
    return (f"{sentence}: {codes}." if codes else f"{sentence}.") + samples


def _facts(recipe: Recipe, history: RunHistory, environment: dict[str, Any], best: Record) -> list[str]:
    """Recipe, data, duration, device, seed, and the scores of the best checkpoint."""
    size = size_text(recipe.data.size) if recipe.data.size else "unknown size"
    seconds = history.records[-1].get("seconds", 0) if history.records else 0
    scores = [f"{name} {best[key]:,.3g}" for name, key in BEST_SCORES.items() if best.get(key) is not None]
    return [
        f"recipe {recipe.name}", f"{recipe.data.source} at {size}", f"{history.kimg:,.1f} kimg in {seconds / 60:,.1f} minutes",
        f"{environment.get('device', 'unknown device')}, {environment.get('cpu_cores', '?')} cores",
        f"precision {recipe.training.precision}", f"seed {recipe.training.seed}",
        *([f"best checkpoint: {', '.join(scores)}"] if scores else []),
    ]  # fmt: skip


def differences_of(recipe: Recipe) -> list[tuple[str, str, str]]:
    """Key, value of the preset and value of the recipe, where they differ; none of a recipe without a preset."""
    if recipe.name not in preset_names():
        return []
    return [(key, _short(old), _short(new)) for key, old, new in changes(resolve(recipe.name), recipe)]


def _command(run: Run, recipe: Recipe, environment: dict[str, Any]) -> str:
    networks = ["--networks", str(run.networks_path)] if run.networks_path.is_file() else []
    options = ["--recipe", str(run.recipe_path), *networks, "--run", "runs/again"]
    again = pasteable(["ganglion", "train", str(recipe.data.source), *options])
    if cannot_be_named(str(recipe.data.source)):
        again = f"ganglion.train(images, recipe={str(run.recipe_path)!r}, run='runs/again')  # {recipe.data.source}"
    return "\n".join([f"was: {environment['command']}", again] if environment.get("command") else [again])


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
