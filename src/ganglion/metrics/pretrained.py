"""Pretrained feature networks: FID's Inception or any TorchScript file, SqueezeNet, timm and the Hugging Face Hub.

FID's Inception file is a direct translation of the TensorFlow graph of 2015; it resizes to 299x299 itself. A TorchScript
file can execute code: use only files you trust."""

from __future__ import annotations

import hashlib
import io
import os
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import interpolate

from ganglion.errors import DataError
from ganglion.metrics.features import Extractor, ExtractorOutput, weights_hash
from ganglion.metrics.squeezenet import pretrained_squeezenet
from ganglion.platform.cache import cache_errors
from ganglion.platform.files import write_atomically

__all__ = [
    "INCEPTION_FILE",
    "find_inception",
    "hf_extractor",
    "inception_extractor",
    "squeezenet_extractor",
    "timm_extractor",
    "torchscript_extractor",
]


INCEPTION_FILE = "inception-2015-12-05.pt"
INCEPTION_URL = f"https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/{INCEPTION_FILE}"
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
TIMEOUT_SEC = 20
OFFLINE = "offline there are --features learned, random, pixels or torchscript:FILE"


def find_inception(cache: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file named by $GANGLION_INCEPTION, or the one in the cache. Raises DataError where the variable names none."""
    named = environment.get("GANGLION_INCEPTION")
    if named and not Path(named).is_file():
        raise DataError(f"GANGLION_INCEPTION is {named}, and there is no such file")
    path = Path(named) if named else cache / "extractors" / INCEPTION_FILE
    return path if path.is_file() else None


def inception_extractor(
    cache: Path, device: torch.device, url: str = INCEPTION_URL, sha256: str = INCEPTION_SHA256, classes: bool = False
) -> Extractor:
    """The Inception network of FID, downloaded once if it is not available; with `classes` also its probabilities, in a second
    pass. Raises DataError where the download fails.
    """
    path = find_inception(cache) or _fetch(cache / "extractors" / INCEPTION_FILE, url, sha256)
    content, key = _read(path)
    if key != sha256:
        raise DataError(
            f"{path} is not {INCEPTION_FILE}: its SHA-256 is {key[:12]}..., not {sha256[:12]}...; "
            f"delete it, or use it by name: --features torchscript:{path}"
        )
    network = _open(path, content, device)

    def embed(images: Tensor) -> ExtractorOutput:
        levels = _in_colour(images).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        features = network(levels, return_features=True)
        return ExtractorOutput(features, network(levels, no_output_bias=True) if classes else None)

    about = "the Inception network of FID: comparable with published scores at equal n and resizing"
    return Extractor("inception", f"{key} classes" if classes else key, about, embed, device, comparable=True)


def torchscript_extractor(path: Path, device: torch.device) -> Extractor:
    """Any TorchScript network that takes float (N, C, H, W) in [-1, 1] and returns (N, A) or (N, A, H, W).

    Raises DataError where the file cannot be read.
    """
    content, key = _read(path)
    network = _open(path, content, device)

    def embed(images: Tensor) -> ExtractorOutput:
        try:
            found = network(images)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise DataError(f"{path} cannot take images {tuple(images.shape)}: {reason}") from None
        if not isinstance(found, Tensor) or found.ndim not in (2, 4) or len(found) != len(images):
            raise DataError(f"{path} must return a tensor (N, A) or (N, A, H, W)")
        return ExtractorOutput(found.mean((2, 3)) if found.ndim == 4 else found, None)

    return Extractor("torchscript", key, f"the network {path.name}", embed, device)


SQUEEZENET_SIDE, SMALLEST_SIDE = 128, 16
"""Images are resized so that they have as many pixels as a square of the first; no side is below the second."""
SQUEEZENET_SCALE = 4.0
"""Root mean square of the features of photographs, by which they are divided: KID's kernel expects numbers around 1."""


def squeezenet_extractor(cache: Path, device: torch.device) -> Extractor:
    """SqueezeNet 1.1 trained on ImageNet: means of the feature maps before its last layer, (N, 512).

    Raises DataError where the package with its weights is not installed.
    """
    network = pretrained_squeezenet(cache).to(device)

    def embed(images: Tensor) -> ExtractorOutput:
        maps = network.features(_with_area(images, SQUEEZENET_SIDE))
        return ExtractorOutput(maps.mean((2, 3)) / SQUEEZENET_SCALE, None)

    about = f"SqueezeNet 1.1 trained on ImageNet, at {SQUEEZENET_SIDE}x{SQUEEZENET_SIDE}: not the network of FID"
    key = f"{weights_hash(dict(network.named_buffers()))} {SQUEEZENET_SIDE} {SQUEEZENET_SCALE}"
    return Extractor("squeezenet", key, about, embed, device, comparable=True)


def _with_area(images: Tensor, side: int) -> Tensor:
    """Images (N, C, H, W) with about `side` * `side` pixels and the same aspect ratio, bicubic."""
    height, width = images.shape[2:]
    scale = side / (height * width) ** 0.5
    size = [max(SMALLEST_SIDE, round(length * scale)) for length in (height, width)]
    return images if size == [height, width] else interpolate(images, size, mode="bicubic", antialias=True)


def _fetch(path: Path, url: str, sha256: str) -> Path:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SEC) as answer:
            content = answer.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"{INCEPTION_FILE} is not available and cannot be downloaded ({reason}): put it at {path} or set "
            f"GANGLION_INCEPTION=FILE (from {url}); {OFFLINE}"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"the download from {url} has SHA-256 {found[:12]}..., not {sha256[:12]}...; it was discarded; {OFFLINE}"
        )
    with cache_errors(path.parent, INCEPTION_FILE, len(content)):
        write_atomically(path, content)
    return path


