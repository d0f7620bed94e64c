"""Which parts of a module are G and D: by name, by optimiser, and where it is not clear."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganglion.lightning.players import find_players

PAIRS = [
    ("generator", "discriminator"),
    ("netG", "netD"),
    ("G", "D"),
    ("gen", "disc"),
    ("net_g", "critic"),
    ("_generator", "Discriminator"),
]


def module_of(**parts: nn.Module) -> nn.Module:
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


def adam(part: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(part.parameters())


def linear() -> nn.Linear:
    return nn.Linear(2, 3)


@pytest.mark.parametrize(("g", "d"), PAIRS)
def test_usual_names_are_found_whatever_the_order_of_the_optimisers(g: str, d: str) -> None:
    G, D = linear(), linear()
    of_g, of_d = adam(G), adam(D)
    module = module_of(**{g: G, d: D, "loss": nn.BCELoss(), "features": linear()})
    assert find_players(module, [of_d, of_g]) == (G, D, of_g, of_d)


def test_parts_of_a_part_are_found_and_the_highest_counts() -> None:
    G, D = nn.Sequential(linear()), linear()
    G.add_module("gen", linear())  # a part of G of a usual name
    of_g, of_d = adam(G), adam(D)
    assert find_players(module_of(model=module_of(netG=G, netD=D)), [of_g, of_d]) == (G, D, of_g, of_d)


def test_an_averaged_copy_which_no_optimiser_updates_does_not_count() -> None:
    G, D, copied = linear(), linear(), linear()
    of_g, of_d = adam(G), adam(D)
    module = module_of(ema=module_of(generator=copied), model=module_of(generator=G, discriminator=D), gen=linear())
    assert find_players(module, [of_g, of_d]) == (G, D, of_g, of_d)


def test_names_that_are_given_count() -> None:
    G, D = linear(), linear()
    of_g, of_d = adam(G), adam(D)
    module = module_of(G_A=G, D_A=D, G_B=linear(), generator=linear())
    assert find_players(module, [of_g, of_d], "G_A", "D_A") == (G, D, of_g, of_d)


@pytest.mark.parametrize("known", ["generator", "discriminator"])
def test_the_network_of_the_other_optimiser_is_the_other_one(known: str) -> None:
    one, other = linear(), nn.Sequential(linear(), linear())
    optimizers = [adam(one), adam(other)]
    found = find_players(module_of(**{known: one, "judge": other, "eye": linear()}), optimizers)
    expected = (one, other) if known == "generator" else (other, one)
    assert found[:2] == expected
    assert {found.optimizer_g, found.optimizer_d} == set(optimizers)


def test_one_optimiser_may_be_for_both() -> None:
    module = module_of(G=linear(), D=linear())
    both = adam(module)
    assert find_players(module, [both])[2:] == (both, both)


def test_weights_of_a_network_may_be_in_two_optimisers_and_that_with_most_counts() -> None:
    G, D = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 200)), linear()
    small, large, of_d = adam(G[0]), adam(G[1]), adam(D)
    assert find_players(module_of(G=G, D=D), [small, large, of_d]).optimizer_g is large


UNCLEAR = {
    "no usual name": (
        {"first": linear(), "second": linear()}, {},
        "it is not clear which modules are the generator and the discriminator of Module, which has first, second: "
        r"name them, Watch\(generator=..., discriminator=...\)",
    ),
    "two of one kind": (
        {"netG": linear(), "gen": linear(), "D": linear()}, {},
        "Module has 2 modules that may be the generator: netG, gen; "
        r"name the one to watch: Watch\(generator='netG'\)",
    ),
    "a name that is not there": (
        {"G": linear(), "D": linear()}, {"generator": "netG"},
        "Module has no module 'netG' for the generator; it has G, D",
    ),
    "the same for both": (
        {"G": linear(), "D": linear()}, {"generator": "D"}, "are the same module: name two parts of it",
    ),
    "no modules": ({}, {}, "of Module, which has no modules with weights: name them"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNCLEAR)
def test_what_is_not_clear_is_said_with_what_to_do(case: str) -> None:
    parts, names, message = UNCLEAR[case]
    optimizers = [adam(part) for part in parts.values()]
    with pytest.raises(ValueError, match=message):
        find_players(module_of(**parts), optimizers, **names)


def test_a_network_that_no_optimiser_updates_is_said() -> None:
    G, D = linear(), linear()
    with pytest.raises(ValueError, match="none of the 1 optimisers of Module updates the discriminator"):
        find_players(module_of(G=G, D=D), [adam(G)])
