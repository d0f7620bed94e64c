"""The picture of the page Explore and the sliders beside it, and how an action changes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ganglion.errors import GanglionError
from ganglion.studio.explorer import REACH
from ganglion.studio.exploring import Explorer, Levels, View
from ganglion.studio.slider_sets import SLIDERS, slider_sets
from ganglion.studio.thumbnails import note, sentence

__all__ = ["Stage"]

NO_RUN = "No run is open here: choose one on the page Runs."

Changes = dict[Any, Any]
"""New values by component; what is not among them stays."""
Action = Callable[..., Changes]
"""Takes the view, the sliders' levels, and the values of other components."""


@dataclass(eq=False)
class Stage:
    """Gradio's components that many tools share."""

    explorer: Explorer
    view: Any
    said: Any
    picture: Any
    truncation: Any
    back: Any
    zero: Any
    share: Any = None
    """Set by the tab that mixes seeds."""
    sets: Any = None
    name: Any = None
    keep: Any = None
    remove: Any = None
    sliders: list[Any] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)

    @property
    def inputs(self) -> list[Any]:
        return [self.view, self.truncation, self.share, *self.sliders]

    @property
    def all(self) -> list[Any]:
        """What an action may change, apart from its own components."""
        return [self.view, self.said, self.picture, self.truncation, self.share, self.sets, *self.sliders]

    def safely(self, action: Callable[[], Changes]) -> Changes:
        """What the action changes, or a sentence why it cannot be done."""
        try:
            return {self.said: "", **action()}
        except GanglionError as error:
            return {self.said: note(sentence(str(error)), "bad")}

    def acting(self, action: Action) -> Callable[..., Changes]:
        """A handler of `inputs` and further values."""

        def handler(view: View | None, truncation: float, share: float, *values: Any) -> Changes:
            if view is None:
                return {self.said: note(NO_RUN, "bad")}
            levels = Levels(float(truncation), float(share), tuple(float(one or 0) for one in values[:SLIDERS]))
            return self.safely(lambda: action(view, levels, *values[SLIDERS:]))

        return handler

    def on(
        self, event: Any, action: Action, more: Sequence[Any] = (), outputs: Sequence[Any] = (), newest: bool = False
    ) -> Any:
        """Does the action at an event, with the values of `more`.

        `newest`: of the events that come while the action runs, the last is acted on afterwards; otherwise all are dropped.
        What changes a value needs it, or the page shows the old one.
        """
        return event(
            self.acting(action), [*self.inputs, *more], [*self.all, *outputs], show_progress="hidden",
            trigger_mode="always_last" if newest else "once", concurrency_limit=None,
        )  # fmt: skip

    def showing(self, view: View, levels: Levels | None = None) -> Changes:
        """The view with its picture."""
        return {self.view: view, self.picture: self.explorer.picture(view, levels or Levels())}

    def moving_to(self, view: View, levels: Levels) -> Changes:
        """Another place, with sliders at zero."""
        at_zero = Levels(levels.truncation)
        return {**self.showing(view, at_zero), **dict.fromkeys(self.sliders, 0.0), self.share: 0.0}

    def new_sliders(self, view: View) -> Changes:
        """The sliders of a view's set, at zero, and the sets to choose from."""
        loaded = self.explorer.loaded(view)
        reach, names = REACH[loaded.model.latent.prior], self.explorer.slider_set(view).names
        shown: Changes = {self.sets: gr.update(choices=slider_sets(loaded), value=view.sliders), self.share: 0.0}
        for slider, name in zip(self.sliders, [*names, *[None] * (SLIDERS - len(names))], strict=True):
            shown[slider] = gr.update(
                minimum=-reach, maximum=reach, value=0, label=name or "unused", visible=name is not None
            )
        return shown

    def draw_ends(self, event: Any) -> Any:
        """Draws the pictures at the sliders' ends at an event; of several, for the last one."""

        def drawn(view: View | None, truncation: float, share: float, *strengths: float) -> list[str]:
            if view is None:
                return [""] * SLIDERS
            levels = Levels(float(truncation), float(share), tuple(float(one or 0) for one in strengths))
            try:
                reach = REACH[self.explorer.loaded(view).model.latent.prior]
                found = self.explorer.ends(view, levels, reach)
            except GanglionError:  # said by the action itself
                found = []
            return [*found, *[""] * (SLIDERS - len(found))]

        return event(
            drawn, self.inputs, self.ends, show_progress="hidden", trigger_mode="always_last", concurrency_limit=None
        )

    def redraw(self, view: View, levels: Levels) -> Changes:
        return {self.picture: self.explorer.picture(view, levels)}

    def fast(self, event: Any) -> Any:
        """Draws the picture at each move of a slider; moves in between are left out while one is drawn."""
        return event(
            self.acting(self.redraw), self.inputs, [self.picture, self.said], show_progress="hidden",
            trigger_mode="always_last", concurrency_limit=None, queue=False,
        )  # fmt: skip
