"""Which images at D's input are real and which are G's, without guessing.

Evidence, strongest first: what the user said (`monitor.real`, `monitor.fake`), the autograd graph that leads to G's weights,
fingerprints of G's outputs, and the direction in which D's loss moves the scores, once that is known of reals. N images.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganglion.watching.calls import DCall, Path, View
from ganglion.watching.fingerprints import DrawnImages, Match, are_interpolates, distribution_distance, is_known
from ganglion.watching.opinion import Opinion, Side

__all__ = ["Roles", "Sorted"]

CHANCE = 0.05  # a smaller share of known images in a batch is coincidence
SURE = 0.5  # least mean sign of a direction
PREFERRED = {"whole": 2.0, "packed": 1.5, "last": 1.0, "first": 1.0}
SETTLED = 3  # decisions in a row
NEARER = 0.5  # of two unknown batches, the one so much nearer to G's is G's

CHANGED = (
    "no batch at D's input is an output of G: if samples are changed after they are detached, pass them through "
    "monitor.fake(...) as D gets them"
)
SEVERAL = "D gets several kinds of batches, and it is not certain which are real: pass the real ones through monitor.real(...)"
ONE_SIDE = "D did not get both real and generated images in one step"


@dataclass
class Sorted:
    """D's calls since the last step of G. `reason`: why reals and fakes could not be told apart."""

    real: Side = field(default_factory=list)
    """In D's step."""
    fake: Side = field(default_factory=list)
    """In D's step."""
    in_g: Side = field(default_factory=list)
    """G's images in G's step."""
    key: tuple[Path, str] | None = None
    """Which of D's arguments are the images."""
    reason: str | None = None
    tasks_of_g: set[int] = field(default_factory=set)


