from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from watch_loops import LOOPS, ConvD, ConvG, Truth, adam, data, tutorial

STEPS, EVERY = 24, 8


def run(loop: Callable[..., Truth], attach: Callable[..., None], steps: int = STEPS) -> tuple[Truth, list[Any]]:
    """The loop from the same seeds, and what it leaves behind: weights, buffers, modes, random states, gradients."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 (foreign loops use it)
    truth = loop(steps, attach)
    left: list[Any] = [torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002
    for network in truth.networks:
        left += [tensor.clone() for tensor in network.state_dict().values()]
        left += [None if weight.grad is None else weight.grad.clone() for weight in network.parameters()]
        left += [module.training for module in network.modules()]
    return truth, left


def watched(
    loop: Callable[..., Truth], steps: int = STEPS, **options: Any
) -> tuple[Truth, list[Any], ganglion.Monitor]:
    monitors: list[ganglion.Monitor] = []
    said: list[str] = []

    def attach(*players: Any) -> None:
        monitors.append(ganglion.watch(*players, **{"every": EVERY, "say": said.append, **options}))

    truth, left = run(loop, attach, steps)
    return truth, left, monitors[0]


def equal(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b, strict=True)
    )


COMPILING = "ignore:The .grad attribute of a Tensor that is not a leaf"  # PyTorch's compiler itself looks at it
pytestmark = pytest.mark.filterwarnings(COMPILING, "ignore::DeprecationWarning:torch._dynamo")


@pytest.mark.parametrize("name", LOOPS)
def test_the_training_ends_with_the_very_bits_it_would_have_without_being_watched(name: str, tmp_path: Path) -> None:
    _, alone = run(LOOPS[name], lambda *_: None)
    _, seen, monitor = watched(LOOPS[name], out=tmp_path / "out")
    monitor.close()
    assert monitor.error is None
    assert equal(alone, seen)


@pytest.mark.parametrize("name", LOOPS)
def test_what_d_says_of_real_and_of_fake_is_what_the_loop_knows_it_said(name: str) -> None:
    truth, _, monitor = watched(LOOPS[name])
    for record in (record for record in monitor.records if record["step"]):
        first = 1 if record["step"] == 1 else max(2, record["step"] - EVERY + 1)
        looked = [s for s in range(first, record["step"] + 1) if s == 1 or s % (EVERY // 4) == 0]
        if name == "together":  # G moves first: D's answer to a batch belongs to the step that follows
            looked = [s - 1 for s in looked if s > 1]
        if not looked:
            continue
        real, fake = (torch.cat([side[s - 1] for s in looked]) for side in (truth.real, truth.fake))
        if name != "mixed_precision":
            assert record["logit_real"] == pytest.approx(float(real.mean()), rel=2e-3, abs=2e-4)
            assert record["logit_fake"] == pytest.approx(float(fake.mean()), rel=2e-3, abs=2e-4)
        assert 0 <= record["separation"] <= 1
    assert not [reason for reason in monitor.verdict().unseen if reason.startswith("D's logits")]


@pytest.mark.parametrize("name", LOOPS)
def test_it_measures_what_a_run_of_ours_measures(name: str) -> None:
    _, _, monitor = watched(LOOPS[name])
    steps = [record["step"] for record in monitor.records if record["step"]]
    assert steps == [1, *range(EVERY, len(steps) * EVERY, EVERY)]
    last = monitor.records[-1]
    assert {"grad_g", "grad_d_first", "update_g", "weight_d", "lr_g", "first_gradient_g", "logits"} <= last.keys()
    assert {"diversity", "duplicates", "swd", "saturation", "z_response", "range_real"} <= last.keys()
    assert last["moves_d_with_g"] == last["moves_g_with_d"] == 0
    assert last["pull_d_real"] > 0.5
    assert last["pull_d_fake"] < -0.5
    assert last["pull_g_fake"] > 0.5
    assert last["range_real"][0] == pytest.approx(-1.2, abs=0.15)
    json.dumps(last, allow_nan=False)


def hooks_of(*things: Any) -> int:
    found = 0
    for thing in things:
        if isinstance(thing, nn.Module):
            found += sum(
                len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in thing.modules()
            )
        else:
            found += len(thing._optimizer_step_pre_hooks) + len(thing._optimizer_step_post_hooks)
    return found


def test_no_hook_stays_behind() -> None:
    G, D = ConvG(), ConvD()
    optimizers = adam(G), adam(D)
    with ganglion.watch(G, D, *optimizers) as monitor:
        assert hooks_of(G, D, *optimizers) == 6
    assert hooks_of(G, D, *optimizers) == 0
    assert monitor.closed


@pytest.mark.parametrize("where", ["forward of G", "forward of D", "step", "samples"])
def test_an_error_inside_ends_the_watching_is_told_once_and_not_the_training(where: str) -> None:
    _, alone = run(tutorial, lambda *_: None)
    said: list[str] = []
    monitors: list[ganglion.Monitor] = []

    def attach(*players: Any) -> None:
        monitor = ganglion.watch(*players, every=EVERY, say=said.append)

        def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("a fault of ours")

        if where == "forward of G":
            monitor._probe.keep_latents = broken  # type: ignore[method-assign]
        elif where == "forward of D":
            monitor._calls = type("Full", (list,), {"append": broken})()
        elif where == "step":
            monitor._stats.g.after_backward = broken  # type: ignore[method-assign]
        else:
            monitor._probe.samples = broken  # type: ignore[method-assign]
        monitors.append(monitor)

    _, seen = run(tutorial, attach)
    assert equal(alone, seen)
    assert len(said) == 1
    assert "ganglion.watch ended at step" in said[0]
    assert "training continues: RuntimeError: a fault of ours" in said[0]
    assert monitors[0].closed
    assert any("watching ended there" in reason for reason in monitors[0].verdict().unseen)


def changed_after_detach(steps: int, attach: Callable[..., None]) -> Truth:
    """Samples get noise of their own each time D sees them: they are never a batch that G drew."""
    G, D = ConvG(), ConvD()
    opt_g, opt_d, loss = adam(G), adam(D), nn.BCEWithLogitsLoss()
    attach(G, D, opt_g, opt_d)
    for _ in range(steps):
        fake = G(torch.randn(16, 8))
        opt_d.zero_grad()
        (
            loss(D(torch.rand(16, 1, 16, 16)), torch.ones(16, 1))
            + loss(D(fake.detach() + 0.1 * torch.randn(16, 1, 16, 16)), torch.zeros(16, 1))
        ).backward()
        opt_d.step()
        opt_g.zero_grad()
        loss(D(fake + 0.1 * torch.randn(16, 1, 16, 16)), torch.ones(16, 1)).backward()
        opt_g.step()
    return Truth([G, D], [], [])


def test_what_it_cannot_see_it_reports_as_not_seen() -> None:
    _, _, monitor = watched(changed_after_detach)
    assert monitor.error is None
    assert "separation" not in monitor.records[-1]
    assert "grad_g" in monitor.records[-1]
    verdict = monitor.verdict()
    assert verdict.state in ("unknown", "watch", "failing")
    assert any("are samples changed after they are detached?" in reason for reason in verdict.unseen)


def test_one_optimiser_that_moves_both_networks_is_measured() -> None:
    G, D = ConvG(), ConvD()
    both = torch.optim.Adam([*G.parameters(), *D.parameters()])
    monitor = ganglion.watch(G, D, both, adam(D), every=1, say=lambda text: None)
    G(torch.randn(4, 8)).sum().backward()
    both.step()
    assert (monitor.records[0]["moves_d_with_g"], monitor.records[0]["moves_g_with_d"]) == (1, 0)


def test_ones_own_numbers_stand_in_the_next_record() -> None:
    monitors: list[ganglion.Monitor] = []

    def attach(*players: Any) -> None:
        monitors.append(ganglion.watch(*players, every=EVERY, say=lambda text: None))
        monitors[0].log(loss_d=1.5)

    run(tutorial, attach)
    assert [(r["step"], r["loss_d"]) for r in monitors[0].records if "loss_d" in r] == [(1, 1.5)]


def test_it_leaves_a_folder_that_can_be_read_and_sets_an_older_one_aside(tmp_path: Path) -> None:
    for _ in range(2):
        _, _, monitor = watched(tutorial, out=tmp_path)
        monitor.close()
    lines = [json.loads(line) for line in (tmp_path / "vitals.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 8, 16, 24]
    assert (tmp_path / "vitals.jsonl.old-1").exists()
    assert len(list((tmp_path / "samples" / "fixed").glob("*.png"))) >= 3
    assert (tmp_path / "findings.jsonl").exists()


def test_a_learning_rate_that_is_no_optimiser_is_refused_at_once() -> None:
    G, D = ConvG(), ConvD()
    with pytest.raises(TypeError, match=r"expected a torch\.optim\.Optimizer"):
        ganglion.watch(G, D, 1e-3, adam(D))
    with pytest.raises(ValueError, match="every must be a number of steps of at least 1; got 0"):
        ganglion.watch(G, D, adam(G), adam(D), every=0)


def test_optimisers_inside_wrappers_are_found() -> None:
    class Wrapper:
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

    G, D = ConvG(), ConvD()
    inner = adam(G)
    monitor = ganglion.watch(G, D, Wrapper(Wrapper(inner)), adam(D))
    assert monitor._optimizer_g is inner
    monitor.close()


def flipped(steps: int, attach: Callable[..., None]) -> Truth:
    """Samples are mirrored on their way to D, in both phases alike."""
    G, D = ConvG(), ConvD()
    opt_g, opt_d, loss = adam(G), adam(D), nn.BCEWithLogitsLoss()
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        fake = G(torch.randn(16, 8))
        on_real, on_fake = D(data(16, step)), D(fake.detach().flip(3))
        opt_d.zero_grad()
        (loss(on_real, torch.ones(16, 1)) + loss(on_fake, torch.zeros(16, 1))).backward()
        opt_d.step()
        opt_g.zero_grad()
        loss(D(fake.flip(3)), torch.ones(16, 1)).backward()
        opt_g.step()
        truth.real.append(on_real.detach().flatten())
        truth.fake.append(on_fake.detach().flatten())
    return truth


def test_samples_that_are_changed_are_known_again_when_g_trains_on_the_same() -> None:
    truth, _, monitor = watched(flipped)
    looked = [17, 19, 21, 23]  # steps 18, 20, 22, 24
    assert monitor.records[-1]["logit_fake"] == pytest.approx(
        float(torch.cat([truth.fake[i] for i in looked]).mean()), rel=2e-3
    )
    assert monitor.records[-1]["logit_real"] == pytest.approx(
        float(torch.cat([truth.real[i] for i in looked]).mean()), rel=2e-3
    )


def test_networks_that_hooks_of_other_people_look_at_are_not_asked_behind_their_back() -> None:
    calls: list[int] = []

    def attach(G: nn.Module, *rest: Any) -> None:
        G.register_forward_hook(lambda *_: calls.append(1))
        ganglion.watch(G, *rest, every=EVERY, say=lambda text: None)

    truth, _ = run(tutorial, attach)
    assert len(calls) == STEPS + 5  # a batch a step, and the loop's own five previews
    assert copy.deepcopy(truth.networks[0]) is not None
