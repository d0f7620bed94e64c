"""The callback, in trainings by the real package: weights, records, loggers, stopping, checkpoints, messages."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import ganglion
from watch_loops import ConvD, ConvG, adam, data
from watch_loops_networks import bce

pl = pytest.importorskip("pytorch_lightning", reason="pytorch_lightning is not installed: it is in the extra dev")
from ganglion.lightning import Watch  # noqa: E402

N, BATCHES = 8, 6
pytestmark = pytest.mark.filterwarnings("ignore")  # of Lightning: few workers, batches, loggers


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


class Manual(pl.LightningModule):
    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.generator, self.discriminator, self.lr = ConvG(), ConvD(norm=False), lr
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        return [adam(self.discriminator, self.lr), adam(self.generator, self.lr)]

    def training_step(self, batch: Any, _index: int) -> None:
        (real,) = batch
        opt_d, opt_g = self.optimizers()
        fake = self.generator(torch.randn(len(real), 8))
        loss_d = bce(self.discriminator(real), True) + bce(self.discriminator(fake.detach()), False)
        opt_d.zero_grad()
        self.manual_backward(loss_d)
        opt_d.step()
        opt_g.zero_grad()
        self.manual_backward(bce(self.discriminator(fake), True))
        opt_g.step()
        self.log("loss_d", loss_d)


class Automatic(pl.LightningModule):
    """One optimiser and one loss for both networks: D's gradient is reversed on its way to G."""

    def __init__(self) -> None:
        super().__init__()
        self.netG, self.netD = ConvG(), ConvD(norm=False)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), 1e-3)

    def training_step(self, batch: Any, _index: int) -> Tensor:
        (real,) = batch
        fake = self.netG(torch.randn(len(real), 8))
        return bce(self.netD(real), True) + bce(self.netD(Reverse.apply(fake)), False)


class Failing(Manual):
    """G's images do not depend on z, and D is given no chance."""

    def on_train_start(self) -> None:
        nn.init.constant_(self.generator.body[-2].weight, float("nan"))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        yield


def images() -> DataLoader[Any]:
    return DataLoader(TensorDataset(data(BATCHES * N, 0)), batch_size=N)


def trained(module: Any, *callbacks: Any, epochs: int = 1, resume: Path | None = None, **options: Any) -> Any:
    settings = {"logger": False, "enable_checkpointing": False, **options}
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, enable_progress_bar=False, enable_model_summary=False,
        callbacks=list(callbacks), log_every_n_steps=1, num_sanity_val_steps=0, **settings,
    )  # fmt: skip
    trainer.fit(module, images(), ckpt_path=resume)
    return trainer


def weights(module: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in module.state_dict().values()]


