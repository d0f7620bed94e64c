"""Networks, losses and callbacks that a program brings, through whole trainings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.errors import RecipeError, RunError
from ganglion.latent.complete import complete
from ganglion.latent.directions import METHODS
from ganglion.latent.model import discriminator_of
from ganglion.latent.project import Settings, project
from ganglion.training.check import check
from ganglion.training.own import Own

PAGE = Path(__file__).parents[2] / "docs" / "own.md"
IMAGES = np.random.default_rng(0).integers(0, 256, (400, 20, 12, 1), np.uint8)
QUICK = {"latent.dim": 6, "training.tick_kimg": 0.04, "training.snapshot_kimg": 0.08}


class ByClass(nn.Module):
    """Adds a vector of the class to what it is given."""

    def __init__(self, network: nn.Module, size: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.vectors, self.size = network, nn.Embedding(3, int(np.prod(size))), size

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        out: Tensor = self.network(x + self.vectors(labels).view(-1, *self.size))
        return out


def networks(noisy: bool = False) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    some = [nn.Dropout(0.3)] if noisy else []
    g = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), *some, nn.Linear(32, 240), nn.Tanh(), nn.Unflatten(1, (1, 20, 12)))
    d = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2), *some, nn.Conv2d(8, 1, 3))
    return g, d


def trained(folder: Path, cache: Path, **more: Any) -> ganglion.Run:
    g, d = networks()
    asked: dict[str, Any] = {
        "generator": g, "discriminator": d, "recipe": "dcgan", "steps": 10, "batch": 8, "run": folder, "precision": "32",
        "device": "cpu", "set": QUICK, "cache": cache, "quiet": True, "at_end": lambda run: None,
    }  # fmt: skip
    return ganglion.train(IMAGES, **asked | more)


def weights(run: ganglion.Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.checkpoint("latest").glob("*.safetensors")}


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """A D of maps, with a gradient penalty. Look, do not touch."""
    penalised = QUICK | {"objective.penalties": [{"kind": "wgan-gp", "weight": 1}]}
    return trained(tmp_path_factory.mktemp("runs") / "own", cache, set=penalised, at_end=None)


# The page


COMMAND = "import sys; from ganglion.cli.app import main; main()"
TRAIN = "train digits --networks mynets.py --size 16 --run runs/mine --steps 3 --device cpu --no-report"


def ran(folder: Path, cache: Path, *words: str) -> str:
    """What a fresh process says."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "GANGLION_CACHE": str(cache)}, capture_output=True,
        encoding="utf-8", timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_programs_of_the_page_run(tmp_path: Path, cache: Path) -> None:
    program, file = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:2]
    (tmp_path / "program.py").write_text(program + "\nassert walk.shape == (5, 1, 20, 12)\n", encoding="utf-8")
    assert "Resuming at step 20" in ran(tmp_path, cache, "program.py")
    (tmp_path / "mynets.py").write_text(file, encoding="utf-8")
    ran(tmp_path, cache, "-c", COMMAND, *TRAIN.split())
    assert (tmp_path / "runs/mine/networks.py").read_text(encoding="utf-8") == file
    ran(tmp_path, cache, "-c", COMMAND, "sample", "runs/mine")
    assert (tmp_path / "runs/mine/samples/seed-0.png").is_file()


# Everything works on them


def test_the_modules_themselves_are_not_trained_and_copies_are(tmp_path: Path, cache: Path) -> None:
    g, d = networks()
    before = [weight.clone() for weight in (*g.parameters(), *d.parameters())]
    run = trained(tmp_path / "run", cache, generator=g, discriminator=d)
    assert all(torch.equal(a, b) for a, b in zip(before, (*g.parameters(), *d.parameters()), strict=True))
    assert not torch.equal(ganglion.load(run, generator=g).generator.network[0].weight, g[0].weight)


def test_size_and_channels_are_those_of_gs_images(own_run: ganglion.Run) -> None:
    recipe = own_run.recipe
    assert (recipe.data.size, recipe.data.channels, recipe.generator.family) == ((20, 12), 1, "custom")


