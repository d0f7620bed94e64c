"""Feature networks by name from timm and from the Hugging Face hub; both libraries are extras.

Weights are read from safetensors only: a pickled file runs code when it is opened, and so may a hub's own model code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import interpolate

from ganglion.errors import DataError
from ganglion.metrics.extractor import Extractor, Seen, weights_hash

__all__ = ["hf_extractor", "timm_extractor"]

TIMM = partial(import_module, "timm")
TRANSFORMERS = partial(import_module, "transformers")
WEIGHTS = "model.safetensors"


class Fetch(Protocol):
    """Where a file of a repository of the hub lies on this machine, fetched if it is not there yet."""

    def __call__(self, repository: str, file: str, revision: str | None) -> str: ...


def from_hub(repository: str, file: str, revision: str | None) -> str:
    path: str = import_module("huggingface_hub").hf_hub_download(repository, file, revision=revision)  # comes with timm
    return path


def timm_extractor(
    name: str, device: torch.device, library: Callable[[], Any] = TIMM, fetch: Fetch = from_hub
) -> Extractor:
    """A network of `timm` without its head, such as `resnet18.a1_in1k`. Raises DataError where it is not to be had."""
    timm = _imported(library, "timm", f"timm:{name}")
    try:
        given = {"state_dict": _timm_weights(timm, name, fetch), "source": ""}  # timm then looks for no file of its own
        network = timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=given)
        network = network.eval().requires_grad_(False).to(device)
    except Exception as error:  # many libraries stand behind it, each with errors of its own
        raise DataError(
            f"timm:{name} cannot be had as safetensors ({_first_line(error)}); offline there are learned and random"
        ) from None
    settings: dict[str, Any] = timm.data.resolve_model_data_config(network)
    side = settings["input_size"][-1]
    prepared = _preparation(settings["mean"], settings["std"], side, device)
    return Extractor(
        f"timm:{name}", weights_hash(network.state_dict()), f"timm's {name}, at {side}x{side}",
        lambda images: Seen(network(prepared(images)), None), device, comparable=True,
    )  # fmt: skip


def _timm_weights(timm: Any, name: str, fetch: Fetch) -> dict[str, Tensor]:
    """By the names that timm takes: one of its own, hf-hub:OWNER/NAME[@REVISION], local-dir:FOLDER."""
    source, _, place = name.rpartition(":")
    if source == "local-dir":
        return load_file(Path(place) / WEIGHTS)
    if not source:
        known = timm.get_pretrained_cfg(name)
        place = (known and known.hf_hub_id) or ""
    if not place:
        raise LookupError(f"timm has no weights on the hub under this name, and {WEIGHTS} is what is read")
    repository, _, revision = place.partition("@")
    return load_file(fetch(repository, WEIGHTS, revision or None))


def hf_extractor(name: str, device: torch.device, library: Callable[[], Any] = TRANSFORMERS) -> Extractor:
    """An image model of `transformers`, by hub name or folder, such as `facebook/dinov2-small`. Raises DataError."""
    transformers = _imported(library, "transformers", f"hf:{name}")
    try:
        network = transformers.AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
        network = network.eval().requires_grad_(False).to(device)
        settings = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # as above
        raise DataError(
            f"hf:{name} cannot be had as safetensors ({_first_line(error)}); offline there are learned and random"
        ) from None
    side = next(iter(dict(getattr(settings, "crop_size", None) or settings.size).values()))
    prepared = _preparation(settings.image_mean, settings.image_std, side, device)

    def look(images: Tensor) -> Seen:
        found = network(pixel_values=prepared(images))
        pooled = getattr(found, "pooler_output", None)
        return Seen((found.last_hidden_state[:, 0] if pooled is None else pooled).flatten(1), None)

    return Extractor(
        f"hf:{name}", weights_hash(network.state_dict()), f"{name}, at {side}x{side}", look, device, comparable=True
    )


def _preparation(mean: Any, std: Any, side: int, device: torch.device) -> Any:
    centre, spread = (torch.tensor(list(values), device=device)[:, None, None] for values in (mean, std))

    def prepared(images: Tensor) -> Tensor:
        colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        sized = interpolate(colour, (side, side), mode="bicubic", align_corners=False, antialias=True)
        return ((sized + 1) / 2 - centre) / spread

    return prepared


def _imported(library: Callable[[], Any], package: str, features: str) -> Any:
    try:
        return library()
    except Exception as error:  # what it imports in turn may fail in any way, such as a torchvision for another torch
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            message = f"--features {features} needs {package}: pip install {package}, or use learned or random"
        else:
            message = (
                f"--features {features}: {package} is installed and cannot be imported ({_first_line(error)}); repair it, "
                "or use learned or random"
            )
        raise DataError(message) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
