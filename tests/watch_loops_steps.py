"""Loops that are unusual in how they step: closures, penalties, extra steps, shared optimisers, old and changed samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from watch_loops import Attach, ConvD, ConvG, Truth, adam, data
from watch_loops_networks import bce, loop_of

__all__ = ["STEPS"]

N = 16


def start(attach: Attach, G: nn.Module | None = None, D: nn.Module | None = None) -> tuple[Any, ...]:
    G, D = G or ConvG(), D or ConvD(norm=False)
    opt_g, opt_d = adam(G), adam(D)
    attach(G, D, opt_g, opt_d)
    return G, D, opt_g, opt_d, Truth([G, D], [], [])


def note(truth: Truth, on_real: Tensor, on_fake: Tensor) -> None:
    truth.real.append(on_real.detach().flatten().clone())
    truth.fake.append(on_fake.detach().flatten().clone())


def closures(steps: int, attach: Attach) -> Truth:
    """optimizer.step(closure) for both."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        z = torch.randn(N, 8)

        def of_d(z: Tensor = z, step: int = step) -> Tensor:
            opt_d.zero_grad()
            on_real, on_fake = D(data(N, step)), D(G(z).detach())
            note(truth, on_real, on_fake)
            loss = bce(on_real, True) + bce(on_fake, False)
            loss.backward()
            return loss

        def of_g(z: Tensor = z) -> Tensor:
            opt_g.zero_grad()
            loss = bce(D(G(z)), True)
            loss.backward()
            return loss

        opt_d.step(of_d)
        opt_g.step(closure=of_g)
    return truth


def reals_then_fakes(steps: int, attach: Attach) -> Truth:
    """D is stepped on reals, then on fakes."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        on_real = D(data(N, step))
        bce(on_real, True).backward()
        opt_d.step()
        opt_d.zero_grad()
        on_fake = D(G(torch.randn(N, 8)).detach())
        bce(on_fake, False).backward()
        opt_d.step()
        note(truth, on_real, on_fake)
        opt_g.zero_grad()
        bce(D(G(torch.randn(N, 8))), True).backward()
        opt_g.step()
    return truth


def one_optimizer(steps: int, attach: Attach) -> Truth:
    """One optimiser with two groups; both losses are differentiated for the weights that they are for."""
    G, D = ConvG(), ConvD(norm=False)
    opt = torch.optim.Adam([{"params": G.parameters()}, {"params": D.parameters(), "lr": 5e-4}], 1e-3)
    attach(G, D, opt, opt)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        opt.zero_grad()
        fake = G(torch.randn(N, 8))
        on_real, on_fake = D(data(N, step)), D(fake)
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward(inputs=list(D.parameters()), retain_graph=True)
        bce(on_fake, True).backward(inputs=list(G.parameters()))
        opt.step()
    return truth


def penalty_after_backward(steps: int, attach: Attach) -> Truth:
    """loss.backward(retain_graph=True), then R1 of the same scores, differentiated and added to the gradients."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        real = data(N, step).requires_grad_()
        on_real, on_fake = D(real), D(G(torch.randn(N, 8)).detach())
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward(retain_graph=True)
        (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        (0.5 * slope.square().flatten(1).sum(1).mean()).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(G(torch.randn(N, 8))), True).backward()
        opt_g.step()
    return truth


def lazy_steps(steps: int, attach: Attach) -> Truth:
    """StyleGAN 2: extra steps of D for R1 and of G for its path length, every few steps."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        on_real, on_fake = D(data(N, step)), D(G(torch.randn(N, 8)))
        note(truth, on_real, on_fake)
        (F.softplus(-on_real).mean() + F.softplus(on_fake).mean()).backward()
        opt_d.step()
        if step % 4 == 0:
            real = data(N, step).requires_grad_()
            (slope,) = torch.autograd.grad(D(real).sum(), real, create_graph=True)
            opt_d.zero_grad()
            (4 * slope.square().flatten(1).sum(1).mean()).backward()
            opt_d.step()
        opt_g.zero_grad()
        F.softplus(-D(G(torch.randn(N, 8)))).mean().backward()
        opt_g.step()
        if step % 4 == 0:
            z = torch.randn(4, 8, requires_grad=True)
            fake = G(z)
            (slope,) = torch.autograd.grad((fake * torch.randn_like(fake)).sum(), z, create_graph=True)
            opt_g.zero_grad()
            slope.square().sum(1).mean().backward()
            opt_g.step()
    return truth


def replay(steps: int, attach: Attach) -> Truth:
    """D is shown fakes from a pool of 50; half of them are old."""
    G, D, opt_g, opt_d, truth = start(attach)
    pool: list[Tensor] = []
    choice = torch.Generator().manual_seed(0)
    for step in range(steps):
        fake = G(torch.randn(N, 8))
        shown = []
        for image in fake.detach():
            if len(pool) < 50:
                pool.append(image)
                shown.append(image)
            elif torch.rand(1, generator=choice) < 0.5:
                at = int(torch.randint(50, (1,), generator=choice))
                shown.append(pool[at])
                pool[at] = image
            else:
                shown.append(image)
        opt_g.zero_grad()
        bce(D(fake), True).backward()
        opt_g.step()
        opt_d.zero_grad()
        on_real, on_fake = D(data(N, step)), D(torch.stack(shown))
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
    return truth


def without_detach(steps: int, attach: Attach) -> Truth:
    """D's step keeps the graph to G; G's gradients are set to zero afterwards."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad(set_to_none=False)
        on_real, on_fake = D(data(N, step)), D(G(torch.randn(N, 8)))
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
        opt_g.zero_grad(set_to_none=False)
        bce(D(G(torch.randn(N, 8))), True).backward()
        opt_g.step()
    return truth