class Roles:
    """Sorts the calls of each step."""

    def __init__(self, opinion: Opinion) -> None:
        self.drawn, self.told_real, self.told_fake = DrawnImages(), DrawnImages(), DrawnImages()
        self.key: tuple[Path, str] | None = None
        self.replayed = False
        """Whether D's loss treated images as fakes that no recent call of G has generated."""
        self._opinion = opinion
        self._votes: dict[tuple[int, int], Counter[str]] = {}

    def sort(self, calls: list[DCall]) -> Sorted:
        """Sorts the calls since the last step of G, when gradients of both losses are there."""
        judged = [call for call in calls if call.pulls] or [call for call in calls if not call.differentiated]
        tasks_d, tasks_g = _tasks(judged)
        for call in judged:
            call.tasks_of_d = tasks_d
        self._choose_view(judged)
        found = Sorted(key=self.key, tasks_of_g=tasks_g)
        of_d = [call for call in judged if _is_in(call, tasks_d)]
        found.in_g = [
            (call, _all(call)) for call in judged if call.from_g and (_is_in(call, tasks_g) or call not in of_d)
        ]
        if any(not call.from_g for call in of_d):  # what D is shown with a graph beside these belongs to G's step
            apart = [call for call in of_d if not (call.from_g and self._has_detached_fakes(of_d))]
            found.in_g += [(call, _all(call)) for call in of_d if call not in apart and call not in _calls(found.in_g)]
            of_d = apart
        if of_d:
            self._sort_step_of_d(found, of_d)
        return found

    # Which argument holds the images

    def view(self, call: DCall) -> View | None:
        """The images of a call, by the argument in which G's were found; before that, by their shape."""
        chosen = None if self.key is None else call.view(self.key)
        if chosen is None:
            shapes = self.drawn.shapes()
            whole = [view for view in call.views if view.part == "whole"]
            chosen = next((view for view in whole if view.marks.shape in shapes), None)
            chosen = chosen or next((view for view in call.views if view.marks.shape in shapes), None)
            chosen = chosen or next(iter(whole), None)
        return chosen

    def _choose_view(self, calls: list[DCall]) -> None:
        votes: dict[tuple[Path, str], float] = {}
        for call in calls:
            for view in call.views:
                told = self._told(view)
                share = float(self.match(view).known.float().mean()) + 4 * float((told[0] | told[1]).float().mean())
                if share > CHANCE:
                    votes[view.key] = votes.get(view.key, 0.0) + share * PREFERRED[view.part]
        if votes:
            self.key = max(votes, key=lambda key: votes[key])

    def match(self, view: View) -> Match:
        """Which images G has generated."""
        view.match = view.match or self.drawn.match(view.marks)
        return view.match

    def _told(self, view: View) -> tuple[Tensor, Tensor]:
        """Masks of images that the user called real, and fake."""
        none = torch.zeros(len(view.marks.values), dtype=torch.bool, device=view.marks.values.device)
        real = self.told_real.known(view.marks) if len(self.told_real) else none
        return real, self.told_fake.known(view.marks) if len(self.told_fake) else none

    # Reals and fakes

    def _known(self, call: DCall) -> tuple[Tensor, Tensor]:
        """Masks (N,) of images that are surely real and surely G's."""
        view = self.view(call)
        if view is None:
            return _all(call) & False, _all(call) & call.from_g
        told_real, told_fake = self._told(view)
        self.replayed |= not call.from_g and self.match(view).is_replay
        fake = _without_chance(self.match(view).known) | told_fake
        if call.from_g and not bool(fake.any()):
            fake = torch.ones_like(fake)
        return _as_rows(told_real, call), _as_rows(fake & ~told_real, call)

    def _has_detached_fakes(self, calls: list[DCall]) -> bool:
        return any(not call.from_g and bool(self._known(call)[1].any()) for call in calls)

    def _sort_step_of_d(self, found: Sorted, calls: list[DCall]) -> None:
        rest: Side = []
        for call in calls:
            real, fake = self._known(call)
            for side, mask in ((found.real, real), (found.fake, fake), (rest, ~(real | fake))):
                if bool(mask.any()):
                    side.append((call, mask))
        self._take_out_mixtures(found, rest)
        self._take_out_old_fakes(found, rest)
        unknown = self._without_repeats([one for one in rest if not one[0].wants_slope] or rest)
        if found.fake:
            self._sort_beside_fakes(found, unknown)
        elif unknown:
            self._sort_by_direction(found, unknown)
        if not found.reason and not (found.real and found.fake):
            found.reason = ONE_SIDE
        if not found.reason:
            self._opinion.learn(found.real, found.fake)

    def _take_out_mixtures(self, found: Sorted, rest: Side) -> None:
        """Removes interpolates of reals and fakes, on which penalties are computed."""
        mixtures = [call for call, _ in rest if self._is_mixture(call, rest)]
        for side in (found.fake, rest):
            side[:] = [(call, mask) for call, mask in side if not any(call is other for other in mixtures)]

    def _is_mixture(self, call: DCall, rest: Side) -> bool:
        if not (call.wants_slope or call.attached or call.differentiated):
            return False
        view = self.view(call)
        others = [other for each, _ in rest if each is not call and (other := self.view(each))]
        return view is not None and any(
            are_interpolates(view.marks.values, reals.marks.values, fakes.values)
            for reals in others
            for fakes in self.drawn.batches()
        )

    def _take_out_old_fakes(self, found: Sorted, rest: Side) -> None:
        """Of a batch in which some images are G's, the others are real; where D is shown old fakes, if D's loss moves them the
        other way.
        """
        for one in list(rest):
            known = next((mask for call, mask in found.fake if call is one[0]), None)
            if known is None:
                continue
            ours, theirs = self._opinion.direction([(one[0], known)]), self._opinion.direction([one])
            rest.remove(one)
            old = self.replayed and ours is not None and theirs is not None and ours * theirs > SURE
            (found.fake if old else found.real).append(one)

    def _sort_beside_fakes(self, found: Sorted, unknown: Side) -> None:
        """What is left is real. If there is more of it than of fakes, some may be fakes of before, or reals for another term of
        the loss: then D's loss tells which.
        """
        whole = [one for one in found.real if bool(one[1].all())]
        room = max(1, len(found.fake)) - len(whole)
        if len(unknown) <= room:
            found.real += unknown
            return
        if self._sort_by_position(found, unknown):
            return
        against = self._opinion.direction(found.fake)
        ways = [self._opinion.direction([one]) for one in unknown]
        real = [one for one, way in zip(unknown, ways, strict=True) if against and way and way * against < -SURE * SURE]
        same = [one for one, way in zip(unknown, ways, strict=True) if against and way and way * against > SURE * SURE]
        if not real or len(real) > room:
            found.reason = SEVERAL
            return
        found.real += real
        self.replayed |= bool(same)
        self._vote(unknown, real, [])

    def _sort_by_direction(self, found: Sorted, unknown: Side) -> None:
        """No batch is G's by its images: the batch is real that D's loss moves as it moves reals."""
        if self._sort_by_position(found, unknown):
            return
        sides = [(one, self._opinion.direction([one])) for one in unknown]
        if any(way is None or abs(way) < SURE for _, way in sides):
            found.reason = CHANGED
            return
        up = [one for one, way in sides if (way or 0) > 0]
        down = [one for one, way in sides if (way or 0) < 0]
        raised = self._opinion.raised or self._raised_by_likeness(found, up, down)
        if raised == 0 or not (up and down):
            found.reason = CHANGED
            return
        real, fake = (up, down) if raised > 0 else (down, up)
        found.real += real
        found.fake += fake
        self.replayed = True
        self._vote(unknown, real, fake)

    # The order of calls, where nothing else tells

    def _vote(self, unknown: Side, real: Side, fake: Side) -> None:
        for number, one in enumerate(unknown):
            role = "real" if any(one is o for o in real) else "fake" if any(one is o for o in fake) else "neither"
            self._votes.setdefault((len(unknown), number), Counter())[role] += 1

    def _sort_by_position(self, found: Sorted, unknown: Side) -> bool:
        """By what calls in this order were found to be before, if that was the same each time."""
        votes = [self._votes.get((len(unknown), number), Counter()) for number in range(len(unknown))]
        if any(len(counts) != 1 or max(counts.values()) < SETTLED for counts in votes):
            return False
        for one, counts in zip(unknown, votes, strict=True):
            found.real += [one] if "real" in counts else []
            found.fake += [one] if "fake" in counts else []
        return True

    def _raised_by_likeness(self, found: Sorted, up: Side, down: Side) -> int:
        """1 where the lowered batches are by far more like G's images than the raised ones, -1 the other way, else 0."""
        ours = [view.marks for call, _ in found.in_g if (view := self.view(call))]
        if not ours or not up or not down:
            return 0
        distances = []
        for side in (up, down):
            views = [view for call, _ in side if (view := self.view(call)) and view.marks.shape == ours[-1].shape]
            distances.append(min((distribution_distance(view.marks, ours[-1]) for view in views), default=float("nan")))
        above, below = distances
        return (below < NEARER * above) - (above < NEARER * below)

    def _without_repeats(self, side: Side) -> Side:
        kept: Side = []
        for call, mask in side:
            view = self.view(call)
            others = [other for each, _ in kept if (other := self.view(each))]
            same = view is not None and any(
                view.marks.values.shape == other.marks.values.shape and bool(is_known(view.marks, other.marks).all())
                for other in others
            )
            if not same:
                kept.append((call, mask))
        return kept


