"""The commands that remedies print work as printed, on the very run: every one resolves, and of every idea one is run."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import ganglion
from ganglion.doctor.findings import RULES
from ganglion.doctor.readers.run_folder import setup_of
from ganglion.doctor.remedies.idea import Known
from ganglion.doctor.remedies.propose import proposed
from ganglion.doctor.remedies.training import AS_IN_RECIPE
from ganglion.doctor.run_setup import assignments, changed
from ganglion.doctor.verdict import Remedy
from ganglion.recipe.resolve import flatten, preset_names, recipe_text, resolve
from ganglion.recipe.schema import Recipe
from made_records import SICK
from remedy_directions import DIRECTIONS
from tiny import TINY

SHARE = 3
"""One in so many of a recipe's commands is tried, another one for each recipe; tests/doctor/remedies has them all."""
KNOWN = Known(2e-4, 2e-4, 0.05, 0.05, 64, 1e5, 9e6)
G_SLOW = Known(2e-6, 2e-4, 1e-4, 5e-3, 64)
BOTH_SLOW = Known(2e-6, 2e-6, 1e-6, 1e-6, 64)
QUICK: dict[str, object] = {
    "data.source": "digits", "data.size": 16, "data.channels": 1, "training.precision": "32", "training.steps": 2, **TINY,
    "generator.width": 16, "discriminator.width": 16,
}  # fmt: skip
NETWORKS = """
from torch import nn
def generator(recipe):
    return nn.Sequential(nn.Linear(recipe.latent.dim, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
def discriminator(recipe):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of forty gray images: so few that a snapshot is scored at once. The name has a space."""
    folder, random = tmp_path_factory.mktemp("sources") / "my pictures", np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(40):
            Image.fromarray(random.integers(0, 256, (16, 16), np.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, command: Any, pictures: Path) -> Path:
    """Checkpoints of a run of two steps with QUICK."""
    folder = tmp_path_factory.mktemp("weights") / "run"
    words = [word for key, value in QUICK.items() if key != "data.source" for word in ("--set", f"{key}={value}")]
    done = command("train", pictures, "--recipe", "dcgan", "--run", folder, "--device", "cpu", "--no-report", *words)
    assert done.code == 0, done.said
    return folder / "checkpoints"


def run_of(folder: Path, recipe: Recipe, weights: Path) -> Path:
    """A run folder with this recipe and weights."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe_text(recipe))
    line = f"ganglion train digits --run '{folder}' --device cpu --no-report"
    (folder / "environment.json").write_text(json.dumps({"command": line}))
    shutil.copytree(weights, folder / "checkpoints")
    return folder


def remedies(folder: Path, good_weights: bool = True) -> Iterator[Remedy]:
    """All ideas that fit the run in the folder, one at a time."""
    setup = setup_of(folder)
    assert setup is not None
    for idea in {idea.name: idea for rule in RULES.values() for idea in (*rule.ideas, AS_IN_RECIPE)}.values():
        found = [
            one for known in (KNOWN, G_SLOW, BOTH_SLOW) for one in proposed([idea], known, True, setup, good_weights)
        ]
        yield from [one for one in found if one.name == idea.name][:1]


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "auto"])
def test_every_command_resolves_to_the_run_with_that_changed_and_nothing_else(
    command: Any, tmp_path: Path, weights: Path, name: str
) -> None:
    recipe = resolve(name, {key: value for key, value in QUICK.items() if key != "training.precision"})
    folder, printed = run_of(tmp_path / "a run", recipe, weights), 0
    place = list(preset_names()).index(name)
    for remedy in remedies(folder):
        place += 1
        if not remedy.settings or place % SHARE:
            continue
        done = command(*shlex.split(remedy.command)[1:], "--dry-run")
        assert done.code == 0, (remedy.command, done.said)
        shown = Recipe.model_validate(yaml.load(done.out, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        before, after = flatten(recipe), flatten(shown)
        wanted = flatten(resolve(recipe, dict(remedy.settings)))
        told = {"training.start_from", "name"}  # a recipe of a file is called recipe
        assert {key for key in after if after[key] != wanted.get(key)} <= told, remedy.command
        assert after != before
        assert DIRECTIONS[remedy.name](recipe, shown), remedy.command
        printed += 1
    assert printed >= 20 // SHARE


def test_of_every_idea_a_command_trains(command: Any, tmp_path: Path, weights: Path, pictures: Path) -> None:
    """On recipes that have, together, something to change for each of them; some ideas in one run."""
    small = {key: value for key, value in QUICK.items() if key != "training.precision"} | {"data.source": str(pictures)}
    bases = {
        "dcgan": {
            "training.precision": "bf16",
            "objective.adversarial": "minimax",
            "balance.g_steps": 2,
            "balance.d_steps": 2,
        },
        "wgan": {"generator.norm": "none", "discriminator.activation": "relu", "balance.d_steps": 1},
        "fast": {"data.conditional": True, "data.fit": "pad"},
    }
    done: dict[str, str] = {}
    for name, extra in bases.items():
        folder = tmp_path / "runs" / name
        run_of(folder.with_name("recipe"), resolve(name, small | extra), weights)
        words = ["--recipe", folder.with_name("recipe") / "recipe.yaml", "--device", "cpu", "--no-report"]
        assert command("train", pictures, *words, "--run", folder).code == 0
        shutil.rmtree(folder.with_name("recipe"))
        recipe = resolve(folder / "recipe.yaml")
        new = [one for one in remedies(folder, name != "wgan") if one.settings and one.name not in done]
        for group in together(recipe, new):
            words = shlex.split(group[0].command)[1:]
            more = [word for one in group[1:] for text in assignments(one.settings) for word in ("--set", text)]
            ended = command(*words, *more)
            assert ended.code == 0, (words, more, ended.said)
            run = ganglion.Run(words[words.index("--run") + 1])
            assert run.steps_saved()[-1] == 2
            for one in group:
                alone, in_run = flatten(resolve(recipe, dict(one.settings))), flatten(run.recipe)
                assert all(in_run[key] == alone[key] for key in one.settings), one.command
                done[one.name] = way(one)
    assert done.keys() == DIRECTIONS.keys() - {"another-recipe"}
    assert set(done.values()) == {"--from", "--recipe"}


def way(remedy: Remedy) -> str:
    """Whether it goes on from weights."""
    return "--from" if " --from " in remedy.command else "--recipe"


def together(recipe: Recipe, new: list[Remedy]) -> list[list[Remedy]]:
    """Remedies that one run can have at once, since they set different keys and no check refuses them together."""
    groups: list[list[Remedy]] = []
    for remedy in new:
        for group in groups:
            settings = {key: value for one in (*group, remedy) for key, value in one.settings.items()}
            apart = len(settings) == sum(len(one.settings) for one in (*group, remedy))
            if apart and way(group[0]) == way(remedy) and changed(recipe, assignments(settings)) is not None:
                group.append(remedy)
                break
        else:
            groups.append([remedy])
    return groups


def test_networks_in_a_file_go_on_with_the_file_of_the_run(command: Any, tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    first = ["train", pictures, "--recipe", "wgan", "--networks", tmp_path / "nets.py", "--size", 16, "--steps", 2]
    run = tmp_path / "own"
    done = command(*first, "--device", "cpu", "--no-report", "--batch", 8, "--run", run)
    assert done.code == 0, done.said
    (tmp_path / "nets.py").unlink()
    fitting = {remedy.name: remedy for remedy in remedies(run) if remedy.settings}
    assert {"penalty-for-clip", "lower-d-rate", "augment"} <= fitting.keys()
    assert not {"wider-g", "more-latent", "he-initialisation", "minibatch-stddev"} & fitting.keys()
    for name in ("penalty-for-clip", "lower-d-rate"):
        done = command(*shlex.split(fitting[name].command)[1:])
        assert done.code == 0, (fitting[name].command, done.said)


def test_what_a_run_of_a_program_is_told_is_python_that_runs(tmp_path: Path, cache: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1), np.uint8)
    quick = {"training.tick_kimg": 0.04, "training.snapshot_kimg": 0.08, **TINY}
    run = ganglion.train(
        images, recipe="dcgan", size=16, steps=2, run=tmp_path / "run", set=quick, cache=cache, quiet=True, device="cpu",
        at_end=lambda run: None,
    )  # fmt: skip
    (lower,) = (remedy for remedy in remedies(run.path) if remedy.name == "lower-d-rate")
    call = lower.command.removesuffix(")") + ", cache=cache, quiet=True, device='cpu', at_end=lambda run: None)"
    new = eval(call, {"ganglion": ganglion, "images": images, "cache": cache})
    assert new.recipe.optimizer.discriminator.lr == 5e-5
    assert new.recipe.training.start_from == f"{run.path}:best"


def test_a_run_started_with_a_remedy_is_told_the_next_one(
    command: Any, tmp_path: Path, weights: Path, pictures: Path
) -> None:
    """From records that stay as bad, through --from and through a recipe.yaml."""
    small = {key: value for key, value in QUICK.items() if key != "training.precision"}
    recipe = resolve("fast", small | {"data.source": str(pictures)})
    folder, names = run_of(tmp_path / "a", recipe, weights), list[str]()
    for way in ("--recipe", "--from", "--recipe"):
        records = SICK["discriminator-wins"]
        once = [{**records[1], "swd": 80.0}] if way == "--from" else []  # near the data at the start
        (folder / "vitals.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (*once, *records[2:])))
        finding = next(one for one in ganglion.diagnose(folder).findings if one.code == "discriminator-wins")
        first = finding.remedies[0]
        names.append(first.name)
        words = shlex.split(first.command)
        assert words[3] == way
        assert command(*words[1:], "--device", "cpu", "--no-report").code == 0
        folder = Path(words[words.index("--run") + 1])
    assert names == ["penalise-gradient", "lower-d-rate", "smooth-labels"]


def test_text_and_json_show_the_command(command: Any, tmp_path: Path, weights: Path) -> None:
    small = {key: value for key, value in QUICK.items() if key != "training.precision"}
    folder = run_of(tmp_path / "a", resolve("fast", small), weights)
    (folder / "vitals.jsonl").write_text("".join(json.dumps(record) + "\n" for record in SICK["mode-collapse"]))
    finding = ganglion.diagnose(folder).findings[0]
    out = command("diagnose", folder).out
    assert f"     {finding.remedies[0].command}\n" in out  # on a line of its own, not wrapped
    tree = json.loads(command("diagnose", folder, "--json").out)["findings"][0]
    assert tree["remedy"] == finding.remedy
    assert tree["remedies"][0]["command"] == finding.remedies[0].command
    assert tree["remedies"][0]["settings"] == {"discriminator.minibatch": "stddev"}