def short_batches(steps: int, attach: Attach) -> Truth:
    """Epochs of 40 images: batches of 16, 16 and 8."""
    return loop_of(ConvG(), ConvD(norm=False), steps, attach, reals=lambda step: data((16, 16, 8)[step % 3], step))


def made_anew(steps: int, attach: Attach) -> Truth:
    """Optimisers are made anew in the middle."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        if step == steps // 2:
            opt_g, opt_d = adam(G, 5e-4), adam(D, 5e-4)
        opt_d.zero_grad()
        fake = G(torch.randn(N, 8))
        on_real, on_fake = D(data(N, step)), D(fake.detach())
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(fake), True).backward()
        opt_g.step()
    return truth


def relativistic_average(steps: int, attach: Attach) -> Truth:
    """Both losses compare reals with the mean of fakes, and G's moves reals too."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        real, fake = data(N, step), G(torch.randn(N, 8))
        opt_d.zero_grad()
        on_real, on_fake = D(real), D(fake.detach())
        note(truth, on_real, on_fake)
        (bce(on_real - on_fake.mean(), True) + bce(on_fake - on_real.mean(), False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        on_real, on_fake = D(real), D(fake)
        (bce(on_fake - on_real.mean(), True) + bce(on_real - on_fake.mean(), False)).backward()
        opt_g.step()
    return truth


def noisy(images: Tensor) -> Tensor:
    return torch.roll(images, int(torch.randint(5, (1,))), 3) + 0.1 * torch.randn_like(images)


def augmented(steps: int, attach: Attach) -> Truth:
    """Real and fake are augmented with fresh random numbers each time, after they are detached."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        fake = G(torch.randn(N, 8))
        on_real, on_fake = D(noisy(data(N, step))), D(noisy(fake.detach()))
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(noisy(G(torch.randn(N, 8)))), True).backward()
        opt_g.step()
    return truth


def consistent(steps: int, attach: Attach) -> Truth:
    """Consistency regularisation: D also gets augmented reals, whose scores are to equal those of the reals."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        real, fake = data(N, step), G(torch.randn(N, 8))
        on_real, on_other, on_fake = D(real), D(noisy(real)), D(fake.detach())
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False) + (on_real - on_other).square().mean()).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(fake), True).backward()
        opt_g.step()
    return truth


def in_one_batch(steps: int, attach: Attach) -> Truth:
    """Real and fake in one batch, least squares, three micro-batches for each step."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        reals, fakes = [], []
        for part in range(3):
            both = torch.cat([data(8, 3 * step + part), G(torch.randn(8, 8)).detach()])
            out = D(both)
            ((out - torch.tensor([1.0] * 8 + [0.0] * 8)[:, None]).square().mean() / 3).backward()
            reals.append(out[:8].detach())
            fakes.append(out[8:].detach())
        note(truth, torch.cat(reals), torch.cat(fakes))
        opt_d.step()
        opt_g.zero_grad()
        (D(G(torch.randn(N, 8))) - 1).square().mean().backward()
        opt_g.step()
    return truth


def recomputed(steps: int, attach: Attach) -> Truth:
    """D runs under checkpointing, which calls it again in the backward pass."""
    D = ConvD(norm=False)
    return loop_of(ConvG(), D, steps, attach, call_d=lambda x: checkpoint(D, x, use_reentrant=False))


def several_turns(steps: int, attach: Attach) -> Truth:
    """Two steps of G for one of D, and G stepped first."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps // 2):
        for _ in range(2):
            opt_g.zero_grad()
            bce(D(G(torch.randn(N, 8))), True).backward()
            opt_g.step()
            note(truth, torch.empty(0), torch.empty(0))
        opt_d.zero_grad()
        on_real, on_fake = D(data(N, step)), D(G(torch.randn(N, 8)).detach())
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
    return truth


def validating(steps: int, attach: Attach) -> Truth:
    """Scores are also computed without a loss, previews are drawn in eval mode, D is evaluated on other reals."""
    G, D, opt_g, opt_d, truth = start(attach)
    for step in range(steps):
        opt_d.zero_grad()
        fake = G(torch.randn(N, 8))
        on_real, on_fake = D(data(N, step)), D(fake.detach())
        D(data(N, step + 10**6)).mean()
        note(truth, on_real, on_fake)
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(fake), True).backward()
        opt_g.step()
        G.eval()
        with torch.inference_mode():
            G(torch.zeros(4, 8))
            D(data(4, step))
        G.train()
    return truth


STEPS: dict[str, Callable[[int, Attach], Truth]] = {
    loop.__name__: loop
    for loop in (
        closures, reals_then_fakes, one_optimizer, penalty_after_backward, lazy_steps, replay, without_detach, short_batches,
        made_anew, relativistic_average, augmented, consistent, in_one_batch, recomputed, several_turns, validating,
    )
}  # fmt: skip