def _read(path: Path) -> tuple[bytes, str]:
    """The content of the file and its SHA-256."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {OFFLINE}") from None
    return content, hashlib.sha256(content).hexdigest()


def _open(path: Path, content: bytes, device: torch.device) -> Any:
    """The network in `content`, which was read from `path`. Executes its code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # FID's Inception is not published in a newer format
            network: Any = cast(Any, torch.jit.load)(io.BytesIO(content), map_location=device)
    except (RuntimeError, ValueError):
        raise DataError(f"{path} cannot be read (it is not a TorchScript file); {OFFLINE}") from None
    return network.eval()


def _in_colour(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


TIMM = partial(import_module, "timm")
TRANSFORMERS = partial(import_module, "transformers")
WEIGHTS = "model.safetensors"


class Fetch(Protocol):
    """Returns the local path of a file of a hub repository, downloaded if it is not cached."""

    def __call__(self, repository: str, file: str, revision: str | None) -> str: ...


def from_hub(repository: str, file: str, revision: str | None) -> str:
    path: str = import_module("huggingface_hub").hf_hub_download(repository, file, revision=revision)  # comes with timm
    return path


def timm_extractor(
    name: str, device: torch.device, library: Callable[[], Any] = TIMM, fetch: Fetch = from_hub
) -> Extractor:
    """A network of `timm` without its head, such as `resnet18.a1_in1k`. Raises DataError where it is not available."""
    timm = _imported(library, "timm", f"timm:{name}")
    try:
        given = {
            "state_dict": _timm_weights(timm, name, fetch),
            "source": "",
        }  # timm then does not download weights itself
        network = timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=given)
        network = network.eval().requires_grad_(False).to(device)
    except Exception as error:  # it calls several libraries with different errors
        raise DataError(
            f"timm:{name} is not available as safetensors ({_first_line(error)}); offline, use learned or random"
        ) from None
    settings: dict[str, Any] = timm.data.resolve_model_data_config(network)
    side = settings["input_size"][-1]
    prepared = _preparation(settings["mean"], settings["std"], side, device)
    key = _key(network, settings["mean"], settings["std"], side)
    return Extractor(
        f"timm:{name}", key, f"timm's {name}, at {side}x{side}",
        lambda images: ExtractorOutput(network(prepared(images)), None), device, comparable=True,
    )  # fmt: skip


def _timm_weights(timm: Any, name: str, fetch: Fetch) -> dict[str, Tensor]:
    """By timm's names: one of its own, hf-hub:OWNER/NAME[@REVISION], local-dir:FOLDER."""
    source, _, location = name.rpartition(":")
    if source == "local-dir":
        return load_file(Path(location) / WEIGHTS)
    if not source:
        known = timm.get_pretrained_cfg(name)
        location = (known and known.hf_hub_id) or ""
    if not location:
        raise LookupError(f"timm has no {WEIGHTS} on the hub under this name")
    repository, _, revision = location.partition("@")
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
            f"hf:{name} is not available as safetensors ({_first_line(error)}); offline, use learned or random"
        ) from None
    side = next(iter(dict(getattr(settings, "crop_size", None) or settings.size).values()))
    prepared = _preparation(settings.image_mean, settings.image_std, side, device)

    def embed(images: Tensor) -> ExtractorOutput:
        found = network(pixel_values=prepared(images))
        pooled = getattr(found, "pooler_output", None)
        return ExtractorOutput((found.last_hidden_state[:, 0] if pooled is None else pooled).flatten(1), None)

    key = _key(network, settings.image_mean, settings.image_std, side, network.config.to_diff_dict())
    return Extractor(f"hf:{name}", key, f"{name}, at {side}x{side}", embed, device, comparable=True)


def _key(network: Any, mean: Any, std: Any, side: int, config: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Of all that its features depend on: not of where its files lie, and of which version wrote them."""
    settings = {name: config[name] for name in sorted(config) if not name.startswith("_") and "version" not in name}
    text = f"{weights_hash(network.state_dict())} {list(mean)} {list(std)} {side} {settings}"
    return hashlib.sha256(text.encode()).hexdigest()


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
    except Exception as error:  # its own imports may fail in any way, such as a torchvision for another torch
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            message = f"--features {features} needs {package}: pip install {package}, or use learned or random"
        else:
            message = (
                f"--features {features}: {package} is installed but cannot be imported ({_first_line(error)}); reinstall it, "
                "or use learned or random"
            )
        raise DataError(message) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
