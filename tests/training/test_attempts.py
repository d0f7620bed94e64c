"""Runs that are really sick, treated: what they end with, and that being cut short anywhere changes nothing of it."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ganglion
from ganglion.doctor.readers.treatments import attempt_folder, ending_of, treatments_of
from ganglion.errors import Interrupted, RunError, TrainingFailed
from ganglion.training.own import Own
from ganglion.training.train import train
from struck import struck_command
from tiny import TINY, as_options

SICK: dict[str, object] = {"optimizer.discriminator.lr": 1e20}
"""NaN at once; what the first remedy makes of it trains on."""


def pictures(count: int = 48) -> np.ndarray:
    """Discs of several sizes, gray, 16x16."""
    y, x = np.mgrid[:16, :16] - 7.5
    sizes = np.linspace(2, 7, count)[:, None, None]
    return np.where(x**2 + y**2 < sizes**2, 230, 20).astype(np.uint8)


def tiny(run: Path, cache: Path, settings: dict[str, object] = SICK, **asked: Any) -> ganglion.Run:
    options: dict[str, Any] = {
        "recipe": "dcgan", "size": 16, "steps": 40, "precision": "32", "device": "cpu", "threads": 1, "treat": True,
        "set": TINY | settings, "quiet": True, "source": pictures(),
    }  # fmt: skip
    return train(run=run, cache=cache, **options | asked)


def weights(run: Path) -> dict[str, bytes]:
    folder = ganglion.Run(run).checkpoint("latest")
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.safetensors"))}


def outcome(run: Path) -> dict[str, Any]:
    """All that must not depend on whether a run was cut short; not its times."""
    lines = [json.loads(line) for line in (run / "treatments.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line.pop("seconds", None)
        line.get("recipe", {}).get("training", {}).pop("start_from", None)
    exact = ("step", "kimg", "loss_d", "loss_g", "frechet")
    records = [[record.get(key) for key in exact] for record in ganglion.Run(run).records()]
    kept = [[record.get(key) for key in exact] for record in ganglion.Run(attempt_folder(run, 1)).records()]
    return {"weights": weights(run), "treatments": lines, "records": records, "first": kept}


@pytest.fixture(scope="module")
def treated(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Look, do not touch."""
    return tiny(tmp_path_factory.mktemp("treated") / "run", cache)


def test_a_sick_run_goes_on_with_the_first_remedy_within_the_same_budget(treated: ganglion.Run) -> None:
    (treatment,) = treatments_of(treated.path)
    failed = ganglion.Run(attempt_folder(treated.path, 1))
    assert treatment.findings == ["non-finite"]
    assert treatment.remedy == ganglion.diagnose(failed).findings[0].remedies[0].name
    assert treatment.step + treated.records()[-1]["step"] == 40
    assert treated.recipe.training.steps == 40 - treatment.step
    changed = {key: value for key, value in treatment.settings.items() if key.startswith("optimizer.")}
    assert changed["optimizer.discriminator.lr"] == treated.recipe.optimizer.discriminator.lr < 1e20
    assert "non_finite" not in treated.records()[-1]


def test_the_attempt_that_failed_is_kept_as_a_run_that_can_be_read(treated: ganglion.Run) -> None:
    failed = ganglion.Run(attempt_folder(treated.path, 1))
    assert ganglion.diagnose(failed).state == "failing"
    assert failed.recipe.training.steps == 40
    assert not list(failed.path.rglob("treatments.jsonl"))


def test_diagnose_says_what_was_done_when_why_and_what_came_of_it(treated: ganglion.Run) -> None:
    done, came = ganglion.diagnose(treated).treated
    (treatment,) = treatments_of(treated.path)
    assert f"(step {treatment.step})" in done
    assert all(part in done for part in ("non-finite", treatment.what, "Back to the start", "35 steps are left"))
    assert "The run holds attempt 2" in came
    text = ganglion.diagnose(treated).text()
    assert "Treatment 1, at 0.04 kimg" in text
    assert treatment.remedy not in [r.name for f in ganglion.diagnose(treated).findings for r in f.remedies]


def test_a_run_that_needs_no_treatment_has_the_bits_of_one_without_it(tmp_path: Path, cache: Path) -> None:
    plain = tiny(tmp_path / "plain", cache, {}, treat=None, steps=20)
    asked = tiny(tmp_path / "asked", cache, {}, steps=20)
    assert weights(plain.path) == weights(asked.path)
    assert not (asked.path / "treatments.jsonl").exists()
    assert not (asked.path / "attempts").exists()


