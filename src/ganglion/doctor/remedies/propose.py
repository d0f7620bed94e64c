"""Which ideas fit a run: those that change something of it, are not refused, and were not what it was started with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, pairwise

from ganglion.doctor.history import History
from ganglion.doctor.progress import distance
from ganglion.doctor.remedies.idea import UNKNOWN, Change, Idea, Known
from ganglion.doctor.remedies.training import ANOTHER_RECIPE, AS_IN_RECIPE
from ganglion.doctor.run_setup import RunSetup, assignments, changed, command, weights_fit
from ganglion.doctor.verdict import Remedy
from ganglion.platform.command_line import pasteable
from ganglion.recipe.resolve import flatten
from ganglion.recipe.schema import Recipe

__all__ = ["MOST", "fitting", "proposed", "tried", "weights_help"]

MOST = 3
"""Remedies for one finding."""
GOOD = 3.0
"""SWD over its floor at which samples were near the data, so that their weights are worth going on from."""


def weights_help(history: History) -> bool:
    """Whether the run was near the data at any time: otherwise its best weights are those of a failure."""
    far = distance(history)
    return bool((far <= GOOD).any())


def proposed(
    ideas: Iterable[Idea], known: Known, own_run: bool = True, setup: RunSetup | None = None, good_weights: bool = True
) -> list[Remedy]:
    """Remedies for a finding, best first, at most MOST. For a run of `ganglion train` they begin with its recipe's own values,
    where others were set; where its weights are of no use, another recipe is the second.

    `own_run`: of `ganglion train`, whose recipe `setup` holds; None: in words that fit any recipe. `good_weights`: whether
    its best weights are worth going on from.
    """
    ideas = list(ideas)
    in_code = [Remedy(idea.name, idea.what, code=code) for idea in ideas if (code := idea.code_for(known))]
    if not own_run:
        return in_code[:MOST]
    if setup is None:
        words = [Remedy(idea.name, idea.what) for idea in ideas if idea.change is not None]
        return (words or in_code)[:MOST]
    known = known._replace(d_batch_norm=setup.d_batch_norm, first=setup.earlier[-1] if setup.earlier else setup.recipe)
    if all(idea.by_hand for idea in ideas):
        return list(islice(_for_run(ideas, known, setup, good_weights), MOST)) or in_code[:MOST]
    found = list(islice(_for_run([AS_IN_RECIPE, *ideas], known, setup, good_weights), MOST))
    if found and (good_weights or any(remedy.recipe for remedy in found)):
        return found
    return [*found[:1], *_for_run([ANOTHER_RECIPE], known, setup, good_weights), *found[1:]][:MOST]


def _for_run(ideas: Iterable[Idea], known: Known, setup: RunSetup, good_weights: bool) -> Iterator[Remedy]:
    for idea in ideas:
        change = fitting(idea, setup.recipe, known)
        if change is None or tried(idea, setup):
            continue
        if not change.settings and not change.recipe:
            line = pasteable([word.format(run=setup.run) for word in idea.command.split()])
            yield Remedy(idea.name, change.what, command=line)
        else:
            settings = assignments(change.settings)
            fresh = idea.fresh or not good_weights or bool(change.recipe) or not weights_fit(settings)
            line = command(setup, idea.name, settings, change.recipe, fresh)
            yield Remedy(idea.name, change.what, dict(change.settings), line, recipe=change.recipe, fresh=fresh)


def fitting(idea: Idea, recipe: Recipe, known: Known = UNKNOWN) -> Change | None:
    """What the idea changes of a recipe; None where that is nothing, or is refused."""
    change = idea.change(recipe, known) if idea.change else None
    if change is None or not (change.settings or change.recipe):
        return change
    return change if changed(recipe, assignments(change.settings), change.recipe) is not None else None


def tried(idea: Idea, setup: RunSetup) -> bool:
    """Whether a run among those that this one comes from was started with the idea, by whatever factor."""
    return any(_was(idea, before, after) for after, before in pairwise((setup.recipe, *setup.earlier)))


def _was(idea: Idea, before: Recipe, after: Recipe) -> bool:
    change = fitting(idea, before)
    if change is None or not change.settings:
        return bool(change and change.recipe and change.recipe == after.name != before.name)
    old, new, wanted = flatten(before), flatten(after), _wanted(before, change.settings)
    return all(_as_wanted(old.get(key), new.get(key), wanted.get(key)) for key in change.settings)


def _wanted(before: Recipe, settings: Mapping[str, object]) -> dict[str, object]:
    new = changed(before, assignments(settings))
    return flatten(new) if new is not None else {}


def _as_wanted(old: object, new: object, wanted: object) -> bool:
    """Numbers that moved in the same direction, penalties of the same kinds that did; anything else equal."""
    numbers = [value for value in (old, new, wanted) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == 3:
        before, after, aim = numbers
        return (after - before) * (aim - before) > 0 or before == aim
    if isinstance(new, list) and isinstance(wanted, list) and isinstance(old, list):
        return (
            new != old and _kinds(new) == _kinds(wanted) and (_kinds(old) != _kinds(new) or _same_way(old, new, wanted))
        )
    return new == wanted


def _kinds(penalties: list[dict[str, object]]) -> list[object]:
    return [one.get("kind") if isinstance(one, dict) else one for one in penalties]


def _same_way(old: list[dict[str, float]], new: list[dict[str, float]], wanted: list[dict[str, float]]) -> bool:
    """Weights of penalties, as a sum."""
    before, after, aim = (sum(one.get("weight", 0) for one in all_) for all_ in (old, new, wanted))
    return (after - before) * (aim - before) > 0
