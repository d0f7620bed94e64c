"""`ganglion recipes`: list them, print one, or print the schema that all of them follow."""

from __future__ import annotations

import json
from typing import Annotated

import typer

__all__ = ["recipes"]


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="The recipe to print, with its comments.", show_default=False)
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
    """The first sentence or two of a preset's opening comment."""
    comment = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(comment)
