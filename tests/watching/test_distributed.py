"""`ganglion.watch` in a training of two processes, each with networks inside DistributedDataParallel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

import ganglion
from watch_loops import ConvD, ConvG, adam, data

PROCESSES, STEPS, EVERY = 2, 8, 4


class Players(NamedTuple):
    G: nn.Module
    D: nn.Module
    opt_g: torch.optim.Optimizer
    opt_d: torch.optim.Optimizer


def players() -> Players:
    torch.manual_seed(3)
    G, D = DistributedDataParallel(ConvG()), DistributedDataParallel(ConvD())
    return Players(G, D, adam(G), adam(D))


def train(one: Players, rank: int) -> None:
    """The tutorial's loop; each process has images and latents of its own."""
    torch.manual_seed(10 + rank)
    loss = nn.BCEWithLogitsLoss()
    for step in range(STEPS):
        one.opt_d.zero_grad()
        loss(one.D(data(16, PROCESSES * step + rank)), torch.ones(16, 1)).backward()
        fake = one.G(torch.randn(16, 8))
        loss(one.D(fake.detach()), torch.zeros(16, 1)).backward()
        one.opt_d.step()
        one.opt_g.zero_grad()
        loss(one.D(fake), torch.ones(16, 1)).backward()
        one.opt_g.step()


def digest(tensors: Iterable[Tensor]) -> str:
    return hashlib.sha256(b"".join(tensor.detach().numpy().tobytes() for tensor in tensors)).hexdigest()


def left(one: Players) -> dict[str, Any]:
    """What a training leaves behind."""
    networks = nn.ModuleList([one.G, one.D])
    buffers_and_random = [*networks.buffers(), torch.get_rng_state()]
    return {"weights": digest(networks.parameters()), "of its own": digest(buffers_and_random)}


def hooks_of(one: Players) -> int:
    modules = [module for network in (one.G, one.D) for module in network.modules()]
    of_networks = sum(len(module._forward_hooks) + len(module._backward_hooks) for module in modules)
    optimizers = (one.opt_g, one.opt_d)
    return of_networks + sum(len(o._optimizer_step_pre_hooks) + len(o._optimizer_step_post_hooks) for o in optimizers)


def work(rank: int, folder: Path) -> None:
    """One process: the same training alone and watched. What it saw lies in a file of its own."""
    torch.set_num_threads(1)
    store = distributed.FileStore(str(folder / "store"), PROCESSES)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=PROCESSES)
    alone, seen = players(), players()
    train(alone, rank)
    found: dict[str, Any] = {"alone": left(alone), "hooks": [hooks_of(seen)]}
    with ganglion.watch(*seen, every=EVERY, out=folder / "out", say=lambda text: None) as monitor:
        found["hooks"] += [hooks_of(seen)]
        train(seen, rank)
    found |= {"watched": left(seen), "error": repr(monitor.error), "last": monitor.records[-1]}
    found["hooks"] += [hooks_of(seen)]
    (folder / f"{rank}.json").write_text(json.dumps(found))
    distributed.barrier()  # gloo's threads abort a process whose partner has gone
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    place = tmp_path_factory.mktemp("distributed")
    torch.multiprocessing.spawn(work, (place,), nprocs=PROCESSES)
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    """By process."""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(PROCESSES)]


def test_each_process_ends_with_the_very_bits_it_would_have_without_being_watched(found: list[dict[str, Any]]) -> None:
    assert [one["watched"] for one in found] == [one["alone"] for one in found]
    assert found[0]["alone"]["weights"] == found[1]["alone"]["weights"]
    assert found[0]["alone"]["of its own"] != found[1]["alone"]["of its own"]  # they did train on different images


def test_each_process_sees_its_own_share_and_the_first_writes(found: list[dict[str, Any]], folder: Path) -> None:
    assert [one["error"] for one in found] == ["None", "None"]
    for one in found:
        assert 0 <= one["last"]["separation"] <= 1
        assert {"diversity", "swd", "grad_g_first", "update_d"} <= one["last"].keys()
    lines = [json.loads(line) for line in (folder / "out" / "vitals.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 4, 8]
    assert lines[-1]["separation"] == found[0]["last"]["separation"]
    assert lines[-1]["logit_fake"] != found[1]["last"]["logit_fake"]


def test_no_hook_stays_behind_on_wrapped_networks(found: list[dict[str, Any]]) -> None:
    before, during, after = found[0]["hooks"]
    assert (during - before, after) == (4, before)  # on each wrapper and on what is inside
