"""Runs that are really sick, treated: what is done to them, and what they end with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from markupsafe import escape
from PIL import Image
from torch import Tensor

import ganglion
from ganglion.doctor.readers.treatments import attempt_folder, ending_of, treatments_of
from ganglion.errors import RecipeError, RunError, TrainingFailed
from ganglion.report.report import write_report
from ganglion.studio.fragments import rendered
from ganglion.training.loggers import LogTo
from ganglion.training.own import Own
from sick_runs import D_WINS_STEPS, MINE, d_wins, pictures, tiny_treated, weights


def test_a_sick_run_goes_on_with_the_first_remedy_within_the_same_budget(treated_run: ganglion.Run) -> None:
    (treatment,) = treatments_of(treated_run.path)
    failed = ganglion.Run(attempt_folder(treated_run.path, 1))
    assert treatment.findings == ["non-finite"]
    assert treatment.remedy == ganglion.diagnose(failed).findings[0].remedies[0].name
    assert treatment.step + treated_run.records()[-1]["step"] == 40
    assert treated_run.recipe.training.steps == 40 - treatment.step
    changed = {key: value for key, value in treatment.settings.items() if key.startswith("optimizer.")}
    assert changed["optimizer.discriminator.lr"] == treated_run.recipe.optimizer.discriminator.lr < 1e20
    assert "non_finite" not in treated_run.records()[-1]


def test_values_of_ones_own_are_put_back_first(treated_run: ganglion.Run) -> None:
    (treatment,) = treatments_of(treated_run.path)
    assert treatment.remedy == "as-in-recipe"
    assert treatment.what == "Take dcgan's own values: optimizer.discriminator.lr from 1e+20 to 0.0002"
    assert treated_run.recipe.optimizer.discriminator.lr == 2e-4


def test_the_attempt_that_failed_is_kept_as_a_run_that_can_be_read(treated_run: ganglion.Run) -> None:
    failed = ganglion.Run(attempt_folder(treated_run.path, 1))
    assert ganglion.diagnose(failed).state == "failing"
    assert failed.recipe.training.steps == 40
    assert not list(failed.path.rglob("treatments.jsonl"))


def test_diagnose_says_what_was_done_when_why_and_what_came_of_it(treated_run: ganglion.Run) -> None:
    done, came = ganglion.diagnose(treated_run).treated
    (treatment,) = treatments_of(treated_run.path)
    assert f"(step {treatment.step})" in done
    assert all(part in done for part in ("non-finite", treatment.what, "Back to the start", "35 steps are left"))
    assert "The run holds attempt 2" in came
    text = ganglion.diagnose(treated_run).text()
    assert "Treatment 1, at 0.04 kimg" in text
    assert treatment.remedy not in [r.name for f in ganglion.diagnose(treated_run).findings for r in f.remedies]


def test_the_report_the_notebook_and_the_studio_say_it_too(
    treated_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    verdict = ganglion.diagnose(treated_run)
    report = write_report(treated_run, tmp_path / "report.html", cache, quiet=True).read_text(encoding="utf-8")
    pages = report, verdict._repr_html_(), rendered("doctor_found.html", verdict=verdict, understood=verdict.understood)
    for page in pages:
        assert all(escape(paragraph) in page for paragraph in verdict.treated)


def test_a_run_that_needs_no_treatment_has_the_bits_of_one_without_it(tmp_path: Path, cache: Path) -> None:
    plain = tiny_treated(tmp_path / "plain", cache, {}, treat=None, steps=20)
    asked = tiny_treated(tmp_path / "asked", cache, {}, steps=20)
    assert weights(plain.path) == weights(asked.path)
    assert not (asked.path / "treatments.jsonl").exists()
    assert not (asked.path / "attempts").exists()


def test_the_same_command_again_leaves_a_finished_run_as_it_is(
    treated_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(treated_run.path, folder)
    before = {file: file.read_bytes() for file in sorted(folder.rglob("*.*")) if file.is_file()}
    tiny_treated(folder, cache)
    assert {file: file.read_bytes() for file in sorted(folder.rglob("*.*")) if file.is_file()} == before


def test_a_larger_budget_goes_on_with_the_last_attempt(treated_run: ganglion.Run, tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(treated_run.path, folder)
    run = tiny_treated(folder, cache, steps=50)
    assert run.records()[-1]["step"] == 45
    assert run.recipe.training.steps == 45
    ending = ending_of(folder)
    assert ending is not None
    assert ending.budget == {"training.steps": 50}


def test_a_changed_recipe_is_refused_as_that_of_any_run_is(treated_run: ganglion.Run, cache: Path) -> None:
    with pytest.raises(RunError, match=r"(?s)run was made with another recipe.*optimizer.discriminator.lr"):
        tiny_treated(treated_run.path, cache, {"optimizer.discriminator.lr": 1e19})


# Other endings


def lost_at(when: int) -> ganglion.AdversarialLoss:
    """A loss of one's own that is NaN at one call, and never again; at every call where `when` is negative."""
    calls = iter(range(10**9))

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        loss = torch.nn.functional.softplus(-real).mean() + torch.nn.functional.softplus(fake).mean()
        return loss * torch.nan if next(calls) == when or when < 0 else loss

    return ganglion.AdversarialLoss(
        discriminator, lambda real, fake: torch.nn.functional.softplus(-fake).mean(), name="mine"
    )