def _tasks(calls: list[DCall]) -> tuple[set[int], set[int]]:
    """Numbers of the backward passes of D's loss and of G's."""
    of_d, of_g = ({p.task for c in calls for p in c.pulls if p.player == player} for player in ("d", "g"))
    if of_d and of_g:
        return of_d - of_g, of_g
    every = {pull.task for call in calls for pull in call.pulls}  # both losses were differentiated before either step
    with_reals = {pull.task for call in calls if not call.from_g for pull in call.pulls}
    if of_d and not any(call.from_g for call in calls):
        return every, set()
    return with_reals, every - with_reals


def _is_in(call: DCall, tasks: set[int]) -> bool:
    return any(pull.task in tasks for pull in call.pulls) or (not call.pulls and not call.from_g)


def _calls(side: Side) -> list[DCall]:
    return [call for call, _ in side]


def _all(call: DCall) -> Tensor:
    device = call.views[0].images.device if call.views else torch.device("cpu")
    return torch.ones(call.n, dtype=torch.bool, device=device)


def _as_rows(mask: Tensor, call: DCall) -> Tensor:
    """A mask of packed images as one of packs."""
    return mask if len(mask) == call.n else mask.view(call.n, -1).float().mean(1) > 0.5


def _without_chance(known: Tensor) -> Tensor:
    share = float(known.float().mean())
    return known & False if share < CHANCE else known | (share > 1 - CHANCE)
