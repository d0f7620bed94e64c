"""Loops that generate something else than square images: tables, signals, images of other ranges, image to image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watch_loops import Attach, ConvD, ConvG, Truth, adam, data
from watch_loops_networks import bce, loop_of

__all__ = ["DATA"]

N = 16


def dense(into: int, out: int, *end: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(into, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, out), *end)


def random_of(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(step)


def ring(n: int, step: int) -> Tensor:
    """Points (n, 2) on eight Gaussians."""
    angle = torch.randint(8, (n,), generator=random_of(step)) * (math.pi / 4)
    return 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(n, 2, generator=random_of(step + 1))


def points(steps: int, attach: Attach) -> Truth:
    """Eight Gaussians in the plane, batches of 64."""
    return loop_of(dense(8, 2), dense(2, 1), steps, attach, reals=lambda step: ring(64, step))


def numbers(steps: int, attach: Attach) -> Truth:
    """One-dimensional data without a second axis."""

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = dense(8, 1)

        def forward(self, z: Tensor) -> Tensor:
            return self.inner(z)[:, 0]

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = dense(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x[:, None])

    return loop_of(
        G(), D(), steps, attach, reals=lambda step: 4 + 0.5 * torch.randn(32, generator=random_of(step))
    )  # fmt: skip


def table(n: int, step: int) -> Tensor:
    """Rows (n, 10) of columns of very different scales; one is an indicator."""
    wide = torch.randn(n, 10, generator=random_of(step)) * torch.logspace(-1, 3, 10)
    wide[:, 4] = (wide[:, 4] > 0).float()
    return wide


def tabular(steps: int, attach: Attach) -> Truth:
    return loop_of(dense(8, 10), dense(10, 1), steps, attach, reals=lambda step: table(32, step))


def packed(steps: int, attach: Attach) -> Truth:
    """PacGAN: D judges packs of four rows."""
    D = dense(40, 1)
    return loop_of(
        dense(8, 10), D, steps, attach, call_d=lambda x: D(x.reshape(-1, 40)), reals=lambda step: table(32, step)
    )


def waves(n: int, step: int) -> Tensor:
    """Signals (n, 1, 256)."""
    phase = 6.28 * torch.rand(n, 1, 1, generator=random_of(step))
    return (torch.linspace(0, 25, 256) + phase).sin() + 0.05 * torch.randn(n, 1, 256, generator=random_of(step + 1))


def signals(steps: int, attach: Attach) -> Truth:
    G = nn.Sequential(nn.Linear(8, 256), nn.Unflatten(1, (1, 256)))
    D = nn.Sequential(nn.Conv1d(1, 8, 9, 4), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8 * 62, 1))
    return loop_of(G, D, steps, attach, reals=lambda step: waves(N, step))


def volumes(steps: int, attach: Attach) -> Truth:
    """Volumes (N, 1, 8, 8, 8)."""
    G = nn.Sequential(nn.Linear(8, 512), nn.Tanh(), nn.Unflatten(1, (1, 8, 8, 8)))
    D = nn.Sequential(nn.Conv3d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * 64, 1))
    return loop_of(G, D, steps, attach, reals=lambda step: data(2 * N, step).reshape(N, 1, 8, 8, 8))


def tiny(steps: int, attach: Attach) -> Truth:
    """Images of 4x4 pixels."""
    G = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))
    D = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    return loop_of(G, D, steps, attach, reals=lambda step: F.avg_pool2d(data(N, step), 4))


def one_by_one(steps: int, attach: Attach) -> Truth:
    """Batches of one image."""
    return loop_of(ConvG(), ConvD(norm=False), steps, attach, reals=lambda step: data(1, step))


class Linear(nn.Module):
    """An image of any range."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(*list(ConvG().body.children())[:-1])
        self.first = nn.Linear(8, 256)

    def forward(self, z: Tensor) -> Tensor:
        return self.inner(self.first(z).view(-1, 16, 4, 4))


def standardised(steps: int, attach: Attach) -> Truth:
    """Images of mean 0 and deviation 1, G without a last function: ranges differ by design."""
    return loop_of(Linear(), ConvD(norm=False), steps, attach, reals=lambda step: 3 * data(N, step) + 2)