@pytest.mark.parametrize("kind", [Manual, Automatic])
def test_weights_are_the_same_with_and_without_it_and_all_is_seen(kind: Any) -> None:
    found = []
    for callbacks in ([], [watch := Watch(every=2, say=lambda text: None)]):
        torch.manual_seed(1)
        module = kind()
        trained(module, *callbacks, epochs=2)
        found.append([*weights(module), torch.get_rng_state()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert watch.monitor.error is None
    assert [record["step"] for record in watch.monitor.records] == [0, 1, 2, 4, 6, 8, 10, 12]
    last = watch.monitor.records[-1]
    assert {"separation", "logit_real", "diversity", "grad_g", "grad_d", "swd", "z_response"} <= last.keys()
    assert last["kimg"] == 2 * BATCHES * N / 1000
    assert watch.monitor.closed
    assert watch.verdict().step == 12


def test_vitals_and_verdict_are_in_the_loggers_on_the_axis_of_the_modules_own_numbers(tmp_path: Path) -> None:
    logger = pl.loggers.CSVLogger(tmp_path, flush_logs_every_n_steps=1)
    trained(Manual(), Watch(every=2, say=lambda text: None), logger=logger)
    rows = list(csv.DictReader((Path(logger.log_dir) / "metrics.csv").open()))
    own = [int(row["step"]) for row in rows if row["loss_d"]]
    ours = {int(row["step"]): row for row in rows if row["ganglion/separation"]}
    assert own == list(range(BATCHES))
    assert list(ours) == [0, 1, 3, 5]
    assert {"ganglion/kimg", "ganglion/diversity", "ganglion/loss_d"} & ours[5].keys() >= {"ganglion/kimg"}
    assert float(ours[5]["ganglion/kimg"]) == pytest.approx(BATCHES * N / 1000)
    assert "ganglion/step" not in ours[5]


def test_a_failing_training_is_said_logged_and_stopped(tmp_path: Path) -> None:
    said: list[str] = []
    logger = pl.loggers.CSVLogger(tmp_path, flush_logs_every_n_steps=1)
    watch = Watch(every=2, stop_when_failing=True, say=said.append)
    trainer = trained(Failing(), watch, epochs=3, logger=logger)
    assert trainer.global_step < 2 * 3 * BATCHES
    assert watch.verdict().state == "failing"
    assert said[-1] == "ganglion: the training is stopped, the verdict is failing: non-finite"
    rows = list(csv.DictReader((Path(logger.log_dir) / "metrics.csv").open()))
    logged = [row for row in rows if row.get("ganglion/verdict")]
    assert [float(logged[-1][f"ganglion/{name}"]) for name in ("verdict", "finding/non-finite")] == [2, 2]


def test_without_being_asked_to_stop_it_does_not() -> None:
    trainer = trained(Failing(), watch := Watch(every=2, say=lambda text: None))
    assert trainer.global_step == 2 * BATCHES
    assert watch.verdict().state == "failing"


def test_a_training_that_goes_on_from_a_checkpoint_goes_on_with_the_records(tmp_path: Path) -> None:
    out = tmp_path / "out"
    checkpoint = pl.callbacks.ModelCheckpoint(tmp_path / "saved", every_n_epochs=1)
    first = Watch(every=4, out=out, say=lambda text: None)
    trained(Manual(), first, checkpoint, epochs=1, enable_checkpointing=True)
    saved = Path(checkpoint.best_model_path)
    second = Watch(every=4, out=out, say=lambda text: None)
    trained(Manual(), second, epochs=3, resume=saved)
    steps = [0, 1, 4, 8, 12, 16]
    assert [record["step"] for record in second.monitor.records] == steps
    assert second.monitor.records[:3] == first.monitor.records
    assert [record["kimg"] for record in second.monitor.records] == [step * N / 1000 for step in steps]
    lines = [json.loads(line) for line in (out / "vitals.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == steps
    assert not list(out.glob("*.old-*"))
    assert ganglion.diagnose(out).step == 16


def test_a_checkpoint_with_records_can_be_read_without_unpickling_objects(tmp_path: Path) -> None:
    trainer = trained(Manual(), Watch(every=2, say=lambda text: None))
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    state = torch.load(tmp_path / "saved.ckpt", weights_only=True)["callbacks"]["Watch"]
    assert (state["step"], state["images"]) == (BATCHES, BATCHES * N)


def test_a_second_fit_of_the_same_module_goes_on_and_that_of_another_begins_anew() -> None:
    watch, module = Watch(every=3, say=lambda text: None), Manual()
    trained(module, watch)
    trained(module, watch)
    assert [record["step"] for record in watch.monitor.records] == [0, 1, 3, 6, 9, 12]
    trained(Manual(), watch)
    assert [record["step"] for record in watch.monitor.records] == [0, 1, 3, 6]


def test_a_logger_that_fails_is_said_once_and_the_training_goes_on() -> None:
    class Broken(pl.loggers.logger.DummyLogger):
        def log_metrics(self, metrics: Any, step: Any = None) -> None:  # noqa: ARG002
            if any(name.startswith("ganglion/") for name in metrics):
                raise ConnectionError("no route to host")

    said: list[str] = []
    trainer = trained(Manual(), Watch(every=1, say=said.append), logger=Broken())
    assert trainer.global_step == 2 * BATCHES
    broken = [text for text in said if "logger" in text]
    assert broken == ["ganglion: the logger failed (ConnectionError: no route to host); the training goes on, and vitals are "
                      "no longer logged"]  # fmt: skip


def test_findings_are_printed_where_lightning_prints(capsys: pytest.CaptureFixture[str]) -> None:
    trained(Manual(), Watch(every=6))
    assert "ganglion.watch, step 1, sees reals and fakes at D's input" in capsys.readouterr().out


def test_a_module_in_which_it_is_not_clear_what_is_g_fails_before_the_first_step() -> None:
    class Odd(Manual):
        def __init__(self) -> None:
            super().__init__()
            self.gen = ConvG()

        def configure_optimizers(self) -> Any:
            return [adam(self.discriminator), adam(nn.ModuleList([self.generator, self.gen]))]

    with pytest.raises(ValueError, match="Odd has 2 modules that may be the generator: generator, gen"):
        trained(Odd(), Watch())


def test_before_the_training_nothing_is_known() -> None:
    assert Watch().verdict().state == "unknown"
    with pytest.raises(ValueError, match="every must be"):
        Watch(every=0)


def test_of_two_packages_it_is_a_callback_of_the_one_that_is_imported(tmp_path: Path) -> None:
    package = tmp_path / "lightning" / "pytorch"
    package.mkdir(parents=True)
    (tmp_path / "lightning" / "__init__.py").touch()
    (package / "__init__.py").write_text("class Callback:\n    pass\n", encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import lightning.pytorch\nfrom ganglion.lightning import Watch\n"
        "print(issubclass(Watch, lightning.pytorch.Callback), 'pytorch_lightning' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_without_lightning_the_message_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['pytorch_lightning'] = sys.modules['lightning'] = None\n"
        "try:\n    import ganglion; ganglion.lightning\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("is not installed: pip install 'ganglion[lightning]'")