GOES_WELL: dict[str, object] = {
    "training.batch": 32, "generator.width": 8, "discriminator.width": 8, "training.tick_kimg": 0.26,
    "training.snapshot_kimg": 0.8, "training.keep_checkpoints": 1,
}  # fmt: skip


def test_a_run_goes_back_to_the_weights_of_its_last_healthy_checkpoint(tmp_path: Path, cache: Path) -> None:
    run = tiny_treated(tmp_path / "run", cache, GOES_WELL, steps=160, own=Own(adversarial=lost_at(120)))
    (treatment,) = treatments_of(run.path)
    failed = ganglion.Run(attempt_folder(run.path, 1))
    state = json.loads((failed.checkpoint("latest") / "state.json").read_text(encoding="utf-8"))["progress"]
    assert treatment.start == state["healthy_steps"][-1] > 0
    for file in ("generator", "discriminator", "ema", "optimizers"):
        began, left = (one / f"{file}.safetensors" for one in (run.checkpoint(0), failed.checkpoint(treatment.start)))
        assert began.read_bytes() == left.read_bytes()
    assert run.records()[-1]["step"] == 160 - treatment.step
    assert run.recipe.objective.adversarial == "custom"


def test_all_attempts_train_on_the_images_that_the_run_began_with(tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    for number, page in enumerate(pictures()):
        Image.fromarray(page).save(source / f"{number:02d}.png")

    def one_more(record: object, model: object) -> None:
        (source / "new.png").write_bytes((source / "00.png").read_bytes())

    own = Own(adversarial=lost_at(120), callback=one_more)
    run = tiny_treated(tmp_path / "run", cache, GOES_WELL, steps=160, source=source, own=own)
    first, environment = ganglion.Run(attempt_folder(run.path, 1)), run.environment()
    assert (source / "new.png").is_file()
    assert run.recipe.data.content == first.recipe.data.content
    assert environment["images"] == 48


def test_no_more_remedies_are_tried_than_allowed_and_then_the_verdict_stands(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.attempts.MOST_TREATMENTS", 2)
    broken: dict[str, object] = {"init.std": 1e30, "generator.norm": "none", "discriminator.norm": "none"}
    with pytest.raises(TrainingFailed, match="non-finite"):
        tiny_treated(tmp_path / "run", cache, broken, recipe=MINE)
    remedies = [one.remedy for one in treatments_of(tmp_path / "run")]
    assert len(remedies) == len(set(remedies)) == 2
    ending = ending_of(tmp_path / "run")
    assert ending is not None
    assert ending.state == "failing"
    assert not ganglion.Run(tmp_path / "run").recipe.training.treat


def test_minutes_that_a_failed_attempt_took_are_not_given_again(tmp_path: Path, cache: Path) -> None:
    run = tiny_treated(tmp_path / "run", cache, steps=None, minutes=0.03)
    (treatment,) = treatments_of(run.path)
    assert run.recipe.training.minutes == pytest.approx(0.03 - treatment.seconds / 60)
    assert ending_of(run.path) is not None


def test_a_treated_run_from_another_one_no_longer_needs_that_one(
    treated_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    other, folder = tmp_path / "other", tmp_path / "run"
    shutil.copytree(treated_run.path, other)
    tiny_treated(folder, cache, recipe="dcgan", start_from=str(other))
    shutil.rmtree(other)
    before = weights(folder)
    tiny_treated(folder, cache, recipe="dcgan", start_from=str(other))
    assert weights(folder) == before
    assert treatments_of(folder)


# A verdict that has to last before it is failing


def test_a_verdict_that_becomes_failing_ends_the_attempt(d_won: ganglion.Run) -> None:
    (treatment,) = treatments_of(d_won.path)
    assert "discriminator-wins" in treatment.findings
    assert 400 <= treatment.step < 630
    assert ganglion.Run(attempt_folder(d_won.path, 2)).records()[-1]["step"] == D_WINS_STEPS - treatment.step


def test_the_run_holds_the_best_attempt_in_the_end_though_it_is_not_the_last(d_won: ganglion.Run, cache: Path) -> None:
    ending = ending_of(d_won.path)
    assert ending is not None
    assert (ending.best, ending.last) == (1, 2)
    assert ending.scores["1"] == min(ending.scores.values())
    assert d_won.recipe.training.steps == D_WINS_STEPS
    assert not attempt_folder(d_won.path, 1).exists()
    assert ganglion.load(d_won).sample(2).shape == (2, 16, 16, 1)
    before = weights(d_won.path)
    d_wins(d_won.path, cache)
    assert weights(d_won.path) == before
    with pytest.raises(RunError, match="start another run from its weights"):
        d_wins(d_won.path, cache, steps=D_WINS_STEPS + 100)


def test_remedies_that_cannot_be_carried_out_are_said_and_then_the_verdict_stands(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*args: object) -> None:
        raise RecipeError("no memory for that")

    monkeypatch.setattr("ganglion.training.attempts.plan_memory", refused)
    with pytest.raises(TrainingFailed, match="non-finite"):
        tiny_treated(tmp_path / "run", cache, quiet=False, log=LogTo.asked(events=True))
    told = capsys.readouterr()
    assert told.err.count("that cannot be done here (no memory for that)") == 3
    assert not treatments_of(tmp_path / "run")
    assert not (tmp_path / "run" / "attempts").exists()
