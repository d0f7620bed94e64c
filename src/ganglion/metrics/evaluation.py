"""Scores of samples against real images, with the settings that they depend on.

Each score comes with its floor (between two halves of the real images), its standard deviation over seeds, the number of
images, the resizing, the features, and hashes of images and features.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.data.batches import FEWEST_HELD_OUT
from ganglion.data.prepare import Reporter
from ganglion.errors import DataError
from ganglion.metrics.features import Extractor, Features, ImageSet, extract
from ganglion.metrics.scores import MEASURES, SCORES, ExtractedSet, NotMeasurable, Pair, Value
from ganglion.notebook.fragment import fragment
from ganglion.platform.cache import cache_errors
from ganglion.recipe.explain import did_you_mean
from ganglion.streams import Purpose, stream

__all__ = ["DEFAULT_SCORES", "Evaluation", "Result", "SetFacts", "evaluate_sets", "remarks_of", "select_scores"]


FIRST_PLACE = 10  # of the random numbers of measures; those before are used otherwise
DEFAULT_SCORES = tuple(name for name in SCORES if name not in ("earth-mover", "inception-score"))


@dataclass(frozen=True)
class SetFacts:
    """Description of an image set."""

    name: str
    images: int
    height: int
    width: int
    channels: int
    resize: str
    content: str
    """Hash."""


@dataclass(frozen=True)
class Result:
    """One score."""

    name: str
    value: float
    """Mean over the seeds."""
    better: str
    about: str
    floor: float | None
    """The score between two halves of the real images."""
    spread: float | None = None
    """Standard deviation over the seeds; None for one."""
    error: float | None = None
    """Standard error within one seed, where the score estimates it."""


@dataclass(frozen=True)
class Evaluation:
    """The output of `ganglion evaluate`."""

    real: SetFacts
    fake: SetFacts
    features: str
    features_hash: str
    features_about: str
    width: int
    """Features of an image."""
    seeds: int
    held_out_content: str | None
    """Hash of the held-out images, with which copies are searched for; None without any."""
    floor_images: tuple[int, int]
    """Sizes of the two halves of the floor."""
    scores: list[Result]
    left_out: dict[str, str]
    """Scores for which these images are not sufficient, and why."""
    notes: list[str]
    seconds: float

    def __getitem__(self, name: str) -> float:
        """The value of a score by its name. Raises KeyError for one that was not measured, with the reason."""
        for result in self.scores:
            if result.name == name:
                return result.value
        reason = self.left_out.get(name, f"available are {', '.join(result.name for result in self.scores)}")
        raise KeyError(f"{name} was not measured: {reason}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        return fragment("evaluation.html", found=self)


def select_scores(names: Iterable[str] | None) -> tuple[str, ...]:
    """These scores in the table's order; None: the default ones. Raises DataError for unknown names."""
    if names is None:
        return DEFAULT_SCORES
    requested = list(names)
    if not requested:
        raise DataError(f"no score was requested; scores are {', '.join(SCORES)}")
    for name in requested:
        if name not in SCORES:
            raise DataError(f"there is no score {name!r}; scores are {', '.join(SCORES)}{did_you_mean(name, SCORES)}")
    return tuple(name for name in SCORES if name in requested)


