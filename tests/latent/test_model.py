from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

import ganglion
from ganglion.errors import CheckpointError, RunError
from ganglion.networks.sampling import CHUNK
from tiny import TINY


def test_equal_seeds_give_equal_pixels_on_every_load(tiny_run: ganglion.Run) -> None:
    first, second = ganglion.load(tiny_run), ganglion.load(tiny_run.path)
    assert np.array_equal(first.sample(20, seed=3), second.sample(20, seed=3))
    assert not np.array_equal(first.sample(20, seed=3), first.sample(20, seed=4))


@pytest.mark.parametrize("n", [1, 5, CHUNK, CHUNK + 1, 40])
def test_pixels_do_not_depend_on_the_batch_they_are_made_in(tiny_run: ganglion.Run, n: int) -> None:
    model = ganglion.load(tiny_run)
    assert np.array_equal(model.sample(50, seed=1)[:n], model.sample(n, seed=1))
    z = model.latents(50, seed=1)
    assert torch.equal(model.generate(z)[n - 1 : n], model.generate(z[n - 1 : n]))


def test_sample_is_latents_then_generate(tiny_run: ganglion.Run) -> None:
    model = ganglion.load(tiny_run)
    images = model.generate(model.latents(7, seed=2))
    assert (images.dtype, images.shape, images.abs().max() <= 1) == (torch.float32, (7, 1, 16, 16), True)
    levels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(levels, model.sample(7, seed=2))


def test_sample_returns_uint8_channels_last(tiny_run: ganglion.Run) -> None:
    images = ganglion.load(tiny_run).sample(3)
    assert (images.dtype, images.shape) == (np.uint8, (3, 16, 16, 1))


def test_memory_is_flat_but_for_the_images_themselves(tiny_run: ganglion.Run) -> None:
    model = ganglion.load(tiny_run)

    def peak(n: int) -> int:
        tracemalloc.start()
        model.sample(n)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    latent_bytes = 4 * model.recipe.latent.dim
    assert peak(4096) - peak(512) < (4096 - 512) * (16 * 16 + 4 * latent_bytes)


def test_a_chosen_checkpoint_is_the_one_that_is_loaded(tiny_run: ganglion.Run) -> None:
    latest, other = ganglion.load(tiny_run, "latest"), ganglion.load(tiny_run, 20)
    assert (latest.checkpoint.name, other.checkpoint.name) == ("00000030", "00000020")
    assert not np.array_equal(latest.sample(4), other.sample(4))


def test_the_model_is_in_eval_mode_and_stays_as_it_was(tiny_run: ganglion.Run) -> None:
    model = ganglion.load(tiny_run)
    before = {name: tensor.clone() for name, tensor in model.generator.state_dict().items()}
    model.sample(30)
    assert not model.generator.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.generator.state_dict().items())


def test_a_place_without_a_run_or_a_checkpoint_is_named(tmp_path: Path, tiny_run: ganglion.Run) -> None:
    with pytest.raises(RunError, match="is not a run"):
        ganglion.load(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint '5'|no checkpoint 5"):
        ganglion.load(tiny_run, 5)
    with pytest.raises(ValueError, match="at least 1"):
        ganglion.load(tiny_run).sample(0)


def test_one_label_serves_for_all_latents(tmp_path, cache):  # type: ignore[no-untyped-def]
    run = ganglion.train(
        "digits", recipe="dcgan", size=16, steps=2, run=tmp_path / "run", precision="32", device="cpu",
        set={**TINY, "data.conditional": True}, cache=cache, quiet=True, at_end=lambda run: None,
    )  # fmt: skip
    model = ganglion.load(run)
    z, label = model.latents(5), model.labels(1, label="3")
    assert torch.equal(model.generate(z, label), model.generate(z, model.labels(5, label="3")))
