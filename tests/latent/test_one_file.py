"""Models from the Hub; that they draw what their run draws is in tests/sharing/test_push.py.

Exported files are tested in test_single_file.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load, save
from torch import nn

import ganglion
from ganglion.errors import HubError
from ganglion.hub.checksums import SUMS, checksums
from ganglion.latent.model import discriminator_of
from ganglion.latent.one_file import WEIGHTS
from ganglion.recipe.resolve import recipe_text, update
from local_hub import LocalHub
from tiny import TINY

NAME = "anna/tiny"
Changed = Callable[..., str]


def with_recipe(content: bytes, recipe: str, path: Path) -> bytes:
    """The file with another recipe in its header; the hash in it is of the weights alone."""
    path.write_bytes(content)
    with safe_open(path, framework="numpy") as file:
        return save(load(content), {**file.metadata(), "recipe": recipe})


@pytest.fixture
def changed(hub: LocalHub, tiny_run: ganglion.Run, tmp_path: Path) -> Changed:
    """Puts a model with another file of weights on the Hub, with its right hash; returns its name."""

    def put(weights: bytes | None = None, recipe: str | None = None) -> str:
        ganglion.push(tiny_run, NAME, "mit")
        contents = dict(hub.model(NAME).files())
        if recipe is not None:
            weights = with_recipe(contents[WEIGHTS], recipe, tmp_path / "changed.safetensors")
        contents |= {} if weights is None else {WEIGHTS: weights}
        del contents[SUMS]
        hub.model(NAME).commit("main", {**contents, SUMS: checksums(contents)}, "changed")
        return f"hf:{NAME}"

    return put


def test_a_model_from_the_hub_is_in_eval_mode_and_has_its_recipe_but_no_d(changed: Changed) -> None:
    model = ganglion.load(changed())
    assert not model.generator.training
    assert model.recipe.data.source == "digits"
    assert discriminator_of(model) is None
    assert model.origin.startswith(f"hf:{NAME}@")


def test_options_that_a_model_from_the_hub_has_not_are_refused(changed: Changed) -> None:
    name = changed()
    with pytest.raises(HubError, match="has one checkpoint, and 'latest' was asked for: name a revision"):
        ganglion.load(name, "latest")
    with pytest.raises(HubError, match="comes without D: leave out discriminator="):
        ganglion.load(name, discriminator=nn.Linear(1, 1))
    with pytest.raises(HubError, match="leave out generator="):
        ganglion.load(name, generator=nn.Linear(1, 1))


@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95pickle", b"<html>" * 9, b"\xff" * 8 + b"{}"])
def test_weights_that_are_no_safetensors_are_not_loaded(changed: Changed, content: bytes) -> None:
    with pytest.raises(
        HubError, match=r"^hf:anna/tiny@\w+ cannot be used: generator.safetensors cannot be read as safetensors"
    ):
        ganglion.load(changed(weights=content))


def test_tensors_of_another_program_are_not_loaded(changed: Changed) -> None:
    with pytest.raises(HubError, match="cannot be used: generator.safetensors is not a generator of ours"):
        ganglion.load(changed(weights=save({"w": np.zeros(3, np.float32)})))


def test_weights_that_do_not_fit_the_recipe_are_not_loaded(changed: Changed, tiny_run: ganglion.Run) -> None:
    wider = recipe_text(update(tiny_run.recipe, generator__width=8))
    with pytest.raises(HubError, match="cannot be used: the weights in generator.safetensors do not fit the network"):
        ganglion.load(changed(recipe=wider))


BOMB = "a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (BOMB, "it has aliases"),
        ("a: [", "while parsing"),
        ("!!python/object/apply:os.system ['touch harm']", "could not determine a constructor"),
        ("just text", "valid dictionary|mapping"),
        ("training: {steps: 1, warp: 9}", "warp"),
    ],
    ids=["aliases", "yaml", "code", "text", "newer"],
)
def test_a_recipe_that_cannot_be_used_is_refused(changed: Changed, recipe: str, reason: str) -> None:
    with pytest.raises(
        HubError, match=f"(?s)generator.safetensors: the recipe in its header cannot be used: .*({reason})"
    ):
        ganglion.load(changed(recipe=recipe))


class OwnG(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 256), nn.Tanh())

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.layers(z).view(-1, 1, 16, 16)


class OwnD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(256, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


def trained(folder: Path, cache: Path, **networks: object) -> ganglion.Run:
    return ganglion.train(
        "digits", recipe="dcgan", size=16, steps=2, run=folder, precision="32", device="cpu", cache=cache, quiet=True,
        set={key: value for key, value in TINY.items() if "width" not in key}, at_end=lambda run: None, **networks,
    )  # type: ignore[arg-type]  # fmt: skip


def test_own_modules_are_passed_again(hub: LocalHub, tmp_path: Path, cache: Path) -> None:
    run = trained(tmp_path / "run", cache, generator=OwnG(), discriminator=OwnD())
    ganglion.push(run, NAME, "mit", generator=OwnG(), cache=cache)
    with pytest.raises(HubError, match="no code is taken from a download: make the generator with code that you trust"):
        ganglion.load(f"hf:{NAME}")
    with pytest.raises(HubError, match="is not the one it was trained with"):
        ganglion.load(f"hf:{NAME}", generator=OwnG(9))
    expected = ganglion.load(run, generator=OwnG()).sample(4)
    assert np.array_equal(ganglion.load(f"hf:{NAME}", generator=OwnG()).sample(4), expected)


FILE = """
from pathlib import Path

from torch import nn

Path(__file__).with_name("executed").touch()


def generator(recipe):
    return nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))


def discriminator(recipe):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
"""


def test_a_file_of_networks_is_neither_sent_nor_executed(hub: LocalHub, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "nets.py").write_text(FILE, encoding="utf-8")
    run = trained(tmp_path / "run", cache, networks=tmp_path / "nets.py")
    ganglion.push(run, NAME, "mit", cache=cache)
    files = hub.model(NAME).files()
    assert not [name for name in files if name.endswith(".py")]
    hub.model(NAME).commit("main", {**files, "networks.py": FILE.encode()}, "with code")
    with pytest.raises(HubError, match="no code is taken from a download"):
        ganglion.load(f"hf:{NAME}")
    network = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
    assert np.array_equal(ganglion.load(f"hf:{NAME}", generator=network).sample(4), ganglion.load(run).sample(4))
    assert not [request for request in hub.requests if "networks.py" in request]


def test_nothing_on_the_way_can_unpickle(changed: Changed, monkeypatch: pytest.MonkeyPatch) -> None:
    name = changed()

    def never(*args: object, **how: object) -> object:
        raise AssertionError("something was unpickled")

    for place in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(place, never)
    assert ganglion.load(name).sample(2).shape == (2, 16, 16, 1)
