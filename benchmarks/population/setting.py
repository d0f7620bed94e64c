"""What a loop of the population is run with: data, budget, and the one thing that is changed about it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

import ganglion

__all__ = ["Change", "Images", "Players", "Setting"]

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)


@dataclass(frozen=True)
class Images:
    """A data set: uint8 (N, C, S, S), and classes (N,) where there are any."""

    name: str
    pixels: Tensor
    labels: Tensor | None

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def size(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def classes(self) -> int:
        return 0 if self.labels is None else int(self.labels.max()) + 1


@dataclass
class Players:
    """What a loop has made, for changes in the midst of a training."""

    G: nn.Module
    D: nn.Module
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer


Event = Callable[[float, Players], None]
"""Called before each step with the share of the budget that is gone."""


@dataclass(frozen=True)
class Change:
    """Everything that an intervention can change in a loop; the defaults change nothing."""

    lr_g: float = 1.0
    lr_d: float = 1.0
    """Factors of the loop's own rates."""
    weights: Callable[[nn.Module], None] | None = None
    """In place of the loop's own first weights; applied to each layer."""
    without_norms: str = ""
    """Of g, d or gd."""
    width_g: float = 1.0
    width_d: float = 1.0
    z_dim: int | None = None
    z: Callable[[Tensor], Tensor] = lambda z: z
    real: Callable[[Tensor, float], Tensor] = lambda images, share: images
    """Of reals in [-1, 1], and the share of the budget that is gone."""
    label_for_g: float | None = None
    """The label that G is trained on, where the loop has labels."""
    wrong_labels: float = 0.0
    """Share of D's labels that are swapped."""
    saturating: bool = False
    d_steps: int | None = None
    g_steps: int = 1
    batch: int | None = None
    images: int | None = None
    crosstalk: str = ""
    """The player whose optimiser was given the weights of both."""
    keep_gradients: str = ""
    """Players whose gradients are never zeroed."""
    detach: str = "as it should be"
    """forgotten: D's loss moves G. too much: no gradient reaches G."""
    stale: int = 0
    """D is shown the fakes of so many steps ago."""
    evaluating_g: bool = False
    momentum: float | None = None
    """Of all batch norms."""
    last: Callable[[], nn.Module] = nn.Tanh
    clip: float | None = None
    penalty: float | None = None
    event: Event = lambda share, players: None


