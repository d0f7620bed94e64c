"""Training loops as people write them, each in another style. None of them knows that it is watched.

Each takes a number of steps and a function that is given (G, D, optimiser of G, optimiser of D) before the first step,
and returns the truth: for each step of G, D's logits on real and on fake as the loop itself had them.
The plain ones are here; `watch_loops_networks`, `watch_loops_steps` and `watch_loops_data` have those that are unusual in what
the networks take and return, in how they step, and in what they generate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LOOPS", "Truth"]

Attach = Callable[[nn.Module, nn.Module, Any, Any], None]


class Truth(NamedTuple):
    networks: list[nn.Module]
    real: list[Tensor]
    """Logits of each step of G."""
    fake: list[Tensor]


def data(n: int, step: int) -> Tensor:
    """Images (n, 1, 16, 16) of a bright square somewhere on black."""
    random = torch.Generator().manual_seed(step)
    images = torch.full((n, 1, 16, 16), -1.0)
    for i, (y, x) in enumerate(torch.randint(2, 9, (n, 2), generator=random).tolist()):
        images[i, 0, y : y + 5, x : x + 5] = 0.9
    return images + 0.05 * torch.randn(images.shape, generator=random)


class ConvG(nn.Module):
    def __init__(self, classes: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, 8) if classes else None
        self.first = nn.Linear(8 + (8 if classes else 0), 16 * 16)
        self.body = nn.Sequential(
            nn.BatchNorm2d(16), nn.ReLU(True), nn.Dropout(dropout), nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.BatchNorm2d(8),
            nn.ReLU(True), nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        z = z.flatten(1)
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], 1)
        return self.body(self.first(z).view(-1, 16, 4, 4))


class ConvD(nn.Module):
    """Returns logits (N, 1), probabilities, or (logit, classes)."""

    def __init__(self, sigmoid: bool = False, classes: int = 0, norm: bool = True, labels: int = 0) -> None:
        super().__init__()
        normal = [nn.BatchNorm2d(16)] if norm else []
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2, True), nn.Conv2d(8, 16, 4, 2, 1), *normal, nn.LeakyReLU(0.2, True),
            nn.Flatten(),
        )  # fmt: skip
        self.logit = nn.Linear(256, 1)
        self.classes = nn.Linear(256, classes) if classes else None
        self.labels = nn.Embedding(labels, 256) if labels else None
        self.sigmoid = nn.Sigmoid() if sigmoid else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        features = self.body(x)
        if self.labels is not None:
            features = features * (1 + self.labels(labels))
        logit = self.logit(features)
        if self.sigmoid is not None:
            logit = self.sigmoid(logit)
        return logit if self.classes is None else (self.classes(features), logit)


def adam(network: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr, (0.5, 0.999))


def tutorial(steps: int, attach: Attach) -> Truth:
    """The DCGAN tutorial: two backward passes of D, z of shape (N, Z, 1, 1), previews under no_grad, logging."""
    G, D = ConvG(), ConvD()
    opt_g, opt_d, loss = adam(G), adam(D), nn.BCEWithLogitsLoss()
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        real = data(16, step)
        D.zero_grad()
        output = D(real).view(-1)
        truth.real.append(output.detach().clone())
        loss(output, torch.ones(16)).backward()
        fake = G(torch.randn(16, 8, 1, 1))
        output = D(fake.detach()).view(-1)
        truth.fake.append(output.detach().clone())
        loss(output, torch.zeros(16)).backward()
        opt_d.step()
        G.zero_grad()
        loss(D(fake).view(-1), torch.ones(16)).backward()
        opt_g.step()
        if step % 5 == 0:
            with torch.no_grad():
                G(torch.randn(4, 8, 1, 1))
                D(real)
    return truth


def together(steps: int, attach: Attach) -> Truth:
    """G first, then D with real and fake in one batch; D ends in a sigmoid; BCE on probabilities."""
    G, D = ConvG(), ConvD(sigmoid=True, norm=False)
    opt_g, opt_d, loss = adam(G), adam(D), nn.BCELoss()
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        real = data(16, step)
        opt_g.zero_grad()
        fake = G(torch.randn(16, 8))
        loss(D(fake), torch.ones(16, 1)).backward()
        opt_g.step()
        opt_d.zero_grad()
        output = D(torch.cat([real, fake.detach()]))
        truth.real.append(torch.logit(output[:16, 0].detach()))
        truth.fake.append(torch.logit(output[16:, 0].detach()))
        loss(output, torch.cat([torch.ones(16, 1), torch.zeros(16, 1)])).backward()
        opt_d.step()
    return truth


def wgan_gp(steps: int, attach: Attach) -> Truth:
    """Five critic steps, D's gradient at interpolates, requires_grad switched on and off, G under no_grad for D, RMSprop."""
    G, D = ConvG(), ConvD(norm=False)
    opt_g, opt_d = torch.optim.RMSprop(G.parameters(), 1e-3), torch.optim.RMSprop(D.parameters(), 1e-3)
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        D.requires_grad_(True)
        reals, fakes = [], []
        for turn in range(5):
            real = data(8, 5 * step + turn)
            with torch.no_grad():
                fake = G(torch.randn(8, 8))
            on_real, on_fake = D(real), D(fake)
            alpha = torch.rand(8, 1, 1, 1)
            middle = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
            (slope,) = torch.autograd.grad(D(middle).sum(), middle, create_graph=True)
            opt_d.zero_grad()
            (on_fake.mean() - on_real.mean() + 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()).backward()
            opt_d.step()
            reals.append(on_real.detach().flatten())
            fakes.append(on_fake.detach().flatten())
        truth.real.append(torch.cat(reals))
        truth.fake.append(torch.cat(fakes))
        D.requires_grad_(False)
        opt_g.zero_grad()
        (-D(G(torch.randn(8, 8))).mean()).backward()
        opt_g.step()
    return truth


