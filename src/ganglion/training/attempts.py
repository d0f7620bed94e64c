"""The attempts of a run with `--treat`: the newest one goes on, is treated where it fails, and the best one is the run's.

What is decided is noted first and carried out then, each step so that it can be repeated: a run that is cut short at any
moment, and continued with the same command, ends as if it had been left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.readers.treatments import Ending, Treatment, attempt_folder, ending_of, treatments_of
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.errors import DataError, RecipeError, RunError, TrainingFailed
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import BUDGETS, resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.attempts import best_attempt, keep_attempt, note, put_in_place, scores_of
from ganglion.runs.checkpoints import TrainingProgress, named_checkpoint, prune, read_checkpoint, saved_progress
from ganglion.runs.events import JsonEvents
from ganglion.runs.folder import Run
from ganglion.training.conditions import training_rows
from ganglion.training.continued import HARMLESS
from ganglion.training.first_batch import check_own
from ganglion.training.loggers import tell_it_is_over
from ganglion.training.memory import plan_memory
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun
from ganglion.training.start_from import START_FILE, Origin, start_of
from ganglion.training.take_over import started_players
from ganglion.training.treatment import (
    MOST_TREATMENTS,
    budget_left,
    failing,
    is_for_treatment,
    remedies_for,
    start_step,
    treated_recipe,
)

if TYPE_CHECKING:
    from ganglion.training.train import Job

__all__ = ["Attempts"]


@dataclass(frozen=True)
class Attempts:
    """The attempts of the run of `job`, which has the recipe, the images and the whole budget that were asked for."""

    job: Job
    prepare: Callable[[Recipe, Own], PreparedRun]
    """Finds the images of `job` as another recipe has them made to fit."""
    devices: int
    environment: dict[str, Any]
    """Of this session, as environment.json has it."""
    screen: Screen

    def trained(self, start: Callable[[Job], bool]) -> bool:
        """Trains the newest attempt and those that follow; whether they came to their end.

        Raises TrainingFailed where the verdict of the last one is failing.
        """
        job, failure = self._newest(), None
        if job is None:
            self._tell_it_is_over(self.job)
            self.screen.say(f"This run is finished. Samples: {Run(self.job.folder).fixed_samples}")
        while job is not None:
            failure, newest = None, job
            try:
                if not start(newest):
                    return False
            except TrainingFailed as error:
                failure = error
            job = self._next(newest)
            if job is None and failure is None and is_for_treatment(saved_progress(Run(newest.folder).checkpoints)):
                failure = TrainingFailed(f"{diagnose(newest.folder).text()}\nEverything is saved in {newest.folder}.")
        if treatments_of(self.job.folder):
            self._end()
        if failure:
            raise failure
        return True

    # The attempt that is there

    def _newest(self) -> Job | None:
        """To go on with; None where all is over, and the best attempt is in its place."""
        folder, treatments = self.job.folder, treatments_of(self.job.folder)
        if not treatments:
            return self.job
        ending = ending_of(folder)
        if ending is not None and ending.budget == _budget(self.job.recipe):
            self._put_in_place(ending)
            return None
        if ending is not None and ending.best != ending.last:
            raise RunError(
                f"{folder} was treated and holds the best of its attempts, not the last one, so its budget cannot be changed: "
                f"start another run from its weights with --from {folder}"
            )
        return self._begun(treatments[-1])

    def _begun(self, treatment: Treatment) -> Job:
        """The attempt that follows a treatment. What it begins with is written, unless it has begun before."""
        folder, kept = self.job.folder, keep_attempt(self.job.folder, treatment.number)
        recipe = self._recipe_of(treatment)
        own = _own_for(recipe, self.job.own)
        prepared = self.prepare(recipe, own)
        run, start = Run(folder), recipe.training.start_from
        begun = None
        if start is not None and treatment.start is not None and start_of(folder, start) is None:
            origin = _origin(kept, treatment.start)
            begun = started_players(recipe, prepared.store, origin, own)
            begun = replace(begun, progress=replace(begun.progress, threads=treatment.threads))
        if begun or treatment.start is None:
            (folder / START_FILE).unlink(missing_ok=True)  # of the attempt before
        networks = own.networks.content if own.networks else b""
        environment = self.environment | {"attempt": treatment.number + 1}
        run.begin(recipe, environment, networks, training_rows(recipe, prepared.store))
        if begun:
            begun.save(run)
        prune(kept / "checkpoints", 1, () if treatment.start is None else (treatment.start,))
        threads = treatment.threads if self.job.threads == "auto" and treatment.threads else self.job.threads
        return replace(self.job, recipe=recipe, store=prepared.store, own=own, threads=threads)

    def _recipe_of(self, treatment: Treatment) -> Recipe:
        """As it was decided, with what the command may change of a run since then."""
        treatments = treatments_of(self.job.folder)
        chosen = {key for one in treatments for key in one.settings}
        asked = {
            key: getattr(self.job.recipe.training, key.partition(".")[2])
            for key in HARMLESS - chosen - {"data.shown_channels", "training.micro_batch"}
        }
        asked["data.shown_channels"] = self.job.recipe.data.shown_channels
        more = len(treatments) < MOST_TREATMENTS
        asked |= {"training.treat": asked["training.treat"] and more, **budget_left(self.job.recipe, treatments)}
        return resolve(Recipe.model_validate(treatment.recipe), asked)

    # The attempt that follows

    def _next(self, job: Job) -> Job | None:
        """What follows an attempt that has ended: with the first remedy that can be carried out; None after the last."""
        run = Run(job.folder)
        if not job.recipe.training.treat or not run.records():
            return None
        verdict = diagnose(run.path)
        remedies = remedies_for(run, job.recipe, verdict)
        for finding, remedy in remedies:
            try:
                treatment = self._planned(job, run, verdict, finding, remedy)
            except (DataError, RecipeError, RunError) as error:
                self.screen.say(f"{remedy.what}: that cannot be done here ({error})")
                continue
            note(run.path, treatment)
            self.screen.say(treatment.text())
            return self._begun(treatment)
        if remedies:
            self._tell_it_is_over(job)
        return None

    def _tell_it_is_over(self, job: Job) -> None:
        """Those who follow the run are told of an end that no training tells them."""
        run = Run(job.folder)
        tell_it_is_over(job.log, run.recipe, run, saved_progress(run.checkpoints) or TrainingProgress(), self.screen)

    def _planned(self, job: Job, run: Run, verdict: Verdict, finding: Finding, remedy: Remedy) -> Treatment:
        """The next attempt. Raises DataError, RecipeError, RunError where it could not begin."""
        number, last = len(treatments_of(run.path)) + 1, run.records()[-1]
        start = start_step(run, remedy, verdict)
        treatment = Treatment(
            number, last["step"], last["kimg"], last["seconds"], failing(verdict), finding.code, remedy.name, remedy.what,
            dict(remedy.settings), remedy.recipe, start, "", run.environment().get("torch_threads"), {},
        )  # fmt: skip
        left = budget_left(self.job.recipe, [*treatments_of(run.path), treatment])
        begins = None if start is None else f"{attempt_folder(run.path, number)}:{start}"
        recipe = resolve(treated_recipe(job.recipe, remedy), {**left, "training.start_from": begins})
        own = _own_for(recipe, job.own)
        prepared = self.prepare(recipe, own)
        check_own(prepared, own, self.devices)
        recipe = plan_memory(prepared, own, self.devices).recipe
        return replace(treatment, left=_words(left), recipe=recipe.model_dump(mode="json"))

    # The end

    def _end(self) -> None:
        """Puts the best attempt in its place, and says what came of all."""
        folder = self.job.folder
        ending = ending_of(folder)
        if ending is None or ending.budget != _budget(self.job.recipe):
            last = len(treatments_of(folder)) + 1
            scores = scores_of(folder)
            records = Run(folder).records()
            ending = Ending(
                best_attempt(scores, last), last, {str(number): score for number, score in scores.items()},
                diagnose(folder).state if records else "unknown", records[-1]["kimg"] if records else 0.0,
                _budget(self.job.recipe),
            )  # fmt: skip
            note(folder, ending)
            self._put_in_place(ending)
        self.screen.say(ending.text())
        if self.job.log.events:
            JsonEvents(self.screen.say).treated(ending)

    def _put_in_place(self, ending: Ending) -> None:
        """Has the run hold the best attempt, unless it does."""
        folder = self.job.folder
        if ending.best != ending.last:
            if attempt_folder(folder, ending.best).is_dir():
                keep_attempt(folder, ending.last)
            put_in_place(folder, ending.best)


def _budget(recipe: Recipe) -> dict[str, float]:
    values = {key: getattr(recipe.training, key.partition(".")[2]) for key in BUDGETS}
    return {key: float(value) for key, value in values.items() if value is not None}


def _words(left: dict[str, Any]) -> str:
    """`3.2 kimg`."""
    ((key, value),) = left.items()
    return f"{value:,.4g} {key.partition('.')[2]}"


def _own_for(recipe: Recipe, own: Own) -> Own:
    """Without a loss of one's own that a remedy has replaced."""
    return own if recipe.objective.adversarial == "custom" else replace(own, adversarial=None)


def _origin(kept: Any, step: int) -> Origin:
    """The weights of a kept attempt."""
    run = Run(kept)
    tensors, progress = read_checkpoint(named_checkpoint(run.checkpoints, step))
    return Origin(run.path, str(step), run.recipe, progress, tensors)
