"""The page Explore: one picture, and tools that move it through latent space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ganglion.recipe.attributes import Attribute
from ganglion.runs.folder import Run
from ganglion.studio.exploring import Explorer, View, asked_attributes
from ganglion.studio.loaded import Models
from ganglion.studio.pages.explore_photo import photo_tabs
from ganglion.studio.pages.explore_stage import Stage
from ganglion.studio.pages.explore_tools import tool_tabs, wire_sliders
from ganglion.studio.slider_sets import SLIDERS
from ganglion.studio.state import Studio
from ganglion.studio.thumbnails import PICK, note

__all__ = ["build"]

NUMBERS = 3  # attributes that are numbers and have a slider; others are typed
EXAMPLES = 3  # values of a number that are offered


def build(studio: Studio) -> None:
    """Creates the page in the current Blocks."""
    explorer = Explorer(Models(), studio.cache)
    gr.HTML('<h1 class="hidden">Explore</h1>', padding=False)
    with gr.Row(elem_classes="explore", equal_height=False):
        with gr.Column(scale=2, min_width=280, elem_classes="stage"):
            stage = _stage(explorer)
            conditions = _conditions()
            checkpoint = gr.Dropdown([], label="Checkpoint", interactive=True, elem_id="checkpoint")
        with gr.Column(scale=3, min_width=300), gr.Tabs():
            with gr.Tab("Sliders"):
                _slider_tab(stage)
            with gr.Tab("Seeds"):
                first, grid = _seed_tab(stage)
            tool_tabs(stage)
            photo_tabs(stage)
    _wire(stage, studio, checkpoint, conditions, first, grid)


def _stage(explorer: Explorer) -> Stage:
    view, said = gr.State(None), gr.HTML(elem_id="said", elem_classes="said")
    picture = gr.HTML(note("The run is being opened."), elem_id="picture")
    with gr.Row(elem_classes="tight"):
        back = gr.Button("Back", size="sm", elem_id="back")
        zero = gr.Button("All sliders to zero", size="sm", elem_id="zero")
    truncation = gr.Slider(
        0, 1, 1, step=0.05, label="Truncation", info="Below 1: more typical, less diverse", elem_id="truncation"
    )
    return Stage(explorer, view, said, picture, truncation, back, zero)


def _conditions() -> dict[str, Any]:
    """Controls for classes and attributes; which of them are seen depends on the run."""
    return {
        "class": gr.Dropdown([], label="Class", visible=False, elem_id="class"),
        "attributes": gr.Dropdown(
            [], label="Attributes", multiselect=True, allow_custom_value=True, visible=False, elem_id="attributes",
            info="Those that are left open are as in some training image",
        ),
        "numbers": [gr.Slider(0, 1, 0, visible=False, elem_classes="attribute") for _ in range(NUMBERS)],
    }  # fmt: skip


def _slider_tab(stage: Stage) -> None:
    stage.sets = gr.Dropdown([], label="What the sliders move", interactive=True, elem_id="sets")
    with gr.Row(elem_classes="sliders"):
        for number in range(SLIDERS):
            with gr.Column(min_width=220, elem_classes="slider"):
                stage.ends.append(gr.HTML(elem_classes="end-pictures"))
                slider = gr.Slider(-4, 4, 0, step=0.05, visible=False, elem_id=f"slider-{number}", elem_classes="move")
                stage.sliders.append(slider)
    with gr.Row(elem_classes="tight"):
        stage.name = gr.Textbox(
            label="Keep what is moved as a direction",
            placeholder="a name, such as slant",
            max_length=80,
            elem_id="keep-name",
        )
        stage.keep = gr.Button("Keep", elem_id="keep")
        stage.remove = gr.Button("Remove it", elem_id="remove")


def _seed_tab(stage: Stage) -> tuple[Any, Any]:
    first = gr.Number(0, label="First seed", precision=0, minimum=0, elem_id="first-seed")
    grid = gr.HTML(elem_id="seeds", js_on_load=PICK)
    return first, grid


def _wire(stage: Stage, studio: Studio, checkpoint: Any, conditions: dict[str, Any], first: Any, grid: Any) -> None:
    explorer, classes, attributes, numbers = stage.explorer, *conditions.values()
    controls = [checkpoint, classes, attributes, *numbers]

    def opened(run: Path, which: str) -> dict[Any, Any]:
        view = explorer.open(run, which)
        shown = _controls_of(explorer, view, controls, which)
        return {
            **stage.showing(view),
            **stage.new_sliders(view),
            **shown,
            **grid_of(view, 1.0, 0),
            stage.truncation: 1.0,
        }

    def grid_of(view: View, truncation: float, seed: float) -> dict[Any, Any]:
        found, html = explorer.seeds(view, truncation, int(seed or 0))
        return {stage.view: found, grid: html}

    def on_load(request: gr.Request) -> dict[Any, Any]:
        return stage.safely(lambda: opened(studio.current(request), "best"))

    def on_checkpoint(which: str, request: gr.Request) -> dict[Any, Any]:
        return stage.safely(lambda: opened(studio.current(request), which))

    def redrawn_grid(view: View, levels: Any, seed: float) -> dict[Any, Any]:
        return grid_of(view, levels.truncation, seed)

    def asked(view: View, levels: Any, name: Any, pairs: list[str], seed: float, *values: float) -> dict[Any, Any]:
        model = explorer.loaded(view).model
        before = view.asked if isinstance(view.asked, dict) else {}
        moved = {one.name: value for one, value in zip(_numbers(model.attributes), values, strict=False)}
        kept = {key: value for key, value in moved.items() if key in before or value != _mean(model.attributes, key)}
        wanted = asked_attributes(pairs or [], kept) if model.attributes else (name or None)
        changed, remark = explorer.ask(view, wanted)
        return {**stage.showing(changed, levels), **grid_of(changed, levels.truncation, seed), stage.said: note(remark)}

    outputs = [*stage.all, *controls, grid, first]
    root = gr.context.Context.root_block
    stage.draw_ends(gr.on([root.load], on_load, None, outputs, show_progress="hidden").then)
    chosen = checkpoint.input(on_checkpoint, checkpoint, outputs, show_progress="hidden", trigger_mode="always_last")
    stage.draw_ends(chosen.then)
    given = [classes, attributes, first, *numbers]
    for control in (classes, attributes):
        stage.draw_ends(stage.on(control.input, asked, given, [grid], newest=True).then)
    for slider in numbers:
        stage.on(slider.input, asked, given, [grid], newest=True)
    stage.on(first.input, redrawn_grid, [first], [grid], newest=True)
    stage.on(stage.truncation.release, redrawn_grid, [first], [grid], newest=True)
    wire_sliders(stage, grid)


def _controls_of(explorer: Explorer, view: View, controls: list[Any], which: str) -> dict[Any, Any]:
    """The checkpoint, class and attribute controls of a run."""
    checkpoint, classes, attributes, *numbers = controls
    model = explorer.loaded(view).model
    steps = [(f"step {step:,}", str(step)) for step in reversed(Run(view.run).steps_saved())]
    named = [("any, by the seed", ""), *((name, name) for name in model.classes)]
    shown = {
        checkpoint: gr.update(choices=[("best", "best"), ("newest", "latest"), *steps], value=which),
        classes: gr.update(choices=named, value="", visible=bool(model.classes)),
        attributes: gr.update(choices=_choices(model.attributes), value=[], visible=bool(model.attributes)),
    }
    with_slider = _numbers(model.attributes)
    for place, slider in enumerate(numbers):
        if place < len(with_slider):
            one = with_slider[place]
            step = (one.high - one.low) / 100 or 1
            text = f"{one.name}, once it is moved"
            shown[slider] = gr.update(
                minimum=one.low, maximum=one.high, step=step, value=one.mean, label=text, visible=True
            )
        else:
            shown[slider] = gr.update(visible=False)
    return shown


def _numbers(attributes: tuple[Attribute, ...]) -> list[Attribute]:
    return [one for one in attributes if one.kind == "number"][:NUMBERS]


def _mean(attributes: tuple[Attribute, ...], name: str) -> float:
    return next(one.mean for one in attributes if one.name == name)


def _choices(attributes: tuple[Attribute, ...]) -> list[str]:
    """What can be chosen of attributes, as NAME=VALUE; those with a slider are not among them."""
    found, with_slider = [], _numbers(attributes)
    for one in attributes:
        if one.kind == "yes-no":
            found += [f"{one.name}=1", f"{one.name}=0"]
        elif one.kind == "class":
            found += [f"{one.name}={name}" for name in one.classes]
        elif one not in with_slider:
            found += [
                f"{one.name}={one.low + (one.high - one.low) * i / (EXAMPLES + 1):.3g}" for i in range(1, EXAMPLES + 1)
            ]
    return found
