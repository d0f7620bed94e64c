"""Tabs of the page Explore for a person's own photo: the search for it in latent space, and painting over it to complete it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ganglion.errors import DataError
from ganglion.studio.background import Task, Tasks
from ganglion.studio.exploring import Levels, View
from ganglion.studio.pages.explore_stage import Changes, Stage
from ganglion.studio.photos import Photo, canvas, completed, mask_of, photo_of, projected, read_photo, start_of
from ganglion.studio.progress import end_of, shown_until_end
from ganglion.studio.thumbnails import note, row

__all__ = ["photo_tabs"]

SECONDS = 20
"""Of a search, unless asked otherwise."""
BRUSH = "#e0a100"


def photo_tabs(stage: Stage) -> None:
    """The tabs Photo and Paint over."""
    tasks = Tasks()
    with gr.Tab("Photo"):
        photo = _photo(stage, tasks)
    with gr.Tab("Paint over"):
        _paint(stage, tasks, photo)


def _photo(stage: Stage, tasks: Tasks) -> Any:
    """The tab of the search; the state that holds the photo."""
    photo, found = gr.State(None), gr.State(None)
    file = gr.File(
        label="A photo: drop it here", file_types=["image"], type="filepath", elem_id="photo-file", height=120
    )
    shown = gr.HTML(elem_id="photo-shown")
    seconds = gr.Slider(5, 120, SECONDS, step=5, label="Time of the search, in seconds", elem_id="photo-seconds")
    task, start, stop, progress = _task_row("Search for it", "photo")
    result = gr.HTML(elem_id="photo-result")
    go = gr.Button("Explore from what was found", visible=False, elem_id="photo-go")

    def dropped(view: View, levels: Levels, path: str | None) -> Changes:
        if path is None:
            return {photo: None, shown: ""}
        loaded = stage.explorer.loaded(view)
        read = read_photo(Path(path), loaded)
        return {photo: read, shown: row([read.pixels], ["the photo as this run sees it"], loaded.model.shown_channels)}

    def search(view: View, levels: Levels, read: Photo | None, limit: float) -> tuple[Task, Callable[[Task], Changes]]:
        if read is None:
            raise DataError("there is no photo yet: drop one above")
        loaded = stage.explorer.loaded(view)
        work = tasks.start(Task("projection", float(limit)), lambda one: projected(loaded, read, view.asked, one))

        def ended(done: Task) -> Changes:
            projection = done.result
            words = ["the photo", f"what was found, error {projection.error:.3f}"]
            pictures = row([read.pixels, photo_of_z(projection)], words, loaded.model.shown_channels)
            return {
                result: pictures + note(_judged(projection)),
                found: start_of(projection, read),
                go: gr.update(visible=True),
            }

        def photo_of_z(projection: Any) -> Any:
            return loaded.model.pixels(
                projection.z[None], None if loaded.model.labels(1) is None else _label(loaded, view)
            )[0]

        return work, ended

    def explore(view: View, levels: Levels, at: Any) -> Changes:
        return {**stage.moving_to(view.moved_to(at), Levels()), stage.truncation: 1.0}

    stage.on(file.change, dropped, [file], [photo, shown], newest=True)
    follow(stage, start, search, [photo, seconds], (task, progress, stop), [result, found, go])
    stage.draw_ends(stage.on(go.click, explore, [found]).then)
    return photo


def _label(loaded: Any, view: View) -> Any:
    from ganglion.studio.explorer import label_of

    return label_of(loaded.model, 0, view.asked)


def _judged(found: Any) -> str:
    compared = f"Error {found.error:.3f} on [-1, 1]; random samples have {found.usual:.3f}. "
    return compared + (
        "The generator can reproduce this photo." if found.reached
        else "The photo is outside the generator's range: this is only the nearest picture that was found."
    )  # fmt: skip


def _paint(stage: Stage, tasks: Tasks, photo: Any) -> None:
    painted = gr.State(None)
    with gr.Row(elem_classes="tight"):
        on_picture = gr.Button("Paint on the picture", elem_id="paint-picture")
        on_photo = gr.Button("Paint on my photo", elem_id="paint-photo")
    editor = gr.ImageEditor(
        label="Paint over what shall be filled in", type="numpy", image_mode="RGBA", sources=(), transforms=(), layers=False,
        brush=gr.Brush(default_size=48, colors=[BRUSH], color_mode="fixed"), buttons=[], interactive=True,
        canvas_size=(448, 448), elem_id="editor",
    )  # fmt: skip
    seconds = gr.Slider(5, 120, SECONDS, step=5, label="Time of the search, in seconds", elem_id="paint-seconds")
    task, start, stop, progress = _task_row("Complete", "paint")
    result = gr.HTML(elem_id="paint-result")

    def begin(view: View, chosen: Photo) -> Changes:
        background = canvas(chosen, stage.explorer.loaded(view).model.shown_channels)
        return {painted: chosen, editor: {"background": background, "layers": [], "composite": None}}

    def picture(view: View, levels: Levels) -> Changes:
        return begin(view, photo_of(stage.explorer.pixels(view, levels), view.place.name))

    def own(view: View, levels: Levels, read: Photo | None) -> Changes:
        if read is None:
            raise DataError("there is no photo yet: drop one on the tab Photo")
        return begin(view, read)

    def complete(
        view: View, levels: Levels, chosen: Photo | None, value: Any, limit: float
    ) -> tuple[Task, Callable[[Task], Changes]]:
        if chosen is None:
            raise DataError("there is no picture to paint on yet: choose one of the two above")
        loaded = stage.explorer.loaded(view)
        mask = mask_of(value, *chosen.picture.shape[1:])
        work = tasks.start(
            Task("completion", float(limit)), lambda one: completed(loaded, chosen, mask, view.asked, one)
        )
        return work, lambda done: {result: row([*done.result.values()], [*done.result], loaded.model.shown_channels)}

    stage.on(on_picture.click, picture, [], [painted, editor])
    stage.on(on_photo.click, own, [photo], [painted, editor])
    follow(stage, start, complete, [painted, editor, seconds], (task, progress, stop), [result])


def _task_row(words: str, name: str) -> tuple[Any, Any, Any, Any]:
    """State of a task, its two buttons, and its progress."""
    task = gr.State(None)
    with gr.Row(elem_classes="tight"):
        start = gr.Button(words, variant="primary", elem_id=f"{name}-start")
        stop = gr.Button("Stop", interactive=False, elem_id=f"{name}-stop")
    progress = gr.HTML(elem_id=f"{name}-progress")
    stop.click(lambda work: work and work.stop(), [task], None, queue=False, show_progress="hidden")
    return task, start, stop, progress


def follow(
    stage: Stage, start: Any, begin: Any, more: list[Any], of_task: tuple[Any, Any, Any], outputs: list[Any]
) -> None:
    """At a click on `start`: begins a task and shows its progress until it ends, then what it found.

    `begin` takes the view, levels and values, and returns the task and a function from the ended task to changes.
    """
    state, progress, stop = of_task

    def handler(view: View | None, truncation: float, share: float, *values: Any) -> Iterator[Changes]:
        begun: list[Any] = []

        def action(view: View, levels: Levels, *rest: Any) -> Changes:
            begun.extend(begin(view, levels, *rest))
            return {state: begun[0], stop: gr.update(interactive=True)}

        yield stage.acting(action)(view, truncation, share, *values)
        if begun:
            task, ended = begun
            for bar in shown_until_end(task):
                yield {progress: bar}
            yield {progress: end_of(task), stop: gr.update(interactive=False)}
            if task.state == "done":
                yield stage.safely(lambda: ended(task))

    start.click(
        handler, [*stage.inputs, *more], [stage.said, state, progress, stop, *outputs], show_progress="hidden",
        concurrency_limit=None,
    )  # fmt: skip