@pytest.mark.parametrize("noisy", [False, True])
def test_a_resumed_run_has_the_same_bits(tmp_path: Path, cache: Path, noisy: bool) -> None:
    g, d = networks(noisy)
    whole = trained(tmp_path / "whole", cache, generator=g, discriminator=d, steps=12)
    torch.manual_seed(99)  # the caller's own numbers play no part
    trained(tmp_path / "parts", cache, generator=g, discriminator=d, steps=5)
    assert weights(trained(tmp_path / "parts", cache, generator=g, discriminator=d, steps=12)) == weights(whole)


def test_training_leaves_the_callers_random_numbers_alone(tmp_path: Path, cache: Path) -> None:
    g, d = networks(noisy=True)
    before = torch.random.get_rng_state()
    trained(tmp_path / "run", cache, generator=g, discriminator=d)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_report_shows_samples_of_a_module(own_run: ganglion.Run) -> None:
    text = (own_run.path / "report.html").read_text(encoding="utf-8")
    assert "No pictures of latent space" not in text
    again = ganglion.write_report(own_run, own_run.path / "again.html", quiet=True)
    assert "generator=..." in again.read_text(encoding="utf-8")


def test_records_and_verdict_are_those_of_any_run(own_run: ganglion.Run) -> None:
    record = own_run.records()[-1]
    assert {
        "separation",
        "loss_d_wgan_gp",
        "held_out",
        "diversity_seen",
        "frechet",
        "layers_g",
        "dead_d",
    } <= record.keys()
    assert sum(record["logits"]["real"]) == 8 * 5  # an image counts once, not once for each place of its map
    assert ganglion.diagnose(own_run.path).state in ("unknown", "healthy", "watch", "failing")


def test_latent_space_can_be_used(own_run: ganglion.Run) -> None:
    g, d = networks()
    model = ganglion.load(own_run, generator=g, discriminator=d)
    judge, picture = discriminator_of(model), model.generate(model.latents(1, seed=5))[0]
    assert torch.equal(model.generate(model.latents(3))[:2], model.generate(model.latents(2)))
    assert project(model, picture, judge, Settings(2, 20)).reached
    hole = np.zeros((20, 12), bool)
    hole[5:9, 3:7] = True
    assert len(complete(model, picture, hole, judge, 1, Settings(2, 5))) == 1
    assert all(len(find(model, 3).vectors) == 3 for find in METHODS.values())
    assert torch.equal(discriminator_of(ganglion.load(own_run, generator=g), d)(picture[None]), judge(picture[None]))


def test_a_run_of_a_module_can_be_scored(own_run: ganglion.Run, cache: Path) -> None:
    found = ganglion.evaluate(
        own_run.path, n=60, features="pixels", metrics=["swd"], generator=networks()[0], cache=cache, quiet=True
    )
    assert found.scores[0].value > 0


def test_labels_reach_both_networks(tmp_path: Path, cache: Path) -> None:
    g, d = networks()
    images = (IMAGES, np.arange(len(IMAGES)) % 3)
    asked: dict[str, Any] = {
        "generator": ByClass(g, (6,)), "discriminator": ByClass(d, (1, 20, 12)), "recipe": "dcgan", "steps": 10, "batch": 8,
        "run": tmp_path / "run", "precision": "32", "device": "cpu", "set": QUICK | {"data.conditional": True}, "cache": cache,
        "quiet": True,
    }  # fmt: skip
    run = ganglion.train(images, **asked)
    model = ganglion.load(run, generator=asked["generator"], discriminator=asked["discriminator"])
    z = model.latents(1)
    one, two = (model.generate(z, model.labels(1, label=label)) for label in (0, 1))
    assert not torch.equal(one, two)
    assert project(model, one[0], discriminator_of(model), Settings(2, 10), labels=model.labels(1, label=0)).error >= 0


