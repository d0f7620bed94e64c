"""What is promised on a CUDA device, run there: `make gpu`. Without one these tests are skipped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

import ganglion
from ganglion.data.batches import Batches
from ganglion.platform.devices import fabric_precision
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.numerics import side_stream, training_numerics
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.streams import Purpose
from ganglion.training.draws import Draws
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.players import Players
from ganglion.training.prepare import PreparedRun, build_first_players, prepare_run
from ganglion.training.replay import Replay, cuda_capture, replay_for
from tiny import TINY

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]

CUDA = torch.device("cuda")
STEPS = 24
R1 = [{"kind": "r1", "interval_updates": 4}]
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "fast": ("fast", {}),
    "small-data": ("small-data", {"augment.flip": True}),
    "fastgan": ("fastgan", {}),
    "skip": ("fast", {"generator.family": "skip", "discriminator.family": "skip"}),
    "lazy penalty": ("fast", {"discriminator.norm": "none", "objective.penalties": R1}),
    "ada": ("dcgan", {"augment.kind": "ada", "augment.target": -0.5, "augment.speed_kimg": 0.1}),
    "r3gan": ("r3gan", {"generator.group": 4, "discriminator.group": 4}),
    "wgan-gp": ("wgan-gp", {}),
    "rmsprop": ("wgan", {}),
    "paused players": ("dcgan", {"balance.pause_above_auc": 0.55}),
    "classes": ("sngan", {"data.conditional": True}),
}  # fmt: skip


def files(run: ganglion.Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.checkpoint("latest").glob("*.safetensors")}


def trained(case: str, folder: Path, cache: Path, steps: int = STEPS, **more: Any) -> ganglion.Run:
    recipe, changes = RECIPES[case]
    keywords: dict[str, Any] = {"deterministic": True, "precision": "bf16"} | more
    settings = TINY | {"optimizer.schedule": "constant"} | changes | keywords.pop("set", {})
    return ganglion.train(
        "digits", recipe=recipe, size=16, steps=steps, run=folder, device="cuda", cache=cache, quiet=True,
        at_end=lambda run: None, set=settings, **keywords,
    )  # fmt: skip


@pytest.mark.parametrize("case", RECIPES)
def test_a_deterministic_run_that_is_resumed_ends_with_the_bits_of_one_left_alone(
    case: str, tmp_path: Path, cache: Path
) -> None:
    whole = trained(case, tmp_path / "whole", cache)
    trained(case, tmp_path / "halves", cache, STEPS // 2)
    assert files(trained(case, tmp_path / "halves", cache)) == files(whole)


@pytest.mark.parametrize("case", RECIPES)
def test_cuda_graphs_change_no_bit(case: str, tmp_path: Path, cache: Path) -> None:
    found = [trained(case, tmp_path / graph, cache, set={"training.cuda_graph": graph}) for graph in ("on", "off")]
    assert files(found[0]) == files(found[1])


def prepared(case: str, cache: Path, **more: object) -> PreparedRun:
    recipe, changes = RECIPES[case]
    settings = TINY | {"training.tick_kimg": 100, "training.snapshot_kimg": 100, "data.size": 16} | changes | more
    request: Any = {"recipe": recipe, "steps": STEPS, "precision": "bf16", "set": settings}
    return prepare_run("digits", request, Screen(quiet=True), "cuda", 1, cache)


def looped(run: PreparedRun, replay: Replay, whole: bool | None = None, clock: Any = lambda: 0.0) -> Players:
    """Players after the steps of a run, without its folder."""
    recipe: Recipe = run.recipe
    with training_numerics(CUDA, deterministic=True), side_stream(CUDA):
        fabric = Fabric(accelerator="cuda", devices=1, precision=fabric_precision(recipe.training.precision))
        batches = Batches(run.store, 0, fabric.device, recipe.data.conditional, whole=whole)
        players = build_first_players(recipe, batches)
        train_loop(fabric, recipe, batches, players, TrainingProgress(), None, Interrupt(), clock, replay=replay)
        torch.cuda.synchronize()
    return players


def differing(a: Players, b: Players) -> list[str]:
    first, second = dict(a.state()), dict(b.state())
    return [name for name in first if not torch.equal(first[name], second[name])]


@pytest.mark.parametrize("case", RECIPES)
def test_steps_are_captured_and_most_of_them_replayed(case: str, cache: Path) -> None:
    run, said = prepared(case, cache), []
    replay = replay_for(run.recipe, CUDA, 1, Own(), said.append)
    looped(run, replay)
    assert said == []
    assert replay.replayed >= STEPS / 3


def test_a_data_set_that_is_copied_ahead_gives_the_bits_of_one_on_the_device(cache: Path) -> None:
    run = prepared("classes", cache)
    whole, ahead = (looped(run, Replay(cuda_capture()), whole=whole) for whole in (True, False))
    assert not differing(whole, ahead)


@pytest.mark.parametrize("whole", [True, False])
def test_batches_are_those_of_the_cpu(whole: bool, cache: Path) -> None:
    store = prepared("classes", cache).store
    here, there = Batches(store, 3, torch.device("cpu"), True), Batches(store, 3, CUDA, True, whole=whole)
    for first in (0, 40, 80, 1780, 10_000):
        a, b = here.take(first, 40), there.take(first, 40)
        assert b.images.device.type == "cuda"
        assert torch.equal(a.images, b.images.cpu())
        assert torch.equal(a.labels, b.labels.cpu())  # type: ignore[arg-type, union-attr]


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("case", [case for case in RECIPES if case != "paused players"])
def test_a_step_without_a_record_never_waits_for_the_device(
    case: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.intervals.RECORDS", 1)  # at the last step
    monkeypatch.setattr("ganglion.training.intervals.SNAPSHOTS", 1)
    calls = iter(range(10**6))

    def clock() -> float:
        """Asked once before the first step and once after each; waiting is an error from the third step to the last."""
        torch.cuda.set_sync_debug_mode("error" if 3 <= next(calls) < STEPS - 1 else "default")
        return 0.0

    try:
        looped(prepared(case, cache), Replay(None), clock=clock)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_where_a_capture_fails_the_run_says_why_once_and_goes_on_with_the_same_bits(cache: Path) -> None:
    run, said = prepared("fast", cache), []
    capture = cuda_capture()

    def failing(step: Any, random: torch.Generator) -> Any:
        return capture(lambda: (step(), torch.ones(1, device=CUDA).item())[0], random)

    assert not differing(looped(run, Replay(failing, said.append)), looped(run, Replay(None, from_tensors=True)))
    assert len(said) == 1
    assert said[0].startswith("Steps run without CUDA graphs")


@pytest.mark.parametrize("prior", ["normal", "uniform", "sphere"])
def test_latents_are_a_function_of_seed_purpose_and_position(prior: str) -> None:
    recipe = resolve("dcgan", {"latent.prior": prior, "training.batch": 4096, "latent.dim": 16})

    def drawn(position: int, purpose: Purpose = Purpose.LATENT) -> Tensor:
        return Draws(recipe, CUDA).latents(purpose, position)

    one = Draws(recipe, CUDA)
    one.latents(Purpose.LATENT, 1)
    assert torch.equal(one.latents(Purpose.LATENT, 7), drawn(7))
    assert not torch.equal(drawn(7), drawn(8))
    assert not torch.equal(drawn(7), drawn(7, Purpose.LATENT_AGAIN))
    z = drawn(7).cpu().numpy().astype(np.float64)
    variance = 1 / 3 if prior == "uniform" else 1.0
    assert abs(z.mean()) < 5 * math.sqrt(variance / z.size)
    assert z.var() == pytest.approx(variance, rel=0.05)


def records(run: ganglion.Run) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in (run.path / "vitals.jsonl").read_text().splitlines())


def test_bf16_trains_as_float32_does_at_first(tmp_path: Path, cache: Path) -> None:
    """A guess at how near: the mean losses of the first record agree to a tenth."""
    losses = []
    for precision in ("bf16", "32"):
        run = trained("fast", tmp_path / precision, cache, 5, precision=precision)
        losses.append(next((r["loss_d"], r["loss_g"]) for r in records(run) if r["step"] == 5))
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_without_the_option_a_run_ends_as_well(tmp_path: Path, cache: Path) -> None:
    run = trained("r3gan", tmp_path / "run", cache, deterministic=False)
    assert all("non_finite" not in record for record in records(run))


@pytest.mark.parametrize("case", ["lazy penalty", "wgan-gp", "r3gan"])
def test_penalties_change_the_weights_as_with_pytorchs_own_convolutions(
    case: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32, after two updates: to rounding, as a share of the distance moved."""
    run = prepared(case, cache)
    run = replace(run, recipe=update(run.recipe, training__precision="32", training__steps=2))
    with training_numerics(CUDA, deterministic=True):
        first = dict(build_first_players(run.recipe, Batches(run.store, 0, CUDA, whole=True)).state())
    ours = dict(looped(run, Replay(None)).state())
    monkeypatch.setattr("ganglion.training.phases.twice_differentiated", lambda device: nullcontext())
    plain = dict(looped(run, Replay(None)).state())
    weights = [name for name in plain if name.startswith("discriminator") and plain[name].ndim > 1]
    moved = sum(float((plain[name] - first[name]).square().sum()) for name in weights)
    apart = sum(float((plain[name] - ours[name]).square().sum()) for name in weights)
    assert moved > 0
    assert apart <= 1e-4 * moved


def test_graphs_take_at_most_as_much_memory_again(cache: Path) -> None:
    peaks = []
    run = prepared("lazy penalty", cache, **{"training.batch": 64, "generator.width": 64, "discriminator.width": 64})
    for replay in (Replay(None), Replay(cuda_capture())):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        looped(run, replay)
        peaks.append(torch.cuda.max_memory_reserved())  # what a captured graph keeps is not allocated between replays
    assert peaks[1] < 2 * peaks[0]
