"""Gradients that stay, and networks in eval mode, as a watched loop shows them; loops that do neither are in test_loops.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.watching.loop_mistakes import Zeroing
from watch_loops import ConvD, ConvG, data

ORDERS = {
    "before each pass": ("zero d", "back d", "step d", "zero g", "back g", "step g"),
    "after each step": ("back d", "step d", "zero d", "back g", "step g", "zero g", "zero d"),
    "both after G's step": ("back d", "step d", "back g", "step g", "zero g", "zero d"),
    "both before G's step": ("zero d", "back d", "zero g", "back g", "step d", "step g"),
    "in two parts": ("zero d", "back d", "back d", "step d", "zero g", "back g", "back g", "step g"),
    "D's never": ("back d", "step d", "zero g", "back g", "step g"),
    "G's never": ("zero d", "back d", "step d", "back g", "step g"),
    "D's too early": ("back d", "step d", "zero d", "zero g", "back g", "step g"),
}


def watched_loop(
    order: tuple[str, ...],
    steps: int = 12,
    every: int = 1,
    between: Callable[[nn.Module, nn.Module], None] | None = None,
) -> ganglion.Monitor:
    torch.manual_seed(0)
    networks = {"g": ConvG(), "d": ConvD()}
    optimizers = {player: torch.optim.Adam(network.parameters(), 1e-3) for player, network in networks.items()}
    monitor = ganglion.watch(
        networks["g"], networks["d"], optimizers["g"], optimizers["d"], every=every, say=lambda text: None
    )
    for step in range(steps):
        if between is not None:
            between(networks["g"], networks["d"])
        real, fake = data(8, step), networks["g"](torch.randn(8, 8))
        for what in order:
            do, _, player = what.partition(" ")
            if do == "zero":
                optimizers[player].zero_grad()
            elif do == "step":
                optimizers[player].step()
            else:
                loss(networks["d"], real, fake, player).backward(retain_graph=True)
    monitor.close()
    return monitor


def loss(d: nn.Module, real: Tensor, fake: Tensor, player: str) -> Tensor:
    ask = nn.functional.binary_cross_entropy_with_logits
    if player == "g":
        return ask(d(fake), torch.ones(8, 1))
    return ask(d(real), torch.ones(8, 1)) + ask(d(fake.detach()), torch.zeros(8, 1))


def means(monitor: ganglion.Monitor, key: str) -> set[float]:
    """Those of all records but the first, before which there was no step."""
    return {record[key] for record in monitor.records[2:]}


@pytest.mark.parametrize("every", [1, 16])
@pytest.mark.parametrize("order", ORDERS)
def test_gradients_of_earlier_steps_are_seen_in_an_update(order: str, every: int) -> None:
    monitor = watched_loop(ORDERS[order], steps=64, every=every)
    assert monitor.error is None
    assert means(monitor, "unzeroed_d") == {1.0 if order in ("D's never", "D's too early") else 0.0}
    assert means(monitor, "unzeroed_g") == {1.0 if order == "G's never" else 0.0}


def test_gradients_set_to_zero_instead_of_none_are_zeroed() -> None:
    def zeroed(g: nn.Module, d: nn.Module) -> None:
        for weight in (*g.parameters(), *d.parameters()):
            if weight.grad is not None:
                weight.grad.zero_()

    monitor = watched_loop(ORDERS["D's never"], between=zeroed)
    assert means(monitor, "unzeroed_d") == {0.0}


def test_gradients_that_a_loop_computes_and_assigns_itself_are_zeroed() -> None:
    torch.manual_seed(0)
    networks = {"g": ConvG(), "d": ConvD()}
    optimizers = {player: torch.optim.Adam(network.parameters(), 1e-3) for player, network in networks.items()}
    monitor = ganglion.watch(*networks.values(), *optimizers.values(), every=1, say=lambda text: None)
    for step in range(8):
        real, fake = data(8, step), networks["g"](torch.randn(8, 8))
        for player in "dg":
            weights = list(networks[player].parameters())
            found = torch.autograd.grad(loss(networks["d"], real, fake, player), weights, retain_graph=True)
            for weight, gradient in zip(weights, found, strict=True):
                weight.grad = gradient
            optimizers[player].step()
    monitor.close()
    assert monitor.error is None
    assert not any(record.get(f"unzeroed_{player}") for record in monitor.records for player in "gd")


def test_a_look_at_a_gradient_that_fails_is_named_and_the_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> bool:
        raise RuntimeError("no such gradient")

    monkeypatch.setattr(Zeroing, "_is_empty", fails)
    monitor = watched_loop(ORDERS["before each pass"], steps=3)
    assert monitor.step == 3
    assert any("zeroing of gradients: ended at step 0 by RuntimeError" in reason for reason in monitor.verdict().unseen)
    assert not any("unzeroed_g" in record for record in monitor.records)


def test_a_network_that_is_trained_in_eval_mode_is_seen() -> None:
    order = ORDERS["before each pass"]
    only_g = watched_loop(order, between=lambda g, d: g.eval())
    assert means(only_g, "eval_mode_g") == {1.0}
    assert means(only_g, "eval_mode_d") == {0.0}
    both = watched_loop(order, between=lambda g, d: (g.eval(), d.eval()))  # type: ignore[arg-type, return-value]
    assert means(both, "eval_mode_d") == {1.0}
    assert means(watched_loop(order, between=lambda g, d: g.train()), "eval_mode_g") == {0.0}


def test_samples_drawn_in_eval_mode_between_steps_are_no_training_in_eval_mode() -> None:
    def samples(g: nn.Module, d: nn.Module) -> None:
        g.eval()
        g(torch.randn(4, 8))  # with gradients, which nothing uses
        g.train()

    assert means(watched_loop(ORDERS["before each pass"], between=samples), "eval_mode_g") == {0.0}


def test_the_verdict_names_both_mistakes_and_what_to_do() -> None:
    monitor = watched_loop(ORDERS["D's never"], steps=500, every=20, between=lambda g, d: g.eval())
    findings = {finding.code: finding for finding in monitor.verdict().findings}
    assert "optimizer_D.zero_grad()" in findings["gradients-not-zeroed"].remedy
    assert "G.train()" in findings["eval-mode"].remedy
    assert [str(one) for one in findings["eval-mode"].evidence] == [
        "share of steps in which G is in eval mode 1 (expected at most 0.5)"
    ]


def test_no_hook_remains_at_a_weight_after_closing() -> None:
    torch.manual_seed(0)
    g, d = ConvG(), ConvD()
    optimizers = [torch.optim.Adam(network.parameters()) for network in (g, d)]
    monitor = ganglion.watch(g, d, *optimizers, say=lambda text: None)
    assert sum(len(weight._backward_hooks or ()) for weight in (*g.parameters(), *d.parameters())) == 2
    assert sum(len(weight._post_accumulate_grad_hooks or ()) for weight in (*g.parameters(), *d.parameters())) == 2
    monitor.close()
    assert not any(weight._backward_hooks for weight in (*g.parameters(), *d.parameters()))
    assert not any(weight._post_accumulate_grad_hooks for weight in (*g.parameters(), *d.parameters()))
