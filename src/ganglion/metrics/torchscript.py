"""Feature networks that come as TorchScript: the Inception of FID as the StyleGAN line has it, or any other file.

The Inception's file is a direct translation of the TensorFlow graph of 2015 with which FID was defined; it resizes to
299x299 itself. A TorchScript file runs code: take it only from where you trust it.
"""

from __future__ import annotations

import hashlib
import io
import os
import urllib.error
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ganglion.data.atomic import write_atomically
from ganglion.errors import DataError
from ganglion.metrics.extractor import Extractor, Seen

__all__ = ["INCEPTION_FILE", "inception_at_hand", "inception_extractor", "torchscript_extractor"]

INCEPTION_FILE = "inception-2015-12-05.pt"
INCEPTION_URL = f"https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/{INCEPTION_FILE}"
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
TIMEOUT_SEC = 20
OFFLINE = "offline there are --features learned, random, pixels or torchscript:FILE"


def inception_at_hand(cache: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file named by $GANGLION_INCEPTION, or the one in the cache."""
    named = environment.get("GANGLION_INCEPTION")
    places = [Path(named)] if named else [cache / "extractors" / INCEPTION_FILE]
    return next((place for place in places if place.is_file()), None)


def inception_extractor(
    cache: Path, device: torch.device, url: str = INCEPTION_URL, sha256: str = INCEPTION_SHA256
) -> Extractor:
    """The Inception network of FID, fetched once if it is not at hand. Raises DataError where there is no way to it."""
    place = inception_at_hand(cache) or _fetch(cache / "extractors" / INCEPTION_FILE, url, sha256)
    content, key = _read(place)
    if key != sha256:
        raise DataError(
            f"{place} is not {INCEPTION_FILE}: its SHA-256 is {key[:12]}..., not {sha256[:12]}...; "
            f"delete it, or use it by name: --features torchscript:{place}"
        )
    network = _open(place, content, device)

    def look(images: Tensor) -> Seen:
        levels = _in_colour(images).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        features = network(levels, return_features=True)
        return Seen(features, network(levels, no_output_bias=True))

    about = "the Inception network of FID: scores compare with those of others at equal n and resize"
    return Extractor("inception", key, about, look, device, comparable=True)


def torchscript_extractor(path: Path, device: torch.device) -> Extractor:
    """Any TorchScript network that takes float (N, C, H, W) in [-1, 1] and returns (N, A) or (N, A, H, W).

    Raises DataError where the file cannot be read.
    """
    content, key = _read(path)
    network = _open(path, content, device)

    def look(images: Tensor) -> Seen:
        try:
            found = network(images)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise DataError(f"{path} cannot take images {tuple(images.shape)}: {reason}") from None
        if not isinstance(found, Tensor) or found.ndim not in (2, 4) or len(found) != len(images):
            raise DataError(f"{path} must return a tensor (N, A) or (N, A, H, W)")
        return Seen(found.mean((2, 3)) if found.ndim == 4 else found, None)

    return Extractor("torchscript", key, f"the network {path.name}", look, device)


def _fetch(place: Path, url: str, sha256: str) -> Path:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SEC) as answer:
            content = answer.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"{INCEPTION_FILE} is not at hand and cannot be fetched ({reason}): put it at {place} or name it by "
            f"GANGLION_INCEPTION=FILE (from {url}); {OFFLINE}"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"what {url} sent has SHA-256 {found[:12]}..., not {sha256[:12]}...; it was not kept; {OFFLINE}"
        )
    write_atomically(place, content)
    return place


def _read(path: Path) -> tuple[bytes, str]:
    """The content of the file and its SHA-256."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {OFFLINE}") from None
    return content, hashlib.sha256(content).hexdigest()


def _open(path: Path, content: bytes, device: torch.device) -> Any:
    """The network in what was read from `path`. It runs the code in there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the Inception of FID is published in no newer form
            network: Any = cast(Any, torch.jit.load)(io.BytesIO(content), map_location=device)
    except (RuntimeError, ValueError):
        raise DataError(f"{path} cannot be read (it is not a TorchScript file); {OFFLINE}") from None
    return network.eval()


def _in_colour(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
