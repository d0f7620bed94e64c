"""Loops that are unusual in what the networks take, return and keep."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watch_loops import Attach, ConvD, ConvG, Truth, adam, data

__all__ = ["NETWORKS"]

N = 16
Score = Callable[[Any], Tensor]


class Body(nn.Module):
    """Features (N, 32) of images 16x16."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 4, 2, 1)
        self.map = nn.Conv2d(8, 8, 4, 2, 1)
        self.out = nn.Linear(128, 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.leaky_relu(self.map(F.leaky_relu(self.conv(x), 0.2)), 0.2).flatten(1))


def bce(score: Tensor, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, float(real)))


def loop_of(
    G: nn.Module, D: nn.Module, steps: int, attach: Attach, *, call_g: Callable[[int], Tensor] | None = None,
    call_d: Callable[[Tensor], Any] | None = None, score: Score = lambda out: out,
    more: Callable[[Any, bool], Tensor] | None = None, loss: Callable[[Tensor, bool], Tensor] = bce,
    extra: tuple[nn.Module, ...] = (), reals: Callable[[int], Tensor] = lambda step: data(N, step),
    after: Callable[[int], None] = lambda step: None,
) -> Truth:  # fmt: skip
    """The usual loop, with one thing that is not: how G and D are called, what the score is, further terms of the loss."""
    make = call_g or (lambda n: G(torch.randn(n, 8)))
    judge = call_d or D
    opt_g = adam(G)
    opt_d = torch.optim.Adam([p for m in (D, *extra) for p in m.parameters() if p.requires_grad], 1e-3, (0.5, 0.999))
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D, *extra], [], [])
    for step in range(steps):
        real = reals(step)
        opt_d.zero_grad()
        fake = make(len(real))
        on_real, on_fake = judge(real), judge(fake.detach())
        total = loss(score(on_real), True) + loss(score(on_fake), False)
        if more is not None:
            total = total + more(on_real, True) + more(on_fake, False)
        truth.real.append(score(on_real).detach().flatten(1).mean(1))
        truth.fake.append(score(on_fake).detach().flatten(1).mean(1))
        total.backward()
        opt_d.step()
        opt_g.zero_grad()
        out = judge(fake)
        (loss(score(out), True) + (more(out, True) if more is not None else 0)).backward()
        opt_g.step()
        after(step)
    return truth


def class_term(at: int) -> Callable[[Any, bool], Tensor]:
    return lambda out, real: F.cross_entropy(out[at], torch.arange(len(out[at])) % out[at].shape[1])


def auxiliary_classes(steps: int, attach: Attach) -> Truth:
    """AC-GAN: a map of scores (N, 1, 4, 4) beside class logits (N, 3), which are fewer values."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.map, self.classes = nn.Conv2d(1, 8, 4, 4), nn.Conv2d(8, 1, 1), nn.Linear(128, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = F.leaky_relu(self.body(x), 0.2)
            return self.map(h), self.classes(h.flatten(1))

    return loop_of(ConvG(), D(), steps, attach, score=lambda out: out[0], more=class_term(1))


def embedding_beside(steps: int, attach: Attach) -> Truth:
    """D returns a dict with an embedding, class logits and the score, which is computed from the embedding."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.score, self.classes = Body(), nn.Linear(32, 1), nn.Linear(32, 2)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            h = self.body(x)
            return {"classes": self.classes(h), "embedding": h, "score": self.score(h)}

    return loop_of(ConvG(), D(), steps, attach, score=lambda out: out["score"], more=class_term("classes"))  # type: ignore[arg-type]


def fake_as_a_class(steps: int, attach: Attach) -> Truth:
    """K + 1 classes, the last is that of fakes; cross-entropy."""
    D = nn.Sequential(Body(), nn.LeakyReLU(0.2), nn.Linear(32, 4))

    def loss(score: Tensor, real: bool) -> Tensor:
        return F.cross_entropy(score, torch.arange(N) % 3 if real else torch.full((N,), 3))

    truth = loop_of(ConvG(), D, steps, attach, loss=loss)
    truth.real.clear()
    truth.fake.clear()
    return truth


