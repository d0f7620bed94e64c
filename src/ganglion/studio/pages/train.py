"""The page Train: images, recipe, forecast, start. What it finds out comes from `trial`, what it starts goes through `jobs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ganglion.errors import GanglionError
from ganglion.recipe.resolve import preset_names, preset_text, requested_recipe
from ganglion.studio.commands import Wanted, minutes_of, name_for, settings_of
from ganglion.studio.fragments import rendered, uri_of
from ganglion.studio.jobs import Jobs
from ganglion.studio.state import Studio
from ganglion.studio.trial import about_recipe, forecast, look_at

__all__ = ["build", "start", "wanted_of"]


RECIPES = ["auto", *(name for name in preset_names() if name != "auto")]

DROP = re.compile(r"\S*[/\\]drops[/\\][0-9a-f]{16}[/\\]?")  # where uploads lie: of no use to a reader

Form = tuple[str, str, str, str, str]
"""Source, recipe, size, minutes and settings, as in the fields."""


def build(studio: Studio) -> None:
    """Creates the page in the current Blocks."""
    import gradio as gr

    gr.HTML(rendered("train_head.html"), padding=False, apply_default_css=False)
    with gr.Row(elem_classes="fields"):
        with gr.Column(scale=2, min_width=300):
            source = gr.Textbox(
                label="Images", info="A folder, a zip, or the name of a data set: digits, mnist, cifar10, hf:OWNER/NAME",
                placeholder="photos/", elem_id="source",
            )  # fmt: skip
            gr.HTML(rendered("drop.html", target="source", then="look", what="a folder of images, or a zip"),
                    padding=False, apply_default_css=False)  # fmt: skip
            recipe = gr.Dropdown(RECIPES, value="auto", label="Recipe", filterable=False)
            about = gr.HTML(_about("auto"), padding=False, apply_default_css=False)
            with gr.Row():
                size = gr.Textbox(label="Size", info="Pixels: 64, or 96x64", placeholder="chosen", max_lines=1)
                minutes = gr.Textbox(label="Minutes", info="Of training", placeholder="the recipe's", max_lines=1)
            with gr.Accordion("Other values of the recipe", open=False):
                settings = gr.Textbox(
                    label="Settings", info="KEY=VALUE, one on a line, such as generator.width=32", lines=3,
                )  # fmt: skip
            with gr.Row():
                look = gr.Button("Look at the images", elem_id="look")
                ahead = gr.Button("Forecast")
            go = gr.Button("Start training", variant="primary", elem_id="start")
        with gr.Column(scale=3, min_width=320):
            said = gr.HTML("", padding=False, apply_default_css=False, elem_id="said")
            images = gr.HTML(rendered("train_hint.html"), padding=False, apply_default_css=False, elem_id="images")
            outlook = gr.HTML("", padding=False, apply_default_css=False, elem_id="forecast")
    started = gr.Textbox(visible=False)
    form = [source, recipe, size, minutes, settings]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    recipe.change(_about, recipe, about, **quiet)

    def looked(*fields: Any) -> Iterator[tuple[str, Any]]:  # Gradio tells a generator by its definition
        yield from _look(studio, fields)

    def foretold(*fields: Any) -> Iterator[tuple[str, Any]]:
        yield from _forecast(studio, fields)

    look.click(looked, form, [said, images], **quiet)
    source.submit(looked, form, [said, images], **quiet)
    ahead.click(foretold, form, [said, outlook], **quiet)
    go.click(lambda *fields: _start(studio, fields), form, [said, started], **quiet).then(
        None, started, None, js="(name) => { if (name) location.href = '/run?run=' + encodeURIComponent(name); }"
    )


def wanted_of(studio: Studio, form: Form) -> Wanted:
    """What the fields ask for, checked as far as it can be without the images. Raises DataError, RecipeError."""
    source, recipe, size, minutes, settings = form
    found = Wanted(
        studio.source(source or ""),
        recipe or "auto",
        (size or "").strip(),
        minutes_of(minutes),
        settings_of(settings or ""),
    )
    requested_recipe(
        found.source, recipe=found.recipe, size=found.size or None, minutes=found.minutes, set=found.settings
    )
    return found


def start(studio: Studio, jobs: Jobs, form: Form) -> str:
    """Starts the training; returns the name of its run. Raises GanglionError."""
    wanted = wanted_of(studio, form)
    name = name_for(wanted.source, wanted.recipe, studio.folder, jobs.trains)
    run = studio.place(name)
    jobs.start(wanted.arguments(run), run)
    return name


def _look(studio: Studio, form: Any) -> Iterator[tuple[str, Any]]:
    import gradio as gr

    yield _note("Reading the images. The first time every file is read, later only what has changed."), gr.skip()
    try:
        found = look_at(wanted_of(studio, form), studio.uploads / "previews")
    except (GanglionError, OSError, ValueError) as error:
        yield _problem(error), gr.skip()
        return
    pictures = {"preview": uri_of(found.preview), "augmented": uri_of(found.augmented)}
    facts = found.facts | {"description": DROP.sub("", found.facts["description"])}
    yield "", rendered("train_images.html", look=found, facts=facts, **pictures)


def _forecast(studio: Studio, form: Any) -> Iterator[tuple[str, Any]]:
    import gradio as gr

    yield _note("Training some steps to see how fast it is. This takes about half a minute."), gr.skip()
    try:
        found = forecast(wanted_of(studio, form))
    except (GanglionError, OSError, ValueError) as error:
        yield _problem(error), gr.skip()
        return
    yield "", rendered("train_forecast.html", check=found.tree)


def _start(studio: Studio, form: Any) -> tuple[str, str]:
    try:
        return "", start(studio, Jobs(studio.jobs), form)
    except (GanglionError, OSError) as error:
        return _problem(error), ""


def _about(recipe: str) -> str:
    return rendered("recipe_about.html", text=about_recipe(recipe), values=preset_text(recipe))


def _note(text: str) -> str:
    return rendered("said.html", text=text, kind="note")


def _problem(error: Exception) -> str:
    return rendered("said.html", text=str(error), kind="problem")