def test_frozen_weights_stay_as_they_are(tmp_path: Path, cache: Path) -> None:
    g, d = networks()
    g[0].weight.requires_grad_(False)
    d[0].bias.requires_grad_(False)
    clipped = QUICK | {"objective.weight_clip": 0.01, "discriminator.family": "custom"}
    run = trained(tmp_path / "run", cache, generator=g, discriminator=d, set=clipped)
    model = ganglion.load(run, generator=g, discriminator=d)
    judge = discriminator_of(model)
    assert torch.equal(model.generator.network[0].weight, g[0].weight)
    assert torch.equal(judge.network[0].bias, d[0].bias)
    assert float(judge.network[0].weight.abs().max()) <= 0.01 + 1e-6


def test_tied_weights_are_saved_and_restored(tmp_path: Path, cache: Path) -> None:
    g, d = networks()
    twice = nn.Linear(32, 32)
    tied = nn.Sequential(g[0], nn.ReLU(), twice, nn.ReLU(), twice, nn.ReLU(), *g[2:])
    whole = trained(tmp_path / "whole", cache, generator=tied, discriminator=d, steps=8)
    trained(tmp_path / "parts", cache, generator=tied, discriminator=d, steps=4)
    assert weights(trained(tmp_path / "parts", cache, generator=tied, discriminator=d, steps=8)) == weights(whole)


def test_check_looks_at_them_and_trains_nothing(tmp_path: Path, cache: Path) -> None:
    g, d = networks()
    found = check(
        IMAGES,
        own=Own.given(g, d),
        recipe="dcgan",
        batch=8,
        device="cpu",
        cache=cache,
        quiet=True,
        seconds=0.1,
        set=QUICK,
    )
    assert [layer.name for layer in found.signals_g] == ["network.0", "network.2"]
    assert found.images_per_sec > 0


