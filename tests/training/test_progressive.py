"""Trainings in which the images become larger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ganglion
from ganglion.errors import RecipeError, RunError
from ganglion.recipe.resolve import resolve
from ganglion.training import loop
from ganglion.training.budget import halvings_at, sizes_of
from ganglion.training.own import Own
from ganglion.training.train import train
from tiny import TINY

GROWING = {"generator.family": "skip", "discriminator.family": "skip", "training.progressive": 0.5}
SETTINGS: dict[str, object] = {
    **TINY, **GROWING, "objective.penalties": [{"kind": "r1", "interval_updates": 2}],
}  # fmt: skip


def recipe(size: int, **training: object) -> Any:
    settings = {**GROWING, "data.size": size, "data.channels": 1, "training.steps": 100, "training.kimg": None}
    return resolve("dcgan", settings | {f"training.{key}": value for key, value in training.items()})


def trained(folder: Path, cache: Path, **more: Any) -> ganglion.Run:
    return train(
        "digits", run=folder, recipe="dcgan", size=32, steps=12, precision="32", device="cpu", quiet=True, cache=cache,
        set=SETTINGS | more.pop("set", {}), **more,
    )  # fmt: skip


@pytest.fixture
def heights(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Heights of the images in each phase of D, in the order of the steps."""
    found: list[int] = []
    pass_of_d: Callable[..., Any] = loop.discriminator_pass

    def noted(*args: Any, **options: Any) -> Any:
        seen = pass_of_d(*args, **options)
        assert seen.real.shape == seen.fake.shape
        found.append(seen.real.shape[2])
        return seen

    monkeypatch.setattr(loop, "discriminator_pass", noted)
    return found


def test_sizes_share_their_part_of_the_budget_evenly() -> None:
    growing = recipe(128, progressive=0.6)
    assert [halvings_at(growing, fraction / 100) for fraction in (0, 19, 21, 39, 41, 59, 60, 99)] == [
        3, 3, 2, 2, 1, 1, 0, 0,
    ]  # fmt: skip
    assert sizes_of(growing) == [(16, 16), (32, 32), (64, 64), (128, 128)]
    assert sizes_of(recipe(128, progressive=0)) == sizes_of(recipe(128, start_from="runs/other")) == [(128, 128)]
    assert sizes_of(recipe(16)) == [(16, 16)]


def test_steps_are_made_with_small_images_first_and_samples_are_large(
    tmp_path: Path, cache: Path, heights: list[int]
) -> None:
    run = trained(tmp_path / "run", cache, threads=1)
    assert heights == [16] * 6 + [32] * 6
    assert ganglion.load(run).sample(2).shape == (2, 32, 32, 1)
    assert {"frechet", "diversity", "loss_d"} <= run.records()[-1].keys()


def test_a_run_that_stopped_at_a_small_size_resumes_to_the_same_bits(tmp_path: Path, cache: Path) -> None:
    whole = trained(tmp_path / "whole", cache)
    seen: list[int] = []

    def stop_at_4(record: dict[str, Any], _: object) -> str | None:
        seen.append(record["step"])
        return "stop" if record["step"] >= 4 else None

    ticks: dict[str, object] = {"training.tick_kimg": 0.016}
    trained(tmp_path / "run", cache, own=Own(callback=stop_at_4), set=ticks)
    assert 4 <= seen[-1] < 6
    again = trained(tmp_path / "run", cache, set=ticks)
    for name in ("generator", "ema", "discriminator", "optimizers"):
        ours, theirs = ((one.checkpoint("latest") / f"{name}.safetensors").read_bytes() for one in (again, whole))
        assert ours == theirs, name


def test_a_larger_budget_does_not_make_images_small_again(tmp_path: Path, cache: Path) -> None:
    trained(tmp_path / "run", cache)
    with pytest.raises(RunError, match=r"training.steps: 12 -> 24"):
        train(
            "digits", run=tmp_path / "run", recipe="dcgan", size=32, steps=24, precision="32", device="cpu", quiet=True,
            cache=cache, set=SETTINGS,
        )  # fmt: skip


def test_a_run_from_another_one_begins_with_the_full_size(tmp_path: Path, cache: Path, heights: list[int]) -> None:
    trained(tmp_path / "one", cache)
    heights.clear()
    trained(tmp_path / "two", cache, threads=1, start_from=str(tmp_path / "one"))
    assert heights == [32] * 12


def test_micro_batches_and_one_stage_train_at_every_size(tmp_path: Path, cache: Path, heights: list[int]) -> None:
    plain = trained(tmp_path / "plain", cache, threads=1, set={"generator.norm": "none"})
    parts = trained(tmp_path / "parts", cache, threads=1, set={"generator.norm": "none", "training.micro_batch": 3})
    ours, theirs = (torch.from_numpy(ganglion.load(run).sample(4)).float() for run in (parts, plain))
    assert (ours - theirs).abs().max() <= 2
    heights.clear()
    trained(tmp_path / "simultaneous", cache, threads=1, set={"balance.updates": "simultaneous"})
    assert heights == [16] * 6 + [32] * 6


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"generator.family": "dcgan"}, "the families are dcgan and skip; set generator.family"),
        ({"discriminator.family": "resnet"}, "the families are skip and resnet"),
        ({"objective.feature_matching": {"weight": 1, "layer": 0}}, "set it to -1, or training.progressive to 0"),
        ({"training.progressive": 1}, "training.progressive"),
    ],
)
def test_what_does_not_go_with_growing_sizes_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        resolve("dcgan", GROWING | {"data.size": 64} | settings)
