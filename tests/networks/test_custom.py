from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganglion.errors import RecipeError
from ganglion.networks.build import cost_of
from ganglion.networks.custom import WrappedDiscriminator, digest_of, from_file, from_modules
from ganglion.recipe.resolve import resolve

FILE = """
import torch
from torch import nn
class Mine(nn.Linear):
    pass
def generator(recipe):
    return nn.Sequential(Mine(recipe.latent.dim, 144), nn.Tanh(), nn.Unflatten(1, (1, 12, 12)))
def discriminator(recipe):
    return nn.Sequential(nn.Flatten(), Mine(144, 1))
"""


def pair() -> tuple[nn.Module, nn.Module]:
    return nn.Linear(4, 9), nn.Sequential(nn.Flatten(), nn.Linear(9, 1))


def test_a_file_makes_networks_whose_first_weights_follow_the_seed(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(FILE)
    found = from_file(tmp_path / "nets.py")
    keys = {"data.size": 12, "data.channels": 1, **found.keys()}
    first, again, other = (found.build(resolve("dcgan", keys | {"training.seed": seed})) for seed in (1, 1, 2))
    weight = [network.state_dict()["network.0.weight"] for network, _ in (first, again, other)]
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])
    assert cost_of(resolve("dcgan", keys), found)[0].parameters == 101 * 144


def test_a_file_is_sent_to_another_process_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "nets.py"
    path.write_text(FILE)
    sent = pickle.dumps(from_file(path))
    path.unlink()
    sys.modules.pop(next(name for name in sys.modules if name.startswith("ganglion_networks_")))
    found = pickle.loads(sent)
    assert found.build(resolve("dcgan", {"data.size": 12, "data.channels": 1, **found.keys()}))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("def generator(recipe): pass", r"has no function discriminator\(recipe\)"),
        ("import nowhere_at_all", "cannot be run: ModuleNotFoundError"),
        ("def (", "cannot be run: SyntaxError"),
    ],
)
def test_a_file_that_makes_none_is_told(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "nets.py").write_text(content)
    with pytest.raises(RecipeError, match=told):
        from_file(tmp_path / "nets.py")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        from_file(tmp_path / "nets.py")


def test_a_function_that_returns_no_module_is_told(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("def generator(recipe): return 3\ndef discriminator(recipe): return 3")
    with pytest.raises(RecipeError, match=r"generator\(recipe\) returned int; a torch.nn.Module was expected"):
        from_file(tmp_path / "nets.py").build(resolve("dcgan"))


def test_a_digest_changes_with_the_structure_and_not_with_the_weights() -> None:
    class Held(nn.Linear):
        def extra_repr(self) -> str:
            return repr(object())  # with an address

    assert digest_of(Held(2, 3)) == digest_of(Held(2, 3))
    assert (
        len(
            {
                digest_of(network)
                for network in (nn.Linear(2, 3), Held(2, 3), nn.Linear(3, 2), nn.Linear(2, 3, bias=False))
            }
        )
        == 4
    )


def test_modules_are_copied_when_they_are_given() -> None:
    g, d = pair()
    found = from_modules(g, d)
    with torch.no_grad():
        g.weight.zero_()
    assert found.build(resolve("dcgan"))[0].network.weight.abs().sum() > 0


def test_a_module_that_cannot_be_copied_is_told() -> None:
    g, d = pair()
    g.kept = g(torch.zeros(1, 4))  # a result with its graph
    with pytest.raises(RecipeError, match="Linear cannot be copied .* must not keep results"):
        from_modules(g, d)


@pytest.mark.parametrize(
    ("shape", "expected"), [((5,), (5,)), ((5, 1), (5,)), ((5, 1, 1, 1), (5,)), ((5, 1, 3, 2), (5, 6))]
)
def test_logits_are_one_for_each_image_or_for_each_place(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    class Says(nn.Module):
        def forward(self, _images: Tensor) -> Tensor:
            return torch.arange(float(torch.tensor(shape).prod())).view(shape)

    logits = WrappedDiscriminator(Says())(torch.zeros(5, 1, 4, 4))
    assert logits.shape == expected
    assert logits[1].flatten()[0] == logits.numel() / 5


def test_features_come_from_all_layers_but_the_last() -> None:
    d = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 1))
    images = torch.rand(5, 1, 4, 4)
    assert [tuple(maps.shape) for maps in WrappedDiscriminator(d).features(images)] == [(5, 4, 2, 2), (5, 7, 1)]
    logits, features = WrappedDiscriminator(d).trace(images)
    assert torch.equal(d[5](features).squeeze(1), logits)
    assert torch.equal(WrappedDiscriminator(d).trace(images, layer="3")[1], d[:4](images))
