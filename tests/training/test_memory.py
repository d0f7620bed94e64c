"""What a step takes before it is taken: bounds, lines through small batches, micro-batches that fit, errors that say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.errors import RunError, TrainingFailed
from ganglion.networks.build import build_discriminator, build_generator, cost_of
from ganglion.objectives.adversarial import ADVERSARIAL, AdversarialLoss
from ganglion.platform.devices import release_freed_memory
from ganglion.platform.memory import process_bytes
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, resolve
from ganglion.recipe.schema import Recipe
from ganglion.training.memory import (
    MemoryPlan,
    bound_bytes,
    fitted,
    least_bytes,
    memory_errors,
    of_each_micro_batch,
    plan_memory,
    with_graphs,
)
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun, prepare_run
from ganglion.training.trial_steps import Line, TrialSteps
from tiny import TINY, as_options

GIB = 2**30


def recipe(preset: str = "dcgan", **changes: object) -> Recipe:
    fixed = {
        "data.size": 64, "data.channels": 3, "training.steps": 1, "training.kimg": None, "training.minutes": None,
        "training.precision": "32",
    }  # fmt: skip
    return resolve(preset, fixed | {key.replace("__", "."): value for key, value in changes.items()})


class Needs:
    """So much for each image, and what was asked for."""

    def __init__(self, of_image: float, fixed: float = 0, least: int = 1) -> None:
        self.of_image, self.fixed, self.least = of_image, fixed, least
        self.asked: list[int] = []

    def of(self, images: int) -> float:
        self.asked.append(images)
        return self.fixed + self.of_image * images


def plan(of_image: float, least: int = 1, batch: int = 64, micro_batch: int | None = None) -> MemoryPlan:
    """10 GiB are available."""
    return fitted(
        recipe(training__batch=batch, training__micro_batch=micro_batch),
        batch,
        10 * GIB,
        Needs(of_image * GIB, 0, least),
    )


def test_a_batch_that_fits_stays_whole_and_its_need_is_said() -> None:
    found = plan(0.05)
    assert found.recipe.training.micro_batch is None
    assert found.text == "a step needs 3.2 GiB of the 10 GiB available"


@pytest.mark.parametrize(
    ("batch", "of_image", "micro_batch"),
    [(64, 0.15, 32), (64, 0.4, 16), (64, 3.0, 2), (60, 0.4, 20), (61, 0.4, 21), (63, 0.2, 21)],
)
def test_one_that_does_not_is_divided_evenly_into_the_largest_parts_that_fit(
    batch: int, of_image: float, micro_batch: int
) -> None:
    found = plan(of_image, batch=batch)
    assert found.recipe.training.micro_batch == micro_batch
    assert found.needed <= 9 * GIB
    assert f"it is computed in micro-batches of {micro_batch} (training.micro_batch)" in found.text


def test_a_micro_batch_that_was_asked_for_is_kept_and_a_better_one_named() -> None:
    found = plan(0.5, micro_batch=32)
    assert found.recipe.training.micro_batch == 32
    assert found.text.startswith("a step in micro-batches of 32 needs 16 GiB, and 10 GiB are available; ")
    assert found.text.endswith("--set training.micro_batch=16 would need 8.0 GiB")


@pytest.mark.parametrize(("of_image", "least"), [(11, 1), (6, 2)])
def test_where_not_even_the_smallest_parts_fit_the_run_is_refused(of_image: float, least: int) -> None:
    with pytest.raises(RunError, match=f"nor do micro-batches of {least} fit: choose a smaller --size"):
        plan(of_image, least)


@pytest.mark.parametrize(
    ("of_image", "least", "micro_batch", "graphs"),
    [
        (0.05, 1, None, "auto"),  # 3.2 GiB of 10, and as much again
        (0.1, 1, None, "off"),  # 6.4 GiB fit once
        (0.2, 1, 16, "auto"),  # 12.8 GiB do not; parts of which two fit
        (6.0, 1, 1, "off"),  # not even one image fits twice
    ],
)
def test_cuda_graphs_take_as_much_memory_again_or_are_left_out(
    of_image: float, least: int, micro_batch: int | None, graphs: str
) -> None:
    settings = recipe(training__batch=64)
    found = with_graphs(settings, 64, 10 * GIB, Needs(of_image * GIB, 0, least))
    assert (found.recipe.training.micro_batch, found.recipe.training.cuda_graph) == (micro_batch, graphs)
    assert ("without CUDA graphs" in found.text) == (graphs == "off")
    assert found.needed * (1 if graphs == "off" else 2) <= 9 * GIB


def test_of_several_machines_each_process_has_its_share_of_the_batch(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    monkeypatch.setattr("ganglion.training.memory.bound_bytes", lambda recipe, images, g, d: asked.append(images) or 0)
    run = prepared("dcgan", cache, training__batch=64)
    for devices, nodes in ((1, 1), (2, 1), (1, 4), (2, 4)):
        plan_memory(run, Own(), devices, nodes)
    assert asked == [64, 32, 16, 8]


def test_a_share_of_one_image_is_tried_with_two(cache: Path) -> None:
    assert trial(prepared("fast", cache, training__batch=8))._one_step(1, None)[0].training.batch == 2


def test_what_cannot_fit_is_not_measured() -> None:
    needs = Needs(0.1 * GIB)
    found = fitted(recipe(), 64, 5 * GIB, needs, least=6 * GIB)
    assert 64 not in needs.asked
    assert found.text.startswith("a step needs more than 6.0 GiB, and 5.0 GiB are available: it is computed in micro-")


def test_on_a_gpu_sizes_are_tried_until_one_fits() -> None:
    """There a size that does not fit needs no finite number."""

    class Device(Needs):
        def of(self, images: int) -> float:
            self.asked.append(images)
            return float("inf") if images > 20 else 0.1 * GIB * images

    needs = Device(0)
    found = fitted(recipe(), 64, 10 * GIB, needs)
    assert needs.asked[:4] == [64, 32, 22, 16]
    assert found.text.startswith("a step needs more, and 10 GiB are available")
    assert found.recipe.training.micro_batch == 16


# Measured


def prepared(preset: str, cache: Path, **changes: object) -> PreparedRun:
    settings = {key.replace("__", "."): value for key, value in changes.items()}
    request: Request = {"recipe": preset, "size": 32, "steps": 1, "precision": "32", "set": settings}
    return prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)


def trial(run: PreparedRun) -> TrialSteps:
    batch = run.recipe.training.batch
    bound = bound_bytes(run.recipe, batch, *cost_of(run.recipe))
    return TrialSteps(run, Own(), batch, bound / batch, scatter=1.0)


MEASURES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_memory import prepared, trial
steps, split = trial(prepared("r3gan", Path(sys.argv[2]), training__batch=20)), sys.argv[3] == "split"
line = steps._line_of_steps(split)
sizes = ((20, 4), (20, 16)) if split else ((8, None), (20, None))
for _ in range(2):  # kernels are compiled for each size at its first step
    few, more = (steps._measured(*size) for size in sizes)
print(line.of_image, (more - few) / 12)
"""


