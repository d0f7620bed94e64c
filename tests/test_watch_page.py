"""The frameworks on the page about watching: their code runs as it stands there, and what it says of them holds."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import ganglion
from watch_loops import ConvD, ConvG, adam, data

PAGE = (Path(__file__).parents[1] / "docs" / "watch.md").read_text(encoding="utf-8")
N, BATCHES = 8, 6
pytestmark = pytest.mark.filterwarnings("ignore")  # of other packages


def code_of(section: str) -> str:
    """The Python of a section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the code of a section may use: networks, optimisers, images."""
    monkeypatch.chdir(tmp_path)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        G, D = ConvG(), ConvD(norm=False)
        loader = DataLoader(TensorDataset(data(BATCHES * N, 0)), batch_size=N)
        yield {
            "torch": torch, "netG": G, "netD": D, "optimizerG": adam(G), "optimizerD": adam(D), "loader": loader,
        }  # fmt: skip


def steps_in(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "vitals.jsonl").read_text(encoding="utf-8").splitlines()]


def run(section: str, names: dict[str, Any], every: int = 1) -> None:
    code = code_of(section)
    assert "every=50" in code
    exec(compile(code.replace("every=50", f"every={every}"), section, "exec"), names)


def test_lightning(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    pl = pytest.importorskip("pytorch_lightning", reason="pytorch_lightning is not installed: it is in the extra dev")

    class Gan(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = names["netG"], names["netD"]
            self.automatic_optimization = False

        def configure_optimizers(self) -> Any:
            return [names["optimizerG"], names["optimizerD"]]

        def training_step(self, batch: Any, _index: int) -> None:
            (real,) = batch
            opt_g, opt_d = self.optimizers()
            fake = self.generator(torch.randn(len(real), 8))
            opt_d.zero_grad()
            self.manual_backward((self.discriminator(fake.detach()) - self.discriminator(real)).mean())
            opt_d.step()
            opt_g.zero_grad()
            self.manual_backward(-self.discriminator(fake).mean())
            opt_g.step()

    names["gan"] = Gan()
    run("PyTorch Lightning", names)
    assert "Verdict" in capsys.readouterr().out
    assert steps_in(Path("runs/mine"))[:4] == [0, 1, 2, 3]


def test_accelerate(names: dict[str, Any]) -> None:
    pytest.importorskip("accelerate", reason="accelerate is not installed: it is in the extra dev")
    run("Hugging Face Accelerate", names)
    monitor, accelerator = names["monitor"], names["accelerator"]
    assert monitor.error is None
    assert steps_in(Path("runs/mine")) == [0, 1, 2, 3]  # two micro-batches for each update
    assert [record["kimg"] for record in monitor.records] == [0, 0.016, 0.032, 0.048]
    assert {"separation", "grad_g", "grad_d", "diversity"} <= monitor.records[-1].keys()
    players = [names[name] for name in ("netG", "netD", "optimizerG", "optimizerD")]
    accelerator._custom_objects.clear()
    with ganglion.watch(*players, out="runs/mine", say=lambda text: None) as again:
        accelerator.register_for_checkpointing(again)
        accelerator.load_state("saved")
        assert (again.step, again.records) == (3, monitor.records)


def test_what_is_said_of_gradients_of_the_loss_of_g_in_d_is_so(names: dict[str, Any]) -> None:
    pytest.importorskip("accelerate", reason="accelerate is not installed: it is in the extra dev")
    as_it_stands = code_of("Hugging Face Accelerate")
    seen = {}
    for frozen, code in ((True, as_it_stands), (False, as_it_stands.replace(".requires_grad_(False)", ""))):
        torch.manual_seed(2)
        G, D = ConvG(), ConvD(norm=False)
        given = names | {"netG": G, "netD": D, "optimizerG": adam(G), "optimizerD": adam(D)}
        exec(compile(code, "page", "exec"), given)
        seen[frozen] = [weight.clone() for weight in D.parameters()]
    assert not all(torch.equal(a, b) for a, b in zip(seen[True], seen[False], strict=True))


def test_ignite(names: dict[str, Any]) -> None:
    pytest.importorskip("ignite", reason="pytorch-ignite is not installed: it is in the extra dev")
    from ignite.handlers import Checkpoint

    run("Ignite", names)
    assert names["monitor"].error is None
    assert names["monitor"].closed
    assert steps_in(Path("runs/mine")) == list(range(2 * BATCHES + 1))
    (saved,) = Path("saved").glob("*.pt")
    players = [names[name] for name in ("netG", "netD", "optimizerG", "optimizerD")]
    with ganglion.watch(*players, say=lambda text: None) as again:
        Checkpoint.load_objects(names["kept"] | {"monitor": again}, checkpoint=torch.load(saved, weights_only=True))
        assert (again.step, again.records) == (2 * BATCHES, names["monitor"].records)


def test_ignite_stops_a_training_that_fails(names: dict[str, Any]) -> None:
    pytest.importorskip("ignite", reason="pytorch-ignite is not installed: it is in the extra dev")
    torch.nn.init.constant_(names["netG"].body[-2].weight, float("nan"))
    run("Ignite", names)
    assert names["trainer"].state.iteration == 1
    assert names["monitor"].verdict().state == "failing"