def remarks_of(left_out: dict[str, str], notes: Sequence[str]) -> list[str]:
    """A line for each reason for which scores were left out, with their names, and for each note."""
    reasons = {reason: [name for name in left_out if left_out[name] == reason] for reason in left_out.values()}
    lines = [f"Left out: {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return [*lines, *(f"Note: {note}." for note in notes)]


OnFeatures = Callable[[Features, Features], None]
"""Takes the features of the first fakes and of all reals."""


def evaluate_sets(
    real: ImageSet,
    fakes: Sequence[ImageSet],
    extractor: Extractor,
    cache: Path,
    reporter: Reporter,
    scores: Sequence[str] = DEFAULT_SCORES,
    unseen: ImageSet | None = None,
    notes: Sequence[str] = (),
    with_floor: bool = True,
    on_features: OnFeatures | None = None,
) -> Evaluation:
    """Scores of `fakes`, one set per seed, against `real`. Features of real images are cached in `cache`.

    Without `unseen`, images of `real` that are marked as held out are used for it. `on_features` is called with the features
    of the first fakes and of all reals. Raises DataError where the sets cannot be compared.
    """
    for images in (*fakes, *([unseen] if unseen else [])):
        check_comparable(real, images)
    with tempfile.TemporaryDirectory(prefix="ganglion-", ignore_cleanup_errors=True) as passing:
        kept = cache / "features"
        return _evaluated(
            real, fakes, extractor, kept, Path(passing), reporter, scores, unseen, notes, with_floor, on_features
        )


def _evaluated(
    real: ImageSet, fakes: Sequence[ImageSet], extractor: Extractor, kept: Path, passing: Path, reporter: Reporter,
    scores: Sequence[str], unseen: ImageSet | None, notes: Sequence[str], with_floor: bool, on_features: OnFeatures | None,
) -> Evaluation:  # fmt: skip
    """The fakes' features are memory-mapped from `passing` until this returns: Windows cannot delete mapped files."""
    started = time.monotonic()
    notebook = Notes(list(notes))
    with cache_errors(kept, "features of images"):
        told = reporter.steps("Extracting features of real images")
        all_real = ExtractedSet(real, extract(real, extractor, kept, told))
        given = ExtractedSet(unseen, extract(unseen, extractor, kept)) if unseen else None
    reals, known = _without_feature_training_images(all_real, notebook, extractor)
    held_out = given or _held_out(reals)
    found: list[dict[str, Value]] = []
    for seed, fake in enumerate(fakes):
        features = extract(fake, extractor, passing, reporter.steps("Extracting features of samples"))
        if on_features is not None and seed == 0:
            on_features(features, all_real.output)
        random = stream(seed, Purpose.EVALUATION)
        pair = Pair(reals, ExtractedSet(fake, features), held_out, extractor, random, notebook.say, known)
        found.append(_measure(pair, scores, notebook, seed))
    halves = _halves(pair)
    measurable = with_floor and len(halves.fake.images) > 0  # a single real image has no halves
    floor = _measure(halves, scores, Notes([]), 0) if measurable else {}
    return Evaluation(
        set_facts(real), set_facts(fakes[0]), extractor.name, extractor.hash, extractor.about, reals.output.features.shape[1],
        len(fakes), held_out.images.content if held_out else None, (len(halves.real.images), len(halves.fake.images)),
        [_result(name, [values[name] for values in found], floor.get(name)) for name in scores if name in found[0]],
        notebook.left_out, notebook.notes, round(time.monotonic() - started, 2),
    )  # fmt: skip


@dataclass
class Notes:
    """Notes for the reader, without repetitions."""

    notes: list[str]
    left_out: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def set_facts(images: ImageSet) -> SetFacts:
    return SetFacts(images.name, len(images), *images.shape, images.resize, images.content)


def check_comparable(real: ImageSet, other: ImageSet) -> None:
    """Raises DataError unless both sets have images of one shape."""
    if real.shape != other.shape:
        (h, w, c), (other_h, other_w, other_c) = real.shape, other.shape
        raise DataError(
            f"{real.name} has images of {h}x{w} with {c} channels, {other.name} of {other_h}x{other_w} with {other_c}: "
            "only images of one size and number of channels can be compared"
        )


def _without_feature_training_images(
    real: ExtractedSet, notebook: Notes, extractor: Extractor
) -> tuple[ExtractedSet, NDArray[np.float32] | None]:
    """The real images that samples are compared with, and features (K, A) of the training images that also trained the
    extractor. Raises DataError where it was trained on all.
    """
    if extractor.trained_on is None:
        return real, None
    known = extractor.trained_on(real.images)  # (N,)
    if known.all():
        raise DataError(
            f"features {extractor.name} were trained on all of {real.images.name}: nothing is left to compare"
        )
    notebook.say(
        f"the features are trained on {known.sum():,} of the real images; samples, and the floor, are compared with the "
        f"other {(~known).sum():,}"
    )
    held_out = real.images.held_out
    return real.pick(np.flatnonzero(~known)), real.output.features[known if held_out is None else known & ~held_out]


def _held_out(real: ExtractedSet) -> ExtractedSet | None:
    """The real images that the run held out, if they are known and there are enough."""
    if real.images.held_out is None or real.images.held_out.sum() < FEWEST_HELD_OUT:
        return None
    found = real.pick(np.flatnonzero(real.images.held_out))
    return ExtractedSet(replace(found.images, name=f"{real.images.name}, held out from training"), found.output)


def _measure(pair: Pair, scores: Sequence[str], notebook: Notes, seed: int) -> dict[str, Value]:
    """Each measure draws random numbers of its own, so that its values do not depend on which others are asked for."""
    found: dict[str, Value] = {}
    for measure in dict.fromkeys(SCORES[name].measure for name in scores):
        place = FIRST_PLACE + list(MEASURES).index(measure)
        try:
            found |= MEASURES[measure](replace(pair, random=stream(seed, Purpose.EVALUATION, place)))
        except NotMeasurable as reason:
            notebook.left_out |= {name: str(reason) for name in scores if SCORES[name].measure == measure}
    return {name: value for name, value in found.items() if name in scores}


def _halves(pair: Pair) -> Pair:
    """One half of the real images, at most as many as there are fakes, as fakes against the other half."""
    real = pair.real
    chosen = stream(0, Purpose.EVALUATION, 1).permutation(len(real.images))
    count = min(len(pair.fake.images), len(chosen) // 2)
    return Pair(
        real.pick(chosen[count:]), real.pick(chosen[:count]), pair.unseen, pair.extractor,
        stream(0, Purpose.EVALUATION, 2), lambda text: None, pair.known,
    )  # fmt: skip


def _result(name: str, values: Sequence[Value], floor: Value | None) -> Result:
    numbers = [value.value for value in values]
    spread = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None
    error = values[0].error
    score = SCORES[name]
    return Result(
        name, float(np.mean(numbers)), score.better, score.about, None if floor is None else floor.value, spread, error
    )
