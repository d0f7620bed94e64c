"""Training loops of other packages, each with the package itself: the same weights, and numbers as the loop had them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import ganglion
from watch_loops import ConvD, ConvG, adam, data
from watch_loops_networks import bce

STEPS, N = 6, 16
PACKAGES = [
    "accelerate",
    "lightning automatic",
    "lightning manual",
    "lightning fabric",
    "ignite",
    "scaler",
    "data parallel",
]

Watch = Callable[..., Any]


class Scores:
    """D's mean scores on real and on fake at each step, as the loop had them."""

    def __init__(self) -> None:
        self.real: list[float] = []
        self.fake: list[float] = []

    def add(self, on_real: Tensor, on_fake: Tensor) -> None:
        self.real.append(float(on_real.detach().float().mean()))
        self.fake.append(float(on_fake.detach().float().mean()))


def images() -> DataLoader[Any]:
    return DataLoader(TensorDataset(data(STEPS * N, 0)), batch_size=N)


def step_of(
    G: nn.Module, D: nn.Module, opt_g: Any, opt_d: Any, real: Tensor, scores: Scores, backward: Callable[[Tensor], Any]
) -> None:  # fmt: skip
    fake = G(torch.randn(len(real), 8))
    on_real, on_fake = D(real), D(fake.detach())
    scores.add(on_real, on_fake)
    opt_d.zero_grad()
    backward(bce(on_real, True) + bce(on_fake, False))
    opt_d.step()
    opt_g.zero_grad()
    backward(bce(D(fake), True))
    opt_g.step()


def accelerate(watch: Watch, scores: Scores) -> list[nn.Module]:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    G, D = ConvG(), ConvD(norm=False)
    G, D, opt_g, opt_d, loader = accelerator.prepare(G, D, adam(G), adam(D), images())
    watch(G, D, opt_g, opt_d)
    for (real,) in loader:
        step_of(G, D, opt_g, opt_d, real, scores, accelerator.backward)
    return [G, D]