@dataclass
class Setting:
    """One run of a loop."""

    images: Images
    change: Change
    seed: int
    out: Path
    seconds: float
    """CPU time after which it ends, where `steps` is not given; with `steps`, the most that it may take."""
    steps: int | None = None
    done: int = 0
    players: Players | None = None
    monitor: ganglion.Monitor | None = None
    sampling: Callable[[int], Tensor] | None = None
    """How the loop draws n samples."""
    _old: deque[Tensor] = field(default_factory=deque)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self._random = np.random.default_rng(self.seed)
        self._started = time.process_time()
        count = len(self.images.pixels)
        chosen = np.random.default_rng(self.seed + 1).permutation(count)[: self.change.images or count]
        self._chosen = torch.from_numpy(np.sort(chosen))

    # What a loop asks for

    @property
    def share(self) -> float:
        """Of the budget that is gone."""
        spent = (time.process_time() - self._started) / self.seconds
        return spent if self.steps is None else max(self.done / self.steps, spent / 3)

    def width(self, player: str, usual: int) -> int:
        return max(2, round(usual * (self.change.width_g if player == "g" else self.change.width_d)))

    def z_dim(self, usual: int) -> int:
        return self.change.z_dim or usual

    def latents(self, n: int, dim: int) -> Tensor:
        """(N, Z)."""
        return self.change.z(torch.randn(n, self.z_dim(dim)))

    def last(self) -> nn.Module:
        return self.change.last()

    def batch(self, usual: int) -> int:
        return self.change.batch or usual

    def adapt(self, G: nn.Module, D: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The players with what is changed about them."""
        for name, network in (("g", G), ("d", D)):
            if name in self.change.without_norms:
                _drop_norms(network)
            if self.change.weights is not None:
                network.apply(self.change.weights)
            if self.change.momentum is not None:
                for layer in network.modules():
                    if isinstance(layer, NORMS):
                        layer.momentum = self.change.momentum
        return G, D

    def optimizers(
        self, make: Callable[[Any, float], torch.optim.Optimizer], lr_g: float, lr_d: float,
        make_d: Callable[[Any, float], torch.optim.Optimizer] | None = None,
    ) -> Callable[[nn.Module, nn.Module], tuple[torch.optim.Optimizer, torch.optim.Optimizer]]:  # fmt: skip
        """From the players to their optimisers."""

        def both(G: nn.Module, D: nn.Module) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
            everything = [*G.parameters(), *D.parameters()]
            g = everything if self.change.crosstalk == "g" else list(G.parameters())
            d = everything if self.change.crosstalk == "d" else list(D.parameters())
            return make(g, lr_g * self.change.lr_g), (make_d or make)(d, lr_d * self.change.lr_d)

        return both

    def watch(
        self, G: nn.Module, D: nn.Module, optimizer_g: Any, optimizer_d: Any, sampling: Callable[[int], Tensor]
    ) -> ganglion.Monitor:
        self.players, self.sampling = Players(G, D, optimizer_g, optimizer_d), sampling
        every = 25 if self.steps is None else max(5, self.steps // 60)
        self._started = time.process_time()
        self.monitor = ganglion.watch(G, D, optimizer_g, optimizer_d, every=every, out=self.out, say=lambda text: None)
        return self.monitor

    def going_on(self) -> bool:
        """Asked before each step of the loop; changes in the midst happen here."""
        assert self.players is not None
        if self.share >= 1:
            return False
        self.change.event(self.share, self.players)
        if self.change.evaluating_g:
            self.players.G.eval()
        self.done += 1
        return True

    def reals(self, usual: int) -> tuple[Tensor, Tensor]:
        """A batch (N, C, S, S) in [-1, 1] as D is shown it, and classes (N,), zeros where there are none."""
        picked = self._chosen[torch.from_numpy(self._random.integers(0, len(self._chosen), self.batch(usual)))]
        labels = (
            torch.zeros(len(picked), dtype=torch.int64) if self.images.labels is None else self.images.labels[picked]
        )
        return self.change.real(self.images.pixels[picked].float() / 127.5 - 1, self.share), labels

    def for_d(self, fake: Tensor) -> Tensor:
        """G's images as D's step gets them."""
        if self.change.detach != "forgotten":
            fake = fake.detach()
        if not self.change.stale:
            return fake
        self._old.append(fake.detach())
        return self._old.popleft() if len(self._old) > self.change.stale else self._old[0]

    def for_g(self, fake: Tensor) -> Tensor:
        """G's images as G's step gets them."""
        if self.change.detach == "too much":
            return fake.detach() + 0 * fake.sum()
        return fake

    def zero(self, player: str, optimizer: torch.optim.Optimizer) -> None:
        if player not in self.change.keep_gradients:
            optimizer.zero_grad()

    def targets(self, n: int, real: bool) -> Tensor:
        """D's labels (N,)."""
        right, wrong = (1.0, 0.0) if real else (0.0, 1.0)
        swapped = torch.rand(n) < self.change.wrong_labels
        return torch.full((n,), right).masked_fill(swapped, wrong)

    def target_for_g(self, n: int) -> Tensor:
        return torch.full((n,), 1.0 if self.change.label_for_g is None else self.change.label_for_g)

    def loss_of_g(self, output: Tensor, logits: bool = True) -> Tensor:
        """The logistic loss of G for D's logits or probabilities (N,)."""
        bce = binary_cross_entropy_with_logits if logits else binary_cross_entropy
        if self.change.saturating:
            return -bce(output, torch.zeros_like(output))
        return bce(output, self.target_for_g(len(output)))

    def d_turns(self, usual: int) -> range:
        return range(self.change.d_steps or usual)

    def g_turns(self) -> range:
        return range(self.change.g_steps)

    def samples(self, n: int, chunk: int = 100) -> Tensor:
        """uint8 (N, C, S, S), in eval mode."""
        assert self.players is not None
        assert self.sampling is not None
        self.players.G.eval()
        with torch.no_grad():
            parts = list(_parts(n, chunk, self.sampling))
        images = torch.cat(parts).float().nan_to_num(-1.0, 1.0, -1.0)
        return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def _parts(n: int, chunk: int, draw: Callable[[int], Tensor]) -> Iterator[Tensor]:
    for first in range(0, n, chunk):
        yield draw(min(chunk, n - first))


def _drop_norms(network: nn.Module) -> None:
    for name, child in network.named_children():
        if isinstance(child, NORMS):
            setattr(network, name, nn.Identity())
        else:
            _drop_norms(child)
