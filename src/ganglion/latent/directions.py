"""Directions in latent space along which images change most, found without labels, or that separate two classes.

Z dimensions, K directions, A activations of the first layer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from ganglion.errors import DataError
from ganglion.latent.model import Model
from ganglion.platform.files import write_atomically

__all__ = [
    "METHODS",
    "Directions",
    "class_direction",
    "load_directions",
    "pca_directions",
    "save_directions",
    "sefa_directions",
]


SAMPLES = 4096  # latents from which principal components are taken
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


@dataclass(frozen=True)
class Directions:
    """Unit vectors (K, Z), strongest first, and how strong each is; what strength means is the method's."""

    vectors: Tensor
    strengths: Tensor
    """(K,)"""
    method: str
    names: tuple[str, ...] = ()
    """A name for each, where they have been named."""

    def __len__(self) -> int:
        return len(self.vectors)


def sefa_directions(model: Model, count: int = 8) -> Directions:
    """Eigenvectors of A^T A, for the first layer's weight A (outputs, Z): directions along which its output changes most.

    Closed form, without samples. Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs" (SeFa),
    arXiv 2007.06600, equation 4. Strengths are the square roots of the eigenvalues. Raises DataError where there is no access
    to the first layer.
    """
    weight = _first_weight(model)
    values, vectors = torch.linalg.eigh(weight.T @ weight)  # ascending
    chosen = torch.arange(len(values) - 1, max(-1, len(values) - 1 - count), -1)
    return Directions(_facing(vectors.T[chosen].contiguous()), values[chosen].clamp_min(0).sqrt(), "sefa")


def pca_directions(model: Model, count: int = 8, seed: int = 0) -> Directions:
    """Principal components of the first layer's output, mapped back to z by least squares.

    Härkönen et al. 2020, "GANSpace", arXiv 2004.02546, section 2.2, for a generator with isotropic latents. Strengths are
    standard deviations along the components. Raises DataError where there is no access to the first layer.
    """
    z = model.latents(SAMPLES, seed).cpu().double()  # (N, Z)
    lengths = torch.linalg.qr(_first_weight(model)).R  # of outputs z W' as of z R', which are Z instead of A
    unit, sizes, _ = torch.linalg.svd((z - z.mean(0)) @ lengths.T, full_matrices=False)
    count = min(count, len(sizes), z.shape[1])
    along = unit[:, :count]  # (N, K)
    vectors = torch.linalg.lstsq(along, z - z.mean(0)).solution  # (K, Z)
    return Directions(_facing(vectors / vectors.norm(dim=1, keepdim=True)), sizes[:count] / SAMPLES**0.5, "pca")


METHODS: dict[str, Callable[[Model, int], Directions]] = {"sefa": sefa_directions, "pca": pca_directions}


def class_direction(z: Tensor, of_first: Tensor) -> Directions:
    """The direction from the second class of latents z (N, Z) to the first; `of_first` is bool (N,).

    The normal of the separating plane of a logistic regression; its strength is the cross-validated balanced accuracy.
    Raises DataError where one of the classes has fewer than ten latents.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    x, y = z.cpu().double().numpy(), of_first.cpu().numpy()
    if min(y.sum(), (~y).sum()) < 10:
        raise DataError(f"a direction between classes needs ten samples of each; there are {y.sum()} and {(~y).sum()}")
    probe = LogisticRegression(max_iter=1000)
    accuracy = float(np.mean(cross_val_score(probe, x, y, cv=5, scoring="balanced_accuracy")))
    vector = torch.from_numpy(probe.fit(x, y).coef_)  # (1, Z)
    return Directions(vector / vector.norm(), torch.tensor([accuracy], dtype=torch.float64), "probe")


def save_directions(directions: Directions, path: Path) -> None:
    """Writes a safetensors file. Raises StorageError."""
    held = {"vectors": directions.vectors, "strengths": directions.strengths}
    tensors = {name: tensor.float().contiguous().numpy() for name, tensor in held.items()}  # save() ignores strides
    facts = {"method": directions.method} | ({"names": json.dumps(directions.names)} if directions.names else {})
    write_atomically(path, save(tensors, facts))


def load_directions(path: Path, dim: int) -> Directions:
    """Raises DataError where the file holds no directions of `dim` dimensions."""
    try:
        with safe_open(path, "np") as file:
            vectors, strengths = (torch.from_numpy(file.get_tensor(name)) for name in ("vectors", "strengths"))
            facts = file.metadata() or {}
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{path} holds no directions ({error}); ganglion directions RUN writes such a file") from None
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise DataError(f"{path} holds directions of {vectors.shape[-1]} dimensions; this generator's z has {dim}")
    return Directions(vectors, strengths, path.stem, _names(facts.get("names"), len(vectors)))


def _names(text: str | None, count: int) -> tuple[str, ...]:
    """Names in JSON; none where they are not as many as the directions."""
    try:
        names = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(map(str, names)) if isinstance(names, list) and len(names) == count else ()


def _facing(vectors: Tensor) -> Tensor:
    """Each with its largest coordinate positive, since the sign of a direction is arbitrary."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * torch.sign(largest)


def _first_layer(model: Model) -> nn.Module:
    layers = [] if model.network is None else [m for m in model.network.modules() if isinstance(m, WEIGHTED)]
    first = next((layer for layer in layers if _inputs(layer) >= model.latent.dim), None)
    if first is None:
        raise DataError("directions need the generator's first layer, and this one has none that takes all of z")
    return first


def _inputs(layer: nn.Module) -> int:
    return int(layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels)  # type: ignore[arg-type]


def _first_weight(model: Model) -> Tensor:
    """(outputs, Z) in float64, without the inputs for a class embedding."""
    layer = _first_layer(model)
    weight: Tensor = layer.weight.detach().cpu().double()  # type: ignore[operator]
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        weight = weight.transpose(0, 1)  # (out, in, ...)
    return weight.transpose(1, -1).reshape(-1, weight.shape[1])[:, : model.latent.dim]