def lightning_module(scores: Scores, automatic: bool, watch: Watch) -> Any:
    import pytorch_lightning as pl

    class Gan(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.G, self.D = ConvG(), ConvD(norm=False)
            self.automatic_optimization = automatic

        def configure_optimizers(self) -> Any:
            both = torch.optim.Adam([*self.G.parameters(), *self.D.parameters()], 1e-3)
            return both if automatic else [adam(self.G), adam(self.D)]

        def on_train_start(self) -> None:
            found = self.optimizers()
            watch(self.G, self.D, *(found if isinstance(found, list) else [found, found]))

        def training_step(self, batch: Any, _index: int) -> Any:
            (real,) = batch
            fake = self.G(torch.randn(len(real), 8))
            if automatic:  # one loss for both: G gets the gradient of D's loss on fakes reversed
                on_real, on_fake = self.D(real), self.D(Reverse.apply(fake))
                scores.add(on_real, on_fake)
                return bce(on_real, True) + bce(on_fake, False)
            opt_g, opt_d = self.optimizers()
            self.toggle_optimizer(opt_d)
            on_real, on_fake = self.D(real), self.D(fake.detach())
            scores.add(on_real, on_fake)
            opt_d.zero_grad()
            self.manual_backward(bce(on_real, True) + bce(on_fake, False))
            opt_d.step()
            self.untoggle_optimizer(opt_d)
            self.toggle_optimizer(opt_g)
            opt_g.zero_grad()
            self.manual_backward(bce(self.D(self.G(torch.randn(len(real), 8))), True))
            opt_g.step()
            self.untoggle_optimizer(opt_g)
            return None

    return Gan()


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


def with_lightning(automatic: bool) -> Callable[[Watch, Scores], list[nn.Module]]:
    def run(watch: Watch, scores: Scores) -> list[nn.Module]:
        import pytorch_lightning as pl

        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        gan = lightning_module(scores, automatic, watch)
        trainer = pl.Trainer(
            max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(gan, images())
        return [gan.G, gan.D]

    return run


def fabric(watch: Watch, scores: Scores) -> list[nn.Module]:
    from lightning_fabric import Fabric

    engine = Fabric(accelerator="cpu", devices=1)
    g, d = ConvG(), ConvD(norm=False)
    (G, opt_g), (D, opt_d) = engine.setup(g, adam(g)), engine.setup(d, adam(d))
    watch(G, D, opt_g, opt_d)
    for (real,) in engine.setup_dataloaders(images()):
        step_of(G, D, opt_g, opt_d, real, scores, engine.backward)
    return [g, d]


def ignite(watch: Watch, scores: Scores) -> list[nn.Module]:
    from ignite.engine import Engine

    G, D = ConvG(), ConvD(norm=False)
    opt_g, opt_d = adam(G), adam(D)
    watch(G, D, opt_g, opt_d)

    def process(_engine: Any, batch: Any) -> None:
        step_of(G, D, opt_g, opt_d, batch[0], scores, lambda loss: loss.backward())

    Engine(process).run(images(), max_epochs=1)
    return [G, D]


def scaler(watch: Watch, scores: Scores) -> list[nn.Module]:
    """Autocast and one GradScaler for both optimisers, as PyTorch's examples have it."""
    G, D = ConvG(), ConvD(norm=False)
    opt_g, opt_d = adam(G), adam(D)
    scale = torch.amp.GradScaler("cpu", init_scale=256.0)
    watch(G, D, opt_g, opt_d)
    for (real,) in images():
        with torch.autocast("cpu", torch.bfloat16):
            fake = G(torch.randn(len(real), 8))
            on_real, on_fake = D(real), D(fake.detach())
            loss = bce(on_real, True) + bce(on_fake, False)
        scores.add(on_real, on_fake)
        opt_d.zero_grad()
        scale.scale(loss).backward()
        scale.unscale_(opt_d)
        nn.utils.clip_grad_norm_(D.parameters(), 1.0)
        scale.step(opt_d)
        opt_g.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = bce(D(fake), True)
        scale.scale(loss).backward()
        scale.step(opt_g)
        scale.update()
    return [G, D]


def data_parallel(watch: Watch, scores: Scores) -> list[nn.Module]:
    """The loop calls the wrappers, and what is inside them for a preview."""
    G, D = nn.DataParallel(ConvG()), nn.DataParallel(ConvD(norm=False))
    opt_g, opt_d = adam(G), adam(D)
    watch(G, D, opt_g, opt_d)
    for (real,) in images():
        step_of(G, D, opt_g, opt_d, real, scores, lambda loss: loss.backward())
        with torch.no_grad():
            G.module(torch.zeros(4, 8))
    return [G, D]


LOOPS: dict[str, Callable[[Watch, Scores], list[nn.Module]]] = dict(
    zip(
        PACKAGES,
        (accelerate, with_lightning(True), with_lightning(False), fabric, ignite, scaler, data_parallel),
        strict=True,
    )
)
NEEDS = {
    "accelerate": "accelerate",
    "lightning automatic": "pytorch_lightning",
    "lightning manual": "pytorch_lightning",
    "ignite": "ignite",
}


@contextmanager
def seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        yield


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", PACKAGES)
def test_loops_of_other_packages_are_read_and_unchanged(package: str) -> None:
    if package in NEEDS:
        pytest.importorskip(NEEDS[package], reason=f"{NEEDS[package]} is not installed: it is in the extra dev")
    monitors: list[ganglion.Monitor] = []
    said: list[str] = []
    with seeded():
        alone = LOOPS[package](lambda *_: None, Scores())
    with seeded():
        scores = Scores()
        watched = LOOPS[package](lambda *a: monitors.append(ganglion.watch(*a, every=1, say=said.append)), scores)
    (monitor,) = monitors
    monitor.close()
    assert monitor.error is None
    for one, other in zip(alone, watched, strict=True):
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.equal(a, b)
    records = [record for record in monitor.records if record["step"]]
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    exact = 2e-2 if package == "scaler" else 2e-3  # scores in bfloat16
    assert [record["logit_real"] for record in records] == pytest.approx(scores.real, rel=exact, abs=1e-3)
    assert [record["logit_fake"] for record in records] == pytest.approx(scores.fake, rel=exact, abs=1e-3)
    assert {"separation", "diversity", "grad_g", "grad_d", "pull_d_real"} <= records[-1].keys()
    assert records[-1]["kimg"] == pytest.approx(STEPS * N / 1000)
