"""Feature networks by name from timm and from the Hugging Face hub; extras, and fetched by those libraries themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganglion.errors import DataError
from ganglion.metrics.extractor import Extractor, Seen, weights_hash

__all__ = ["hf_extractor", "timm_extractor"]

TIMM = partial(import_module, "timm")


def timm_extractor(name: str, device: torch.device, library: Callable[[], Any] = TIMM) -> Extractor:
    """A network of `timm` without its head, such as `resnet18.a1_in1k`. Raises DataError where it is not to be had."""
    try:
        timm = library()
    except ImportError:
        raise DataError(f"--features timm:{name} needs timm: pip install timm, or use learned or random") from None
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0).eval().requires_grad_(False).to(device)
    except Exception as error:  # many libraries stand behind it, each with errors of its own
        raise DataError(
            f"timm:{name} cannot be had ({_first_line(error)}); offline there are learned and random"
        ) from None
    settings: dict[str, Any] = timm.data.resolve_model_data_config(network)
    side = settings["input_size"][-1]
    prepared = _preparation(settings["mean"], settings["std"], side, device)
    return Extractor(
        f"timm:{name}", weights_hash(network.state_dict()), f"timm's {name}, at {side}x{side}",
        lambda images: Seen(network(prepared(images)), None), device, comparable=True,
    )  # fmt: skip


def hf_extractor(name: str, device: torch.device) -> Extractor:
    """An image model of `transformers`, by hub name or folder, such as `facebook/dinov2-small`. Raises DataError."""
    try:
        from transformers import AutoImageProcessor, AutoModel
    except ImportError:
        raise DataError(
            f"--features hf:{name} needs transformers: pip install transformers, or use learned or random"
        ) from None
    try:
        network = AutoModel.from_pretrained(name).eval().requires_grad_(False).to(device)
        settings = AutoImageProcessor.from_pretrained(name)
    except Exception as error:  # as above
        raise DataError(
            f"hf:{name} cannot be had ({_first_line(error)}); offline there are learned and random"
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


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