def sum_of_classes(steps: int, attach: Attach) -> Truth:
    """Semi-supervised, Salimans et al. 2016: D(x) = Z / (Z + 1), Z the sum of exp of K class logits."""
    D = nn.Sequential(Body(), nn.LeakyReLU(0.2), nn.Linear(32, 5))
    return loop_of(ConvG(), D, steps, attach, score=lambda out: out.logsumexp(1, keepdim=True))


def features_only(steps: int, attach: Attach) -> Truth:
    """What is passed as D returns features; the last layer is elsewhere."""
    head = nn.Linear(32, 1)
    return loop_of(ConvG(), Body(), steps, attach, score=head, extra=(head,))


def several_scales(steps: int, attach: Attach) -> Truth:
    """D returns, for two scales, its features and a map of scores; hinge loss on the maps."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.ModuleList([nn.Conv2d(1, 8, 4, 2, 1) for _ in range(2)])
            self.last = nn.ModuleList([nn.Conv2d(8, 1, 3, 1, 1) for _ in range(2)])

        def forward(self, x: Tensor) -> list[list[Tensor]]:
            found = []
            for first, last in zip(self.first, self.last, strict=True):
                h = F.leaky_relu(first(x), 0.2)
                found.append([h, last(h)])
                x = F.avg_pool2d(x, 2)
            return found

    def score(out: list[list[Tensor]]) -> Tensor:
        return torch.stack([scale[-1].flatten(1).mean(1) for scale in out], 1)

    def hinge(scores: Tensor, real: bool) -> Tensor:
        return F.softplus(-scores if real else scores).mean()

    return loop_of(ConvG(), D(), steps, attach, score=score, loss=hinge)


def stacked(steps: int, attach: Attach) -> Truth:
    """Three discriminators in one module, whose scores are stacked: (3, N, 1)."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList([ConvD(norm=False) for _ in range(3)])

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([member(x) for member in self.members])

    return loop_of(ConvG(), D(), steps, attach, score=lambda out: out.mean(0))


def image_among_outputs(steps: int, attach: Attach) -> Truth:
    """G returns a larger noise map, the image and w; D is shown the image."""

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ConvG()

        def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            image = self.inner(z)
            return F.interpolate(image, scale_factor=2.0), image, z

    g = G()
    return loop_of(g, ConvD(norm=False), steps, attach, call_g=lambda n: g(torch.randn(n, 8))[1])


def by_keyword(steps: int, attach: Attach) -> Truth:
    """G(z=..., labels=...) and D(x=..., labels=...)."""
    G, D = ConvG(classes=3), ConvD(norm=False, labels=3)
    labels = torch.arange(N) % 3
    return loop_of(
        G, D, steps, attach, call_g=lambda n: G(labels=labels, z=torch.randn(n, 8)), call_d=lambda x: D(x=x, labels=labels)
    )  # fmt: skip


def list_of_latents(steps: int, attach: Attach) -> Truth:
    """StyleGAN in PyTorch: G([z1, z2], inject_index=1) with style mixing; noise inside."""

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ConvG()

        def forward(self, styles: list[Tensor], inject_index: int = 0) -> tuple[Tensor, None]:
            z = (
                styles[0]
                if len(styles) == 1 or not inject_index
                else torch.cat([styles[0][:, :4], styles[1][:, 4:]], 1)
            )
            return self.inner(z + 0.01 * torch.randn_like(z)), None

    g = G()
    return loop_of(
        g, ConvD(norm=False), steps, attach, call_g=lambda n: g([torch.randn(n, 8), torch.randn(n, 8)], inject_index=1)[0]
    )  # fmt: skip


def labels_first(steps: int, attach: Attach) -> Truth:
    """G(labels, z), with another batch of latents for G's own step."""

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ConvG(classes=3)

        def forward(self, labels: Tensor, z: Tensor) -> Tensor:
            return self.inner(z, labels)

    g, labels = G(), torch.arange(N) % 3
    return loop_of(g, ConvD(norm=False), steps, attach, call_g=lambda n: g(labels, torch.randn(n, 8)))


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mapping, self.synthesis = nn.Linear(8, 8), ConvG()

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesis(self.mapping(z))


