"""`ganglion data`, `ganglion recipes`, `ganglion env`: information on images, recipes and this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganglion.cli import completion
from ganglion.cli.labels import labels_text
from ganglion.data.file_names import PREVIEW

if TYPE_CHECKING:
    from ganglion.data.store import Store
    from ganglion.recipe.parts import Augment

__all__ = ["data", "env", "recipes"]


PREVIEW_IMAGES = 64
AUGMENTED_ROWS = 8
LISTED = 20


def data(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder, zip or IDX file of images, or a data set's name.", autocompletion=completion.sources
        ),
    ],
    size: Annotated[
        str | None, typer.Option(help="64, or 96x64 for height x width. Default: chosen from the images.")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="1, 3 or 4; for arrays up to 64. Default: chosen from the images.")
    ] = None,
    fit: Annotated[str | None, typer.Option(help="auto, crop, pad or stretch.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any value of the recipe, such as data.trim=off."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="A local copy of a named data set.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="auto, folders, or a file of labels in or beside the images. Default: labels.csv or the like."
        ),
    ] = None,
    preview: Annotated[Path, typer.Option(help="File for the preview sheet.")] = Path(PREVIEW),
    augment: Annotated[
        str | None,
        typer.Option(help="diffaugment or ada: also write a sheet of augmented images."),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="With --augment: mirror images too.")] = False,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="With --augment ada: probability of each augmentation.")
    ] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Scan the images of SOURCE, list broken files, and write a preview of the preprocessed images."""
    from ganglion.data.alpha import straight
    from ganglion.data.prepare import cache_folder, prepare
    from ganglion.data.suitability import notes_on, unsuitable
    from ganglion.pictures.sheets import save_image, sheet
    from ganglion.platform.screen import Screen
    from ganglion.recipe.resolve import parse_assignments, requested_recipe

    given = {"data.channels": channels, "data.fit": fit, "data.labels": labels}
    overrides = parse_assignments(set_ or []) | {key: value for key, value in given.items() if value is not None}
    if augment is not None:
        overrides |= {"augment.kind": augment} | ({"augment.flip": True} if flip else {})
    recipe = requested_recipe(source, size=size, data_dir=data_dir, set=overrides)
    screen = Screen()
    store = prepare(recipe.data, cache_folder(), screen)
    step = max(1, len(store.images) // PREVIEW_IMAGES)
    save_image(sheet(straight(store.images[::step][:PREVIEW_IMAGES])), preview)
    augmented = _write_augmented(store, recipe.augment, strength, preview) if augment is not None else None
    facts = _facts(store) | {
        "augmented": str(augmented) if augmented else None,
        "store": str(store.path),
        "preview": str(preview),
        "notes": notes_on(store.facts, store.fit),
        "refused": unsuitable(store),
    }
    typer.echo(json.dumps(facts, indent=1) if as_json else _text(facts))


def _write_augmented(store: Store, augment: Augment, strength: float, preview: Path) -> Path:
    """A sheet of eight images, each with seven augmented copies in its row."""
    import torch

    from ganglion.augment.pipeline import variants
    from ganglion.data.alpha import straight
    from ganglion.data.pixels import to_float, to_uint8
    from ganglion.pictures.sheets import save_image, sheet

    step = max(1, len(store.images) // AUGMENTED_ROWS)
    images = to_float(torch.from_numpy(store.images[::step][:AUGMENTED_ROWS].copy()))
    path = preview.with_name(f"{preview.stem}-{augment.kind}{preview.suffix}")
    save_image(sheet(straight(to_uint8(variants(images, augment, 7, strength)).numpy()), columns=8), path)
    return path


def _facts(store: Store) -> dict[str, Any]:
    fit = store.fit
    chosen = {
        "size": list(fit.size), "channels": fit.channels, "fit": fit.policy, "trim": fit.trim, "trim_box": fit.box,
        "resample": fit.resample, "duplicates": fit.duplicates, "white_level": fit.white_level,
    }  # fmt: skip
    facts = dict(store.facts)
    return facts | {"chosen": chosen, "reasons": facts.pop("whys", {})}


def _text(facts: dict[str, Any]) -> str:
    from ganglion.data.columns import examples

    chosen, reasons = facts["chosen"], facts["reasons"]
    why = {key: f" ({reason})" for key, reason in reasons.items()}
    parts = facts.get("folders", {}).get("parts", ())
    none = f"none (the folders {examples(parts)} are parts of one set)" if parts else "none"
    counts = ", ".join(f"{name}: {count:,}" for name, count in facts["labels"].items()) or none
    sizes = ", ".join(f"{size} ({count:,})" for size, count in facts["sizes"][:5])
    rest = "" if len(facts["sizes"]) <= 5 else ", ..."
    remarks = [
        f"  {facts[key]:,} {text}"
        for key, text in (
            (
                "duplicates",
                "equal an earlier one pixel by pixel"
                + (" (left out)" if chosen["duplicates"] == "drop" else " (kept)"),
            ),
            ("animated", "have several frames; the first is used"),
            ("turned", "are rotated by their EXIF orientation"),
            ("alpha", "have transparent pixels"),
            ("tinted", "are gray but for small differences between the channels"),
        )
        if facts[key]
    ]
    lines = [
        f"{facts['images']:,} usable images in {facts['description']}",
        *remarks,
        f"Sizes (height x width): {sizes}{rest}; modes: {', '.join(f'{m} ({n:,})' for m, n in facts['modes'].items())}",
        f"Classes: {counts}",
        *labels_text(facts.get("labels_file")),
        *_skipped(facts["bad"]),
        f"Training would use {chosen['size'][0]}x{chosen['size'][1]}{why.get('size', '')},",
        f"  {chosen['channels']} channel{'s' if chosen['channels'] > 1 else ''}{why.get('channels', '')},",
        *(f"  {key} {chosen[key]}{why.get(key, '')}" for key in ("fit", "trim", "resample")),
        *([f"  white level {white:g}{why.get('white_level', '')}"] if (white := chosen["white_level"]) else []),
        *(f"Note: {note}" for note in facts["notes"]),
        *([f"Training refuses these images: {facts['refused']}"] if facts["refused"] else []),
        f"Preview of the preprocessed images: {facts['preview']}",
        *([f"Augmented, seven copies of each image: {facts['augmented']}"] if facts["augmented"] else []),
    ]
    return "\n".join(lines)


def _skipped(bad: list[tuple[str, str]]) -> list[str]:
    if not bad:
        return ["Skipped files: none"]
    rest = [f"  ... and {len(bad) - LISTED:,} more; --json lists all"] if len(bad) > LISTED else []
    return [f"Skipped files: {len(bad):,}", *(f"  {path}: {reason}" for path, reason in bad[:LISTED]), *rest]


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The recipe to print, with its comments.", show_default=False, autocompletion=completion.recipes
        ),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of recipes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the recipes that come with Ganglion, or print one."""
    from ganglion.recipe.resolve import preset_names, preset_text, resolve
    from ganglion.recipe.schema import Recipe

    if schema:
        typer.echo(json.dumps(Recipe.model_json_schema(), indent=1))
    elif name and as_json:
        typer.echo(resolve(name).model_dump_json(indent=1))
    elif name:
        typer.echo(preset_text(name), nl=False)
    elif as_json:
        typer.echo(json.dumps({preset: _summary(preset_text(preset)) for preset in preset_names()}, indent=1))
    else:
        for preset in preset_names():
            typer.echo(f"{preset:12} {_summary(preset_text(preset))}")


def _summary(text: str) -> str:
    """A preset's opening comment."""
    comment = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(comment)


def env(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print versions, device, threads and missing packages."""
    from ganglion.data.prepare import cache_folder
    from ganglion.platform.devices import choose_device, choose_precision
    from ganglion.platform.environment import describe_environment, missing_extras

    device = choose_device("auto")
    facts = describe_environment(device) | {
        "precision": choose_precision("auto", device),
        "cache": str(cache_folder()),
        "missing": missing_extras(),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    packages = facts.pop("packages")
    missing = facts.pop("missing")
    for name, value in {**facts, **packages}.items():
        typer.echo(f"{name:18} {_shown(value)}")
    typer.echo(f"{'missing':18} {'; '.join(f'{name} ({purpose})' for name, purpose in missing.items()) or 'nothing'}")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not found" if value is None else str(value)