def from_zero_to_one(steps: int, attach: Attach) -> Truth:
    """Images in [0, 1], G ends in a sigmoid."""
    G = nn.Sequential(Linear(), nn.Sigmoid())
    return loop_of(G, ConvD(norm=False), steps, attach, reals=lambda step: (data(N, step).clamp(-1, 1) + 1) / 2)


class Translator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(1, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 1, 3, 1, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def conditional_translation(steps: int, attach: Attach) -> Truth:
    """pix2pix: D judges the condition and the image in one tensor of more channels; an L1 term; batches of two."""
    G = Translator()
    D = nn.Sequential(nn.Conv2d(2, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1))
    opt_g, opt_d = adam(G), adam(D)
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        target = data(2, step)
        source = F.avg_pool2d(target, 3, 1, 1)
        fake = G(source)
        opt_d.zero_grad()
        on_fake, on_real = D(torch.cat([source, fake.detach()], 1)), D(torch.cat([source, target], 1))
        ((bce(on_fake, False) + bce(on_real, True)) * 0.5).backward()
        opt_d.step()
        truth.real.append(on_real.detach().flatten(1).mean(1))
        truth.fake.append(on_fake.detach().flatten(1).mean(1))
        opt_g.zero_grad()
        (bce(D(torch.cat([source, fake], 1)), True) + 10 * (fake - target).abs().mean()).backward()
        opt_g.step()
    return truth


def cycle(steps: int, attach: Attach) -> Truth:
    """CycleGAN: two pairs in two optimisers, G is also called for the cycle and the identity; one pair is watched."""
    G, F_, D, other = Translator(), Translator(), nn.Conv2d(1, 1, 4, 2, 1), nn.Conv2d(1, 1, 4, 2, 1)
    opt_g = torch.optim.Adam([*G.parameters(), *F_.parameters()], 1e-3)
    opt_d, opt_other = adam(D), adam(other)
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, F_, D, other], [], [])
    for step in range(steps):
        a, b = data(2, step), -data(2, step + 1000)
        opt_g.zero_grad()
        fake_b, fake_a = G(a), F_(b)
        loss = (D(fake_b) - 1).square().mean() + (other(fake_a) - 1).square().mean()
        loss = loss + 10 * ((F_(fake_b) - a).abs().mean() + (G(fake_a) - b).abs().mean()) + 5 * (G(b) - b).abs().mean()
        loss.backward()
        opt_g.step()
        opt_d.zero_grad()
        on_real, on_fake = D(b), D(fake_b.detach())
        (((on_real - 1).square().mean() + on_fake.square().mean()) * 0.5).backward()
        opt_d.step()
        opt_other.zero_grad()
        ((other(a) - 1).square().mean() + other(fake_a.detach()).square().mean()).backward()
        opt_other.step()
        truth.real.append(on_real.detach().flatten(1).mean(1))
        truth.fake.append(on_fake.detach().flatten(1).mean(1))
    return truth


def pairs_with_codes(steps: int, attach: Attach) -> Truth:
    """BiGAN: D(z, x) judges pairs, reals with E(x), fakes with z."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.code, self.out = nn.Linear(256, 32), nn.Linear(8, 32), nn.Linear(32, 1)

        def forward(self, z: Tensor, x: Tensor) -> Tensor:
            return self.out(F.leaky_relu(self.image(x.flatten(1)) + self.code(z), 0.2))

    G, E, judge = ConvG(), nn.Sequential(nn.Flatten(), nn.Linear(256, 8)), D()
    opt_g, opt_d = torch.optim.Adam([*G.parameters(), *E.parameters()], 1e-3), adam(judge)
    attach(G, judge, opt_g, opt_d)
    truth = Truth([G, E, judge], [], [])
    for step in range(steps):
        real, z = data(N, step), torch.randn(N, 8)
        fake, code = G(z), E(real)
        on_real, on_fake = judge(code.detach(), real), judge(z, fake.detach())
        opt_d.zero_grad()
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        (bce(judge(code, real), False) + bce(judge(z, fake), True)).backward()
        opt_g.step()
        truth.real.append(on_real.detach().flatten())
        truth.fake.append(on_fake.detach().flatten())
    return truth


DATA: dict[str, Callable[[int, Attach], Truth]] = {
    loop.__name__: loop
    for loop in (
        points, numbers, tabular, packed, signals, volumes, tiny, one_by_one, standardised, from_zero_to_one,
        conditional_translation, cycle, pairs_with_codes,
    )
}  # fmt: skip