def by_parts(steps: int, attach: Attach) -> Truth:
    """G.mapping(z), then G.synthesis(w)."""
    G = Parts()
    return loop_of(G, ConvD(norm=False), steps, attach, call_g=lambda n: G.synthesis(G.mapping(torch.randn(n, 8))))


def forward_itself(steps: int, attach: Attach) -> Truth:
    """G.forward(z) and D.forward(x), which no hook on G and D sees."""
    G, D = Parts(), ConvD(norm=False)
    return loop_of(G, D, steps, attach, call_g=lambda n: G.forward(torch.randn(n, 8)), call_d=D.forward)


def in_a_list(steps: int, attach: Attach) -> Truth:
    """Networks in a ModuleList, of which one is trained."""
    Gs, Ds = nn.ModuleList([ConvG(), ConvG()]), nn.ModuleList([ConvD(norm=False)])
    return loop_of(Gs, Ds, steps, attach, call_g=lambda n: Gs[1](torch.randn(n, 8)), call_d=Ds[0])


class Plain(nn.Module):
    """Autoencoder."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 256))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).view_as(x)


def energy(steps: int, attach: Attach) -> Truth:
    """EBGAN: D is an autoencoder, its error is low on reals."""
    D = Plain()

    def judged(x: Tensor) -> Tensor:
        return (D(x) - x).abs().flatten(1).mean(1, keepdim=True)

    def loss(score: Tensor, real: bool) -> Tensor:
        return score.mean() if real else F.relu(2 - score).mean()

    return loop_of(ConvG(), D, steps, attach, call_d=judged, loss=loss)


def low_on_reals(steps: int, attach: Attach) -> Truth:
    """A critic that is trained to be low on reals."""

    def loss(score: Tensor, real: bool) -> Tensor:
        return score.mean() if real else -score.mean()

    return loop_of(ConvG(), ConvD(norm=False), steps, attach, loss=loss)


class PowerIteration(nn.Module):
    """Spectral norm as it is often copied: the vector is a parameter without gradient, written through .data in each forward
    pass, and the weight is a plain attribute."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        weight = module.weight
        del module._parameters["weight"]
        module.register_parameter("weight_bar", nn.Parameter(weight.data))
        module.register_parameter("weight_u", nn.Parameter(F.normalize(torch.randn(len(weight)), dim=0), False))

    def forward(self, *args: Any) -> Any:
        u, bar = self.module.weight_u, self.module.weight_bar
        matrix = bar.view(len(bar), -1)
        v = F.normalize(matrix.data.t() @ u.data, dim=0)
        u.data = F.normalize(matrix.data @ v, dim=0)
        self.module.weight = bar / u.dot(matrix @ v)
        return self.module(*args)


def power_iteration(steps: int, attach: Attach) -> Truth:
    D = nn.Sequential(
        PowerIteration(nn.Conv2d(1, 8, 4, 2, 1)), nn.LeakyReLU(0.1), nn.Flatten(), PowerIteration(nn.Linear(512, 1))
    )  # fmt: skip
    return loop_of(ConvG(), D, steps, attach)


COUNTED = {"calls": 0}


class Keeper(nn.Module):
    """Keeps state in every place that a forward pass can reach."""

    total = 0

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.calls, self.cache, self.history = inner, 0, {}, []  # type: ignore[var-annotated]
        self.loose = [nn.BatchNorm2d(1)]
        self.noise = torch.Generator().manual_seed(5)
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        COUNTED["calls"] += 1
        Keeper.total += 1
        self.calls += 1
        self.history.append(self.calls)
        self.cache[len(x)] = self.calls
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        noise = torch.randn(x.shape, generator=self.noise)
        fade = 0.1 / (1 + self.calls + COUNTED["calls"] + len(self.history) + Keeper.total)
        out = self.inner(x + fade * (noise + self.mean))
        return self.loose[0](out) if out.ndim == 4 else out