def test_auto_takes_the_settings_of_dcgan_and_says_why(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = trained(tmp_path / "run", cache, recipe="auto", quiet=False).recipe
    assert (recipe.name, recipe.optimizer.generator.lr, recipe.augment.kind) == ("dcgan", 2e-4, "diffaugment")
    said = capsys.readouterr().err
    assert "Adam at 2e-4" in said
    assert "400 images are few" in said


def test_several_processes_train_them(tmp_path: Path, cache: Path) -> None:
    run = trained(tmp_path / "run", cache, steps=4, devices=2)
    assert run.steps_saved()[-1] == 4
    with pytest.raises(RunError, match=r"callback= cannot be pickled .* without lambda"):
        trained(tmp_path / "other", cache, devices=2, callback=lambda record, model: None)


# Going on


def test_other_networks_are_refused(own_run: ganglion.Run, cache: Path) -> None:
    g, d = networks()
    other = nn.Sequential(*g[:2], nn.Linear(32, 32), *g[2:])
    with pytest.raises(RunError, match="the networks changed since"):
        trained(own_run.path, cache, generator=other, discriminator=d)
    with pytest.raises(RunError, match="give them again with generator= and discriminator="):
        ganglion.train(IMAGES, recipe="dcgan", run=own_run.path, size=16, cache=cache, quiet=True, device="cpu")
    with pytest.raises(RunError, match="is not the one it was trained with"):
        ganglion.load(own_run, generator=other)
    with pytest.raises(RunError, match=r"pass the generator again, as in ganglion.load"):
        ganglion.load(own_run)
    with pytest.raises(RunError, match=r"pass the discriminator again"):
        discriminator_of(ganglion.load(own_run, generator=g))


def test_modules_are_refused_for_a_run_that_had_none(tiny_run: ganglion.Run) -> None:
    with pytest.raises(RunError, match="leave out generator="):
        ganglion.load(tiny_run, generator=networks()[0])


# Losses


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()


def hinge_g(_real: Tensor, fake: Tensor) -> Tensor:
    return -fake.mean()


HINGE = ganglion.AdversarialLoss(hinge_d, hinge_g, zero_boundary=True, name="my hinge")


def on_ours(folder: Path, cache: Path, **more: Any) -> ganglion.Run:
    small = {"generator.width": 4, "discriminator.width": 4, **QUICK}
    asked: dict[str, Any] = {
        "recipe": "dcgan", "size": 16, "steps": 8, "batch": 8, "run": folder, "precision": "32", "device": "cpu", "set": small,
        "cache": cache, "quiet": True, "at_end": lambda run: None,
    }  # fmt: skip
    return ganglion.train("digits", **asked | more)


def test_an_own_loss_with_the_formula_of_a_named_one_gives_the_same_bits(tmp_path: Path, cache: Path) -> None:
    own = on_ours(tmp_path / "own", cache, adversarial=HINGE)
    small = {"generator.width": 4, "discriminator.width": 4, **QUICK, "objective.adversarial": "hinge"}
    assert weights(own) == weights(on_ours(tmp_path / "named", cache, set=small))
    assert (own.recipe.objective.adversarial, own.recipe.objective.traits.name) == ("custom", "my hinge")
    assert ganglion.load(own).sample(1).shape == (1, 16, 16, 1)


def test_going_on_without_the_loss_is_refused(tmp_path: Path, cache: Path) -> None:
    run = on_ours(tmp_path / "run", cache, adversarial=HINGE)
    with pytest.raises(RunError, match=r"a loss of your own \(my hinge\), which it does not keep: pass it again"):
        on_ours(run.path, cache, steps=12)
    assert on_ours(run.path, cache, steps=12, adversarial=HINGE).steps_saved()[-1] == 12


def test_a_critics_loss_gives_the_estimate_of_the_distance(tmp_path: Path, cache: Path) -> None:
    critic = ganglion.AdversarialLoss(lambda r, f: f.mean() - r.mean(), hinge_g, critic=True)
    assert "earth_mover" in on_ours(tmp_path / "critic", cache, adversarial=critic).records()[-1]
    assert "earth_mover" not in on_ours(tmp_path / "hinge", cache, adversarial=HINGE).records()[-1]


@pytest.mark.parametrize(("loss", "told"), [
    (ganglion.AdversarialLoss(lambda r, f: f - r, hinge_g), r"discriminator\(real, fake\) returned a tensor \(8,\)"),
    (ganglion.AdversarialLoss(hinge_d, lambda r, f: f.mean() * float("nan")), r"generator\(real, fake\) is nan"),
    (ganglion.AdversarialLoss(hinge_d, lambda r, f: 0.0), "returned float"),
    (ganglion.AdversarialLoss(hinge_d, lambda r, f: f.detach().mean()), "does not depend on the logits"),
    (ganglion.AdversarialLoss(hinge_d, lambda r: r.mean()), r"generator\(real, fake\) fails: TypeError"),
    ("hinge", r"takes a ganglion.AdversarialLoss; got str"),
])  # fmt: skip
def test_a_loss_that_cannot_work_is_told_before_anything_is_written(
    tmp_path: Path, cache: Path, loss: Any, told: str
) -> None:
    with pytest.raises(RecipeError, match=told):
        on_ours(tmp_path / "run", cache, adversarial=loss)
    assert not (tmp_path / "run").exists()


# The callback


def test_the_callback_gets_records_and_the_averaged_generator(tmp_path: Path, cache: Path) -> None:
    seen: list[tuple[dict[str, Any], Any]] = []

    def look(record: dict[str, Any], model: ganglion.Model) -> None:
        seen.append((dict(record), model.sample(2, seed=3)))
        assert not model.generator.training
        record.clear()  # it is a copy

    run = on_ours(tmp_path / "run", cache, callback=look)
    assert [record["step"] for record, _ in seen] == [5, 8]
    assert seen[-1][0].items() <= run.records()[-1].items()
    assert np.array_equal(seen[-1][1], ganglion.load(run, "latest").sample(2, seed=3))


def test_a_callback_leaves_the_weights_as_they_would_be(tmp_path: Path, cache: Path) -> None:
    with_one = on_ours(tmp_path / "a", cache, callback=lambda record, model: model.sample(1) is None or None)
    assert weights(with_one) == weights(on_ours(tmp_path / "b", cache))


def test_it_can_stop_the_run_which_is_saved(tmp_path: Path, cache: Path) -> None:
    def stop(record: dict[str, Any], model: ganglion.Model) -> str | None:
        return "stop" if record["step"] >= 5 else None

    run = on_ours(tmp_path / "run", cache, steps=20, callback=stop)
    assert run.steps_saved() == [5]
    assert '"the callback returned stop"' in (run.checkpoint("latest") / "state.json").read_text(encoding="utf-8")
    assert on_ours(run.path, cache, steps=20, callback=stop).steps_saved() == [5]
    assert on_ours(run.path, cache, steps=20).steps_saved()[-1] == 20


def test_what_it_raises_is_raised_when_all_is_saved(tmp_path: Path, cache: Path) -> None:
    def fail(record: dict[str, Any], model: ganglion.Model) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        on_ours(tmp_path / "run", cache, steps=20, callback=fail)
    run = ganglion.Run(tmp_path / "run")
    assert run.steps_saved() == [5]
    assert weights(on_ours(run.path, cache, steps=20)) == weights(on_ours(tmp_path / "whole", cache, steps=20))


def stop_at_once(record: dict[str, Any], model: ganglion.Model) -> str:
    return "stop"


def test_all_processes_stop_where_the_callback_says_so(tmp_path: Path, cache: Path) -> None:
    assert on_ours(tmp_path / "run", cache, steps=20, devices=2, callback=stop_at_once).steps_saved() == [5]


def test_an_answer_that_means_nothing_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="returns \"stop\", or None to go on; got 'halt'"):
        on_ours(tmp_path / "run", cache, callback=lambda record, model: "halt")


