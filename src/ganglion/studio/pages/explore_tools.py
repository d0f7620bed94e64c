"""Tools of the page Explore: the sliders' own buttons, mixing, films, similar pictures, nearest training images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from ganglion.errors import DataError
from ganglion.studio.exploring import Levels, View
from ganglion.studio.kept import remove
from ganglion.studio.pages.explore_stage import Changes, Stage
from ganglion.studio.slider_sets import default_set
from ganglion.studio.thumbnails import PICK, note

__all__ = ["tool_tabs", "wire_sliders"]

NEAR = 0.4
"""How far similar pictures are at first, of 1."""
HALF = 0.5


def tool_tabs(stage: Stage) -> None:
    """The tabs Mix, Film, Similar and Nearest."""
    with gr.Tab("Mix"):
        _mix(stage)
    with gr.Tab("Film"):
        _film(stage)
    with gr.Tab("Similar"):
        _similar(stage)
    with gr.Tab("Nearest"):
        _nearest(stage)


def wire_sliders(stage: Stage, grid: Any) -> None:
    """The events of the eight sliders, of their buttons, and of a picture that is picked from the grid of seeds."""
    for slider in (*stage.sliders, stage.share, stage.truncation):
        stage.fast(slider.input)
    for slider in (*stage.sliders, stage.truncation):
        stage.draw_ends(slider.release)
    _picking(stage, grid, lambda view: view.seeds)
    stage.draw_ends(
        stage.on(stage.back.click, lambda view, levels: stage.moving_to(stage.explorer.back(view), levels)).then
    )
    stage.draw_ends(
        stage.on(stage.zero.click, lambda view, levels: stage.moving_to(stage.explorer.unedited(view), levels)).then
    )

    def chosen(view: View, levels: Levels, key: str) -> Changes:
        other = stage.explorer.choose_sliders(view, levels, key)
        return {
            **stage.showing(other, replace(levels, strengths=())),
            **_without_share(stage, stage.new_sliders(other)),
        }

    def kept(view: View, levels: Levels, name: str) -> Changes:
        stage.explorer.keep(view, levels, name)
        said = note(f"Kept as {name.strip()!r}: it is among the sliders now, under Kept directions.", "good")
        return {**_sets(stage, view), stage.said: said, stage.name: ""}

    def removed(view: View, levels: Levels, name: str) -> Changes:
        return _removed(stage, view, levels, name.strip())

    stage.draw_ends(stage.on(stage.sets.input, chosen, [stage.sets], newest=True).then)
    stage.on(stage.keep.click, kept, [stage.name], [stage.name])
    stage.on(stage.name.submit, kept, [stage.name], [stage.name])
    stage.draw_ends(stage.on(stage.remove.click, removed, [stage.name], [stage.name]).then)


def _removed(stage: Stage, view: View, levels: Levels, name: str) -> Changes:
    from ganglion.studio.kept import kept

    loaded = stage.explorer.loaded(view)
    own = kept(view.run, loaded.model.latent.dim)
    if own is None or name not in own.names:
        names = ", ".join(own.names) if own else "none are kept yet"
        raise DataError(
            f"to remove a kept direction, type its name; {names}"
            if not name
            else f"no direction {name!r} is kept; {names}"
        )
    remove(view.run, name, loaded.model.latent.dim)
    said = {stage.said: note(f"{name!r} is no longer kept.", "good"), stage.name: ""}
    if not view.sliders.startswith("kept"):
        return {**_sets(stage, view), **said}
    moved = replace(view, place=view.place.edited(None, ()), sliders=default_set(loaded))
    return {
        **stage.showing(moved, Levels(levels.truncation, levels.share)),
        **_without_share(stage, stage.new_sliders(moved)),
        **said,
    }


def _sets(stage: Stage, view: View) -> Changes:
    from ganglion.studio.slider_sets import slider_sets

    return {stage.sets: gr.update(choices=slider_sets(stage.explorer.loaded(view)), value=view.sliders)}


def _without_share(stage: Stage, changes: Changes) -> Changes:
    """The mix stays as it is."""
    return {component: value for component, value in changes.items() if component is not stage.share}


def _picking(stage: Stage, grid: Any, starts_of: Any) -> None:
    """A picture of a grid that is clicked becomes the picture."""

    def picked(view: View | None, truncation: float, share: float, event: gr.EventData, *strengths: float) -> Changes:
        if view is None:
            return {}
        starts = starts_of(view)
        place = getattr(event, "place", -1)
        if not isinstance(place, int) or not 0 <= place < len(starts):
            return {}
        return stage.safely(lambda: stage.moving_to(view.moved_to(starts[place]), Levels(float(truncation))))

    stage.draw_ends(grid.pick(picked, stage.inputs, stage.all, show_progress="hidden").then)


def _mix(stage: Stage) -> None:
    with gr.Row(elem_classes="tight"):
        seed = gr.Number(1, label="Second seed", precision=0, minimum=0, elem_id="second-seed")
        button = gr.Button("Mix", elem_id="mix")
    stage.share = gr.Slider(0, 1, 0, step=0.01, label="Share of the second seed", elem_id="share")
    strip = gr.HTML(elem_id="mixes")

    def mixed(view: View, levels: Levels, other: float) -> Changes:
        half = replace(levels, share=levels.share or HALF)  # so that something is mixed
        found, html = stage.explorer.mix(view, half, int(other or 0))
        return {**stage.showing(found, half), strip: html, stage.share: half.share}

    stage.on(button.click, mixed, [seed], [strip])
    stage.on(seed.submit, mixed, [seed], [strip], newest=True)


def _film(stage: Stage) -> None:
    with gr.Row(elem_classes="tight"):
        seeds = gr.Textbox("0, 1, 2, 3", label="Seeds", elem_id="film-seeds")
        frames = gr.Slider(6, 96, 24, step=6, label="Frames from seed to seed", info="24 are a second")
        loop = gr.Checkbox(True, label="Back to the first seed")
    with gr.Row(elem_classes="tight"):
        button = gr.Button("Make the film", elem_id="make-film")
    player = gr.HTML(elem_id="film")

    def made(view: View, levels: Levels, stops: str, count: float, around: bool) -> Changes:
        return {player: stage.explorer.film(view, levels.truncation, stops, int(count), around)}

    _slow(stage, button.click, made, [seeds, frames, loop], [player])


def _similar(stage: Stage) -> None:
    distance = gr.Slider(
        0, 1, NEAR, step=0.05, label="How different", info="0: the same picture; 1: any other", elem_id="distance"
    )
    with gr.Row(elem_classes="tight"):
        button = gr.Button("More like this", elem_id="more")
    again, grid = gr.State(0), gr.HTML(elem_id="similar", js_on_load=PICK)

    def similar(view: View, levels: Levels, far: float, seed: int) -> Changes:
        found, html = stage.explorer.similar(view, levels, float(far), seed)
        return {stage.view: found, grid: html, again: seed + 1}

    stage.on(button.click, similar, [distance, again], [grid, again])
    stage.on(distance.release, similar, [distance, again], [grid, again], newest=True)
    _picking(stage, grid, lambda view: view.similar)


def _nearest(stage: Stage) -> None:
    with gr.Row(elem_classes="tight"):
        button = gr.Button("Find the nearest training images", elem_id="find-nearest")
    shown = gr.HTML(elem_id="nearest")
    _slow(stage, button.click, lambda view, levels: {shown: stage.explorer.nearest(view, levels)}, [], [shown])


def _slow(stage: Stage, event: Any, action: Any, more: list[Any], outputs: list[Any]) -> None:
    """An action of seconds, which shows over its output that it is at work."""
    event(
        stage.acting(action), [*stage.inputs, *more], [stage.said, *outputs], show_progress="full",
        show_progress_on=outputs, concurrency_limit=2,
    )  # fmt: skip