@pytest.mark.parametrize("how", ["whole", "split"])
def test_the_line_through_small_batches_is_that_of_a_larger_one(how: str, cache: Path) -> None:
    """An image of 20 takes what one of 4 takes, to a third: freed blocks do not fit together, and kernels differ.

    In a process of its own, as a run is: what hundreds of tests have freed is used again, unseen.
    """
    here = [str(Path(__file__).parent), str(cache), how]
    places = os.pathsep.join(place for place in sys.path if place)
    done = subprocess.run(
        [sys.executable, "-c", MEASURES, *here], env={**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1"},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected, found = map(float, done.stdout.split()[-2:])
    assert expected == pytest.approx(found, rel=0.34)


def test_a_step_takes_less_than_the_bound_and_more_than_the_least(cache: Path) -> None:
    run = prepared("r3gan", cache, training__batch=16)
    release_freed_memory()
    costs, before = cost_of(run.recipe), process_bytes()
    taken = trial(run)._measured(16, None) - before
    assert least_bytes(run.recipe, 16, *costs) < taken < bound_bytes(run.recipe, 16, *costs)


def test_a_line_goes_through_its_points() -> None:
    assert Line.through([(2, 30.0), (4, 50.0)]) == Line(10.0, 10.0)
    assert Line.through([(2, 30.0), (4, 50.0)]).at(8) == 90.0
    assert Line.through([(2, 30.0)]).at(8) == 30.0
    assert Line.through([(2, 30.0), (4, 20.0)]) == Line(20.0, 0.0)  # noise


def test_trial_steps_leave_the_random_state_and_the_recipe_as_they_were(cache: Path) -> None:
    run = prepared("fast", cache, training__batch=8, generator__width=4, discriminator__width=4)
    state, settings = torch.get_rng_state(), run.recipe
    assert trial(run).of(4) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert run.recipe == settings


def test_where_memory_is_plainly_enough_nothing_is_run(cache: Path) -> None:
    run = prepared("dcgan", cache)
    found = plan_memory(run, Own())
    assert found.text.startswith("a step needs less than 0.")
    assert found.recipe == run.recipe


# What is said


def networks(settings: Recipe) -> tuple[nn.Module, nn.Module]:
    with torch.device("meta"):
        return build_generator(settings), build_discriminator(settings)


@pytest.mark.parametrize(
    ("preset", "micro_batch", "expected"),
    [
        ("dcgan", 16, ["batch norm of G", "batch norm of D"]),
        ("fast", 16, ["batch norm of G"]),
        ("improved", 16, ["batch norm of D", "discriminator.minibatch discrimination"]),
        ("r3gan", 16, []),
        ("dcgan", 64, []),
        ("dcgan", None, []),
    ],
)
def test_what_is_computed_of_each_micro_batch_alone_is_named(
    preset: str, micro_batch: int | None, expected: list[str]
) -> None:
    settings = recipe(preset, training__micro_batch=micro_batch, training__batch=64)
    assert of_each_micro_batch(settings, 1, networks(settings)) == expected


@pytest.mark.parametrize(("micro_batch", "named"), [(16, False), (10, True)])
def test_the_minibatch_deviation_is_named_where_its_groups_are_others(micro_batch: int, named: bool) -> None:
    changes = {"training__batch": 64, "training__micro_batch": micro_batch, "discriminator__minibatch": "stddev"}
    settings = recipe("r3gan", **changes)
    assert bool(of_each_micro_batch(settings, 1, networks(settings))) == named


# Runs


def runs_out(after: int) -> AdversarialLoss:
    """The non-saturating loss, which finds no memory at its call number `after`."""
    usual, calls = ADVERSARIAL["non-saturating"], iter(range(10**6))

    def loss(real: Tensor, fake: Tensor) -> Tensor:
        if next(calls) >= after:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return usual.discriminator(real, fake)

    return AdversarialLoss(loss, usual.generator, probability_logits=True)


def started(folder: Path, cache: Path, after: int, **more: object) -> ganglion.Run:
    settings = {**TINY, **more}
    return ganglion.train(
        "digits", recipe="dcgan", size=16, steps=25, run=folder, precision="32", device="cpu", set=settings, cache=cache,
        quiet=True, adversarial=runs_out(after), at_end=lambda run: None,
    )  # fmt: skip


def test_a_run_that_runs_out_of_memory_keeps_what_it_saved_and_says_what_to_set(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(TrainingFailed) as failure:
        started(tmp_path / "run", cache, after=15)
    (line,) = str(failure.value).splitlines()
    assert line == (
        "memory ran out with 8 images at once in the networks; the same command with --set training.micro_batch=4 resumes "
        "from step 10, which is saved"
    )
    resumed = started(tmp_path / "run", cache, 10**6, **{"training.micro_batch": 4})
    assert resumed.steps_saved()[-1] == 25
    assert resumed.recipe.training.micro_batch == 4
    assert started(tmp_path / "run", cache, 10**6).recipe.training.micro_batch == 4  # without saying it again


LIMITED = """
import resource, sys, psutil
from ganglion.cli.app import main
import torch, ganglion.training.train
room = int(sys.argv.pop(1)) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + room,) * 2)
main()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no other system enforces a limit of address space")
@pytest.mark.parametrize(
    ("room", "more", "code", "said"),
    [
        (700, [], 0, ["are available: it is computed in micro-batches of", "Computed of each micro-batch of"]),
        (450, ["--set", "training.micro_batch=2048"], 3, ["would need", "memory ran out with 2048 images at once"]),
    ],
)
def test_in_a_process_with_little_memory_a_large_batch_is_divided_or_fails_in_one_sentence(
    room: int, more: list[str], code: int, said: list[str], tmp_path: Path, cache: Path
) -> None:
    packed = {"recipe": "dcgan", "size": 32}  # before: what reads the source takes memory as well
    prepare_run("digits", packed, Screen(quiet=True), "cpu", cache=cache)
    command = ["train", "digits", "--recipe", "dcgan", "--size", "32", "--steps", "1", "--batch", "2048", "--no-report"]
    narrow = as_options({"generator.width": 32, "discriminator.width": 32})
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(room), *command, "--run", str(tmp_path / "run"), "--device", "cpu", *narrow, *more],
        env={**os.environ, "GANGLION_CACHE": str(cache), "OMP_NUM_THREADS": "1"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert all(words in done.stderr for words in said), done.stderr
    assert "Traceback" not in done.stderr


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors(recipe(), ganglion.Run(tmp_path)):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