def test_the_same_command_again_leaves_a_finished_run_as_it_is(
    treated: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(treated.path, folder)
    before = {file: file.read_bytes() for file in sorted(folder.rglob("*.*")) if file.is_file()}
    tiny(folder, cache)
    assert {file: file.read_bytes() for file in sorted(folder.rglob("*.*")) if file.is_file()} == before


def test_a_larger_budget_goes_on_with_the_last_attempt(treated: ganglion.Run, tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(treated.path, folder)
    run = tiny(folder, cache, steps=50)
    assert run.records()[-1]["step"] == 45
    assert run.recipe.training.steps == 45
    ending = ending_of(folder)
    assert ending is not None
    assert ending.budget == {"training.steps": 50}


def test_a_changed_recipe_is_refused_as_that_of_any_run_is(treated: ganglion.Run, cache: Path) -> None:
    with pytest.raises(RunError, match="optimizer.discriminator.lr"):
        tiny(treated.path, cache, {"optimizer.discriminator.lr": 1e19})


# Cut short


class Struck(BaseException):
    """As Ctrl-C between two steps: nothing catches it."""


STRIKE: dict[str, Any] = {"folder": None, "left": 0, "seen": 0, "names": []}


def _strike(event: str, details: tuple[Any, ...]) -> None:
    if not STRIKE["folder"] or event not in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"):
        return
    if str(details[0]).startswith(STRIKE["folder"]):
        STRIKE["seen"] += 1
        STRIKE["names"].append(str(details[0]))
        if STRIKE["seen"] == STRIKE["left"]:
            STRIKE["folder"] = None
            raise Struck


sys.addaudithook(_strike)


def struck(run: Callable[[], Any], folder: Path, at: int) -> bool:
    """Whether `run` was cut short at its `at`-th file operation in `folder`."""
    STRIKE.update(folder=str(folder), left=at, seen=0)
    try:
        run()
    except Struck:
        return True
    finally:
        STRIKE["folder"] = None
    return False


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> list[str]:
    """The files of a run that is treated and left alone, in the order in which it touches them."""
    folder = tmp_path_factory.mktemp("operations") / "run"
    STRIKE.update(folder=str(folder), left=0, seen=0, names=[])
    tiny(folder, cache)
    STRIKE["folder"] = None
    return list(STRIKE["names"])


def places(operations: list[str]) -> Iterator[int]:
    """Where to strike: as the treatment is noted, as the attempt is moved, as the next one begins, in it, and at its end."""
    noted = next(n for n, name in enumerate(operations, 1) if "treatments.jsonl" in name)
    kept = [n for n, name in enumerate(operations, 1) if "attempts" in name]
    end = max(n for n, name in enumerate(operations, 1) if "treatments.jsonl" in name)
    yield from (noted, kept[1], kept[len(kept) // 2], next_attempt(operations), end)


def next_attempt(operations: list[str]) -> int:
    """The first file operation with which the attempt after a treatment writes samples."""
    noted = next(n for n, name in enumerate(operations) if "treatments.jsonl" in name)
    return next(n for n, name in enumerate(operations, 1) if n > noted and "samples" in name and "attempts" not in name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files that the strike left open
def test_a_treated_run_that_is_cut_short_at_any_place_ends_with_the_bits_of_one_left_alone(
    treated: ganglion.Run, operations: list[str], tmp_path: Path, cache: Path
) -> None:
    for number, at in enumerate(places(operations)):
        folder = tmp_path / f"run{number}"
        assert struck(partial(tiny, folder, cache), folder, at), operations[at - 1]
        tiny(folder, cache)
        assert outcome(folder) == outcome(treated.path), operations[at - 1]


def test_a_treated_run_that_is_interrupted_goes_on_exactly(treated: ganglion.Run, tmp_path: Path, cache: Path) -> None:
    def interrupt(record: dict[str, Any], model: Any) -> None:
        if record["step"] == 15:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        tiny(tmp_path / "run", cache, own=Own(callback=interrupt))
    assert treatments_of(tmp_path / "run")
    tiny(tmp_path / "run", cache)
    records = {"records": None}  # there is one more, of the moment at which it was interrupted
    assert outcome(tmp_path / "run") | records == outcome(treated.path) | records


def test_a_treated_run_that_is_killed_ends_with_the_same_bits_and_scripts_are_told_of_each_attempt(
    tmp_path: Path, cache: Path
) -> None:
    words = ["train", "digits", "--recipe", "dcgan", "--size", "16", "--steps", "40", "--device", "cpu", "--threads", "1",
             "--precision", "32", "--deterministic", "--no-report", "--treat", "--json", *as_options(TINY | SICK)]  # fmt: skip
    whole, folder = tmp_path / "whole", tmp_path / "run"
    killed = struck_command(folder, cache, "attempts", "KILL", *words, "--run", str(folder))
    assert abs(killed.returncode) == 9, killed.stderr
    assert treatments_of(folder)
    done = struck_command(folder, cache, 0, "KILL", *words, "--run", str(folder))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for output in (killed.stdout, done.stdout) for line in output.splitlines()]
    told = [event for event in events if event["type"] in ("start", "end", "treated")]
    assert [event["type"] for event in told] == ["start", "start", "end", "treated"]
    assert (told[-3]["attempt"], told[-3]["treatment"]["findings"], told[-1]["best"]) == (2, ["non-finite"], 2)
    tiny(whole, cache, source="digits", deterministic=True)
    assert outcome(folder) == outcome(whole)


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
    "training.batch": 32, "generator.width": 8, "training.tick_kimg": 0.26, "training.snapshot_kimg": 0.8,
    "training.keep_checkpoints": 1,
}  # fmt: skip


def test_a_run_goes_back_to_the_weights_of_its_last_healthy_checkpoint(tmp_path: Path, cache: Path) -> None:
    run = tiny(tmp_path / "run", cache, GOES_WELL, steps=160, own=Own(adversarial=lost_at(120)))
    (treatment,) = treatments_of(run.path)
    failed = ganglion.Run(attempt_folder(run.path, 1))
    state = json.loads((failed.checkpoint("latest") / "state.json").read_text(encoding="utf-8"))["progress"]
    assert treatment.start == state["healthy_steps"][-1] > 0
    for file in ("generator", "discriminator", "ema", "optimizers"):
        began, left = (one / f"{file}.safetensors" for one in (run.checkpoint(0), failed.checkpoint(treatment.start)))
        assert began.read_bytes() == left.read_bytes()
    assert run.records()[-1]["step"] == 160 - treatment.step
    assert run.recipe.objective.adversarial == "custom"


def test_the_run_holds_the_best_attempt_in_the_end_though_it_is_not_the_last(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.doctor.examine.weights_help", lambda history: False)  # so that it starts over
    folder, own = tmp_path / "run", Own(adversarial=lost_at(120))
    run = tiny(folder, cache, GOES_WELL, steps=160, own=own)
    ending = ending_of(folder)
    assert ending is not None
    assert (ending.best, ending.last) == (1, 2)
    assert ending.scores["1"] == min(ending.scores.values())
    assert run.recipe.training.steps == 160
    assert run.checkpoint("best").is_dir()
    assert not attempt_folder(folder, 1).exists()
    assert ganglion.Run(attempt_folder(folder, 2)).recipe.training.steps == 160 - treatments_of(folder)[0].step
    before = weights(folder)
    tiny(folder, cache, GOES_WELL, steps=160, own=own)
    assert weights(folder) == before
    with pytest.raises(RunError, match="start another run from its weights"):
        tiny(folder, cache, GOES_WELL, steps=200, own=own)


def test_no_more_remedies_are_tried_than_allowed_and_then_the_verdict_stands(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.attempts.MOST_TREATMENTS", 2)
    broken: dict[str, object] = {"init.std": 1e30, "generator.norm": "none", "discriminator.norm": "none"}
    with pytest.raises(TrainingFailed, match="non-finite"):
        tiny(tmp_path / "run", cache, broken)
    remedies = [one.remedy for one in treatments_of(tmp_path / "run")]
    assert len(remedies) == len(set(remedies)) == 2
    ending = ending_of(tmp_path / "run")
    assert ending is not None
    assert ending.state == "failing"
    assert not ganglion.Run(tmp_path / "run").recipe.training.treat


def test_minutes_that_a_failed_attempt_took_are_not_given_again(tmp_path: Path, cache: Path) -> None:
    run = tiny(tmp_path / "run", cache, steps=None, minutes=0.05)
    (treatment,) = treatments_of(run.path)
    assert run.recipe.training.minutes == pytest.approx(0.05 - treatment.seconds / 60)
    assert ending_of(run.path) is not None


def test_a_treated_run_from_another_one_no_longer_needs_that_one(
    treated: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    other, folder = tmp_path / "other", tmp_path / "run"
    shutil.copytree(treated.path, other)
    tiny(folder, cache, recipe="dcgan", start_from=str(other))
    shutil.rmtree(other)
    before = weights(folder)
    tiny(folder, cache, recipe="dcgan", start_from=str(other))
    assert weights(folder) == before
    assert treatments_of(folder)
