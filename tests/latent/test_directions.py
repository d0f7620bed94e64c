from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

import ganglion
from ganglion.errors import DataError
from ganglion.latent.directions import (
    METHODS,
    Directions,
    class_direction,
    load_directions,
    pca_directions,
    save_directions,
    sefa_directions,
)
from ganglion.latent.model import model_of


class Planted(nn.Module):
    """A first layer whose strongest input directions are known."""

    def __init__(self, convolution: bool = False) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.axes = torch.from_numpy(np.linalg.qr(random.normal(size=(5, 5)))[0]).float()  # columns
        left = torch.from_numpy(np.linalg.qr(random.normal(size=(16, 5)))[0]).float()
        weight = left @ torch.diag(torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5])) @ self.axes.T  # (16, 5)
        if convolution:
            self.first: nn.Module = nn.ConvTranspose2d(5, 4, 2, bias=False)
            self.first.weight.data = weight.T.reshape(5, 4, 2, 2)
        else:
            self.first = nn.Linear(5, 16, bias=False)
            self.first.weight.data = weight

    def forward(self, z: Tensor) -> Tensor:
        seen = self.first(z[:, :, None, None] if isinstance(self.first, nn.ConvTranspose2d) else z)
        return torch.tanh(seen.reshape(-1, 1, 4, 4))


@pytest.mark.parametrize("convolution", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_planted_directions_are_found_in_their_order(method: str, convolution: bool) -> None:
    network = Planted(convolution).eval()
    found = METHODS[method](model_of(network, dim=5), 3)
    agreement = (found.vectors @ network.axes.double()[:, :3]).diagonal().abs()
    assert agreement.tolist() == pytest.approx([1, 1, 1], abs=0.01)
    assert found.strengths.tolist() == pytest.approx([5, 3, 2], rel=0.05)


def test_components_are_those_of_scikit_learn() -> None:
    network = Planted().eval()
    model = model_of(network, dim=5)
    seen = network.first(model.latents(4096)).detach().numpy()
    expected = PCA(3).fit(seen)
    assert pca_directions(model, 3).strengths.numpy() == pytest.approx(np.sqrt(expected.explained_variance_), rel=1e-2)


def test_directions_of_a_trained_generator_are_unit_vectors_that_change_images(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    found = sefa_directions(model, 16)
    assert found.vectors.norm(dim=1).tolist() == pytest.approx([1] * 16)
    assert (found.strengths[:-1] >= found.strengths[1:]).all()
    z = model.latents(16)
    apart = [
        float((model.generate(z + 2 * d.float()) - model.generate(z)).square().mean().sqrt())
        for d in (found.vectors[0], found.vectors[-1])
    ]
    assert apart[0] > apart[1]


def test_more_are_asked_for_than_there_are() -> None:
    model = model_of(Planted().eval(), dim=5)
    assert len(sefa_directions(model, 99)) == len(pca_directions(model, 99)) == 5


def test_a_function_has_no_first_layer() -> None:
    with pytest.raises(DataError, match="has none that takes all of z"):
        sefa_directions(model_of(lambda z: z.view(-1, 1, 2, 2), dim=4))


def test_a_direction_between_classes_separates_them() -> None:
    z = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    wanted = torch.tensor([1.0, -2, 0, 0, 0.5, 0, 0, 0])
    found = class_direction(z, z @ wanted > 0)
    assert float(found.vectors[0].float() @ wanted / wanted.norm()) > 0.95
    assert float(found.strengths[0]) > 0.9
    with pytest.raises(DataError, match="ten samples of each; there are 3 and 397"):
        class_direction(z, torch.arange(400) < 3)


def test_what_is_saved_is_what_is_loaded_and_other_files_are_refused(tmp_path: Path) -> None:
    kept = Directions(torch.eye(4)[:2], torch.tensor([2.0, 1.0]), "sefa")
    save_directions(kept, tmp_path / "d.safetensors")
    again = load_directions(tmp_path / "d.safetensors", 4)
    assert torch.equal(again.vectors, kept.vectors)
    assert torch.equal(again.strengths, kept.strengths)
    with pytest.raises(DataError, match="directions of 4 dimensions; this generator's z has 9"):
        load_directions(tmp_path / "d.safetensors", 9)
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    for name in ("x.safetensors", "missing.safetensors"):
        with pytest.raises(DataError, match="holds no directions"):
            load_directions(tmp_path / name, 4)
