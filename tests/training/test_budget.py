from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.doctor.examine import examine
from ganglion.doctor.verdict import Verdict
from ganglion.recipe.parts import Optimizers
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Training
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.budget import SCHEDULES, Budget, lr_scale, reason_to_stop, steps_for
from made_records import SICK, healthy


@pytest.mark.parametrize(
    ("kimg", "batch", "steps"),
    [(1, 64, 16), (0.064, 64, 1), (0.0641, 64, 2), (0.001, 64, 1), (1, 1000, 1), (0.3, 100, 3), (1.1, 100, 11),
     (2.3, 100, 23), (4.03, 10, 403), (4.07, 1, 4070), (1000, 64, 15625)],
)  # fmt: skip
def test_kimg_become_the_fewest_steps_that_show_so_many_images(kimg, batch, steps):
    assert steps_for(kimg, batch) == steps


@given(st.integers(1, 10**9), st.integers(1, 65536))
def test_a_number_of_images_is_reached_and_not_passed_by_a_whole_step(images, batch):
    steps = steps_for(images / 1000, batch)
    assert (steps - 1) * batch < images <= steps * batch


@pytest.mark.parametrize(
    ("asked", "budget"),
    [({"kimg": 1}, Budget(16, None)), ({"steps": 30}, Budget(30, None)), ({"minutes": 1.5}, Budget(None, 90))],
)
def test_a_budget_is_steps_or_seconds(asked, budget):
    assert Budget.of(resolve("dcgan", {f"training.{key}": value for key, value in asked.items()})) == budget


def test_five_updates_of_d_in_a_step_use_up_five_batches_of_a_budget_in_images():
    assert Budget.of(resolve("dcgan", {"training.kimg": 1, "balance.d_steps": 5})) == Budget(4, None)


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (5, 0.25), (19, 0.95), (20, 1.0), (30, 1.0)])
def test_the_share_of_a_budget_of_steps_knows_no_clock(step, share):
    assert Budget(20, None).fraction(step, 1e9) == share


@pytest.mark.parametrize(("seconds", "share"), [(0, 0.0), (15, 0.25), (60, 1.0), (90, 1.0)])
def test_the_share_of_a_budget_of_seconds_counts_no_steps(seconds, share):
    assert Budget(None, 60).fraction(10**9, seconds) == share


@pytest.mark.parametrize(
    ("schedule", "at"),
    [("constant", (1.0, 1.0, 1.0, 1.0)), ("linear", (1.0, 0.75, 0.5, 0.0)), ("cosine", (1.0, 0.8535534, 0.5, 0.0))],
)
def test_a_schedule_goes_through_its_known_points(schedule, at):
    found = [SCHEDULES[schedule](fraction) for fraction in (0, 0.25, 0.5, 1)]
    assert found == pytest.approx(at, abs=1e-7)


@given(st.sampled_from(list(SCHEDULES)), st.floats(0, 1), st.floats(0, 1))
def test_a_rate_never_rises_again_and_stays_between_0_and_1(schedule, a, b):
    earlier, later = sorted((a, b))
    assert 0 <= SCHEDULES[schedule](later) <= SCHEDULES[schedule](earlier) <= 1


def test_the_rate_rises_linearly_over_the_warm_up_and_then_stays():
    settings = Optimizers(warmup_kimg=2)
    assert [lr_scale(settings, 0.5, images) for images in (0, 500, 1000, 2000, 5000)] == [0, 0.25, 0.5, 1, 1]


def test_without_a_warm_up_the_first_step_has_the_full_rate():
    assert lr_scale(Optimizers(warmup_kimg=0), 0, 0) == 1


def test_warm_up_and_schedule_multiply():
    assert lr_scale(Optimizers(warmup_kimg=2, schedule="linear"), 0.25, 1000) == 0.5 * 0.75


PLAIN = Training(kimg=100)
PROGRESS = TrainingProgress(step=100, images=90_000, best_score=50.0, lowest_kimg=80.0)


def verdict_on(records: list[dict[str, object]]) -> Verdict:
    return examine(records)


def test_a_failing_run_stops_where_that_was_asked_for() -> None:
    verdict = verdict_on(SICK["mode-collapse"])
    assert reason_to_stop(PLAIN, PROGRESS, verdict) is None
    reason = reason_to_stop(Training(kimg=100, stop_when_failing=True), PROGRESS, verdict)
    assert reason is not None
    assert "mode-collapse" in reason


def test_a_run_is_done_when_a_third_of_it_brought_no_better_score() -> None:
    verdict = verdict_on(healthy())
    done = Training(kimg=100, stop_when_done=True)
    waited = replace(PROGRESS, lowest_kimg=60.0, scores_since=2)
    assert reason_to_stop(done, PROGRESS, verdict) is None
    assert reason_to_stop(done, waited, verdict) == "done: no better score for 30 of 90 kimg"
    assert reason_to_stop(done, replace(waited, lowest_kimg=None), verdict) is None
    assert reason_to_stop(done, replace(waited, scores_since=1), verdict) is None  # of two snapshots
    assert reason_to_stop(done, replace(waited, images=15_000, lowest_kimg=1.0), verdict) is None  # too early to say
    assert reason_to_stop(PLAIN, replace(waited, lowest_kimg=1.0), verdict) is None


def test_scores_are_counted_from_the_one_that_progress_is_measured_against() -> None:
    progress, counts = TrainingProgress(), []
    for score in (10.0, 9.9, 9.8, 5.0, 5.1):
        progress.keep_best(score)
        counts.append(progress.scores_since)
    assert counts == [0, 1, 2, 0, 1]
