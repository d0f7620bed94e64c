"""`ganglion train`: everything from images to a generator. The work is done by `ganglion.train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ganglion.recipe.request import requested_recipe

    requested_recipe(source, **asked)  # before torch is loaded: what is wrong in it is said at once
    if dry_run:
        _print_recipe(source, asked, device)
        return

    from ganglion.training.train import train as start

    start(source, run=run, device=device, devices=devices, fresh=fresh, **asked)


def _print_recipe(source: str | None, asked: Request, device: str) -> None:
    """The resolved recipe as YAML; for `auto` the images have to be looked at first, and its reasons go before it."""
    from ganglion.recipe.request import requested_recipe
    from ganglion.recipe.resolve import recipe_text

    wanted = requested_recipe(source, **asked)
    if asked["recipe"] == "auto" and source is not None:
        from ganglion.data.prepare import cache_folder
        from ganglion.training.auto import settle
        from ganglion.training.hardware import choose_device
        from ganglion.training.screen import Screen

        wanted, _, reasons = settle(source, asked, cache_folder(), choose_device(device).type, Screen())
        for reason in reasons:
            typer.echo(f"# auto: {reason}")
    typer.echo(recipe_text(wanted), nl=False)