def keeps_state(steps: int, attach: Attach) -> Truth:
    """Counters, caches, a generator of random numbers, a class attribute, a global and a module that is in a plain list."""
    COUNTED["calls"] = Keeper.total = 0
    return loop_of(Keeper(ConvG()), Keeper(ConvD(norm=False)), steps, attach)


class Iterating(nn.Module):
    """Takes its noise level from an iterator, which nobody can set back."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.levels = ConvG(), (1 / n for n in range(1, 10**9))

    def forward(self, z: Tensor) -> Tensor:
        return self.inner(z + next(self.levels))


def iterator_inside(steps: int, attach: Attach) -> Truth:
    return loop_of(Iterating(), ConvD(norm=False), steps, attach)


def growing(steps: int, attach: Attach) -> Truth:
    """Progressive growing: images of 8 pixels, then of 16; G(z, depth, alpha) and D(x, depth, alpha)."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ConvD(norm=False)

        def forward(self, x: Tensor, depth: int, alpha: float) -> Tensor:
            return self.inner(alpha * (F.interpolate(x, scale_factor=2.0) if depth == 0 else x))

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ConvG()

        def forward(self, z: Tensor, depth: int, alpha: float) -> Tensor:
            return (F.avg_pool2d(self.inner(z), 2) if depth == 0 else self.inner(z)) * alpha

    g, d, at = G(), D(), {"depth": 0, "alpha": 1.0}

    def after(step: int) -> None:
        at["depth"] = int(step >= steps // 2)

    return loop_of(
        g, d, steps, attach, call_g=lambda n: g(torch.randn(n, 8), at["depth"], at["alpha"]),
        call_d=lambda x: d(x, at["depth"], alpha=at["alpha"]), after=after,
        reals=lambda step: F.avg_pool2d(data(N, step), 2) if at["depth"] == 0 else data(N, step),
    )  # fmt: skip


class Marked(Tensor):
    """A subclass of Tensor."""


def tensor_subclass(steps: int, attach: Attach) -> Truth:
    G = ConvG()
    return loop_of(
        G, ConvD(norm=False), steps, attach, call_g=lambda n: G(torch.randn(n, 8).as_subclass(Marked)).as_subclass(Tensor)
    )  # fmt: skip


def batch_mean(steps: int, attach: Attach) -> Truth:
    """D returns one number for a batch, as in the first implementation of WGAN; weights are clipped."""

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ConvD(norm=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x).mean(0).view(1)

    d = D()

    def clip(step: int) -> None:
        for weight in d.parameters():
            weight.data.clamp_(-0.1, 0.1)

    return loop_of(
        ConvG(), d, steps, attach, score=lambda out: out[:, None], loss=lambda s, real: -s.mean() if real else s.mean(),
        after=clip,
    )  # fmt: skip


def copied_and_saved(steps: int, attach: Attach) -> Truth:
    """An average of G by deepcopy, AveragedModel, pickles and TorchScript in the loop."""
    G = Scriptable()
    kept: list[Any] = []

    def after(step: int) -> None:
        import io

        twin = copy.deepcopy(G)
        average = torch.optim.swa_utils.AveragedModel(G)
        average.update_parameters(G)
        with torch.no_grad():
            kept.append((twin(torch.zeros(2, 8)), average(torch.zeros(2, 8))))
        file = io.BytesIO()
        torch.save(G, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        with torch.no_grad():
            kept.append(loaded(torch.zeros(2, 8)))
        del kept[:-2]
        assert len(twin._forward_hooks) == 0

    return loop_of(G, ConvD(norm=False), steps, attach, after=after)


class Scriptable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 256), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.inner(z).view(-1, 1, 16, 16)


NETWORKS: dict[str, Callable[[int, Attach], Truth]] = {
    loop.__name__: loop
    for loop in (
        auxiliary_classes, embedding_beside, fake_as_a_class, sum_of_classes, features_only, several_scales, stacked,
        image_among_outputs, by_keyword, list_of_latents, labels_first, by_parts, forward_itself, in_a_list, energy,
        low_on_reals, power_iteration, keeps_state, iterator_inside, growing, tensor_subclass, batch_mean, copied_and_saved,
    )
}  # fmt: skip