def conditional(steps: int, attach: Attach) -> Truth:
    """Labels ride along, D returns (classes, logit), two micro-batches for each step, DataParallel around both."""
    G, D = nn.DataParallel(ConvG(classes=3, dropout=0.1)), nn.DataParallel(ConvD(classes=3))
    opt_g, opt_d, loss = adam(G), adam(D), nn.BCEWithLogitsLoss()
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        opt_d.zero_grad()
        reals, fakes = [], []
        for part in range(2):
            real, labels = data(8, 2 * step + part), torch.arange(8) % 3
            classes, logit = D(real)
            fake_logit = D(G(torch.randn(8, 8), labels).detach())[1]
            (
                loss(logit, torch.ones(8, 1)) + F.cross_entropy(classes, labels) + loss(fake_logit, torch.zeros(8, 1))
            ).backward()
            reals.append(logit.detach().flatten())
            fakes.append(fake_logit.detach().flatten())
        opt_d.step()
        truth.real.append(torch.cat(reals))
        truth.fake.append(torch.cat(fakes))
        opt_g.zero_grad()
        for _ in range(2):
            labels = torch.arange(8) % 3
            classes, logit = D(G(torch.randn(8, 8), labels))
            (loss(logit, torch.ones(8, 1)) + F.cross_entropy(classes, labels)).backward()
        opt_g.step()
    return truth


def mixed_precision(steps: int, attach: Attach) -> Truth:
    """Compiled networks, autocast and a GradScaler, two steps of G for one of D, hinge loss."""
    G, D = torch.compile(ConvG(), backend="eager"), torch.compile(ConvD(), backend="eager")
    opt_g, opt_d = adam(G), adam(D)
    scaler_g, scaler_d = (torch.amp.GradScaler("cpu", init_scale=64.0) for _ in range(2))
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        opt_d.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            fake = G(torch.randn(16, 8))
            on_real, on_fake = D(data(16, step)), D(fake.detach())
            loss = F.relu(1 - on_real.float()).mean() + F.relu(1 + on_fake.float()).mean()
        scaler_d.scale(loss).backward()
        scaler_d.step(opt_d)
        scaler_d.update()
        for turn in range(2):
            truth.real.append(on_real.detach().float().flatten() if turn == 0 else torch.empty(0))
            truth.fake.append(on_fake.detach().float().flatten() if turn == 0 else torch.empty(0))
            opt_g.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = -D(G(torch.randn(16, 8))).float().mean()
            scaler_g.scale(loss).backward()
            scaler_g.step(opt_g)
            scaler_g.update()
    return truth


def flat_with_r1(steps: int, attach: Attach) -> Truth:
    """Fully connected, flat images, relativistic pairs, R1 on the very batch of reals, no graph kept of the fakes."""
    G = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 256), nn.Tanh())
    D = nn.Sequential(nn.Linear(256, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Flatten(0))
    opt_g, opt_d = adam(G), adam(D)
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        real = data(16, step).flatten(1).requires_grad_(True)
        fake = G(torch.randn(16, 8))
        on_real, on_fake = D(real), D(fake.detach())
        (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        opt_d.zero_grad()
        (F.softplus(on_fake - on_real).mean() + 0.1 * slope.square().sum(1).mean()).backward()
        opt_d.step()
        truth.real.append(on_real.detach())
        truth.fake.append(on_fake.detach())
        opt_g.zero_grad()
        F.softplus(D(real.detach()).detach() - D(fake)).mean().backward()
        opt_g.step()
    return truth


def projection(steps: int, attach: Attach) -> Truth:
    """D is given the labels by name, as `D(images, labels=labels)`; both losses are computed before either step."""
    G, D = ConvG(classes=3), ConvD(norm=False, labels=3)
    opt_g, opt_d, loss = adam(G), adam(D), nn.BCEWithLogitsLoss()
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    for step in range(steps):
        labels = torch.arange(16) % 3
        fake = G(torch.randn(16, 8), labels)
        on_real, on_fake = D(data(16, step), labels=labels), D(fake.detach(), labels=labels)
        loss_g = loss(D(fake, labels=labels), torch.ones(16, 1))
        loss_d = loss(on_real, torch.ones(16, 1)) + loss(on_fake, torch.zeros(16, 1))
        opt_g.zero_grad()
        loss_g.backward()
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        opt_g.step()
        truth.real.append(on_real.detach().flatten())
        truth.fake.append(on_fake.detach().flatten())
    return truth


LOOPS: dict[str, Callable[[int, Attach], Truth]] = {
    loop.__name__: loop
    for loop in (tutorial, together, wgan_gp, conditional, mixed_precision, flat_with_r1, projection)
}