# Another run's weights


def test_own_networks_start_from_a_run_of_theirs(tmp_path: Path, cache: Path, own_run: ganglion.Run) -> None:
    run = trained(tmp_path / "second", cache, start_from=own_run, seed=3, steps=2)
    facts = json.loads((run.path / "start.json").read_text(encoding="utf-8"))
    assert all(
        facts["networks"][name]["taken_over"] == facts["networks"][name]["weights"]
        for name in ("generator", "discriminator")
    )
    assert facts["optimizers"]["generator"].startswith("taken over")
    for name in ("generator", "discriminator", "ema"):
        first = run.checkpoint(0) / f"{name}.safetensors"
        assert first.read_bytes() == (own_run.checkpoint("best") / f"{name}.safetensors").read_bytes()


def test_own_networks_that_differ_take_over_the_layers_that_are_the_same(
    tmp_path: Path, cache: Path, own_run: ganglion.Run
) -> None:
    g, d = networks()
    assert isinstance(d, nn.Sequential)
    deeper = nn.Sequential(*list(d), nn.Flatten(), nn.LazyLinear(1))
    deeper(torch.zeros(1, 1, 20, 12))
    run = trained(tmp_path / "deeper", cache, start_from=own_run, generator=g, discriminator=deeper, steps=2)
    facts = json.loads((run.path / "start.json").read_text(encoding="utf-8"))
    taken, there = (facts["networks"]["discriminator"][key] for key in ("taken_over", "weights"))
    assert 0 < taken < there
    assert facts["optimizers"]["discriminator"] == "reset (networks of one's own that differ)"
    assert facts["optimizers"]["generator"].startswith("taken over")


def test_a_run_of_own_networks_is_not_started_from_without_them(
    tmp_path: Path, cache: Path, own_run: ganglion.Run
) -> None:
    with pytest.raises(RecipeError, match="family is custom: name the file with --networks"):
        trained(tmp_path / "none", cache, start_from=own_run, recipe="auto", generator=None, discriminator=None)
    assert not (tmp_path / "none").exists()
