"""What every room's tests share: a cache of their own, and a finished tiny run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import ganglion
from local_hub import LocalHub, local_hub
from squeezenet import random_weights
from tiny import TINY

settings.register_profile("ganglion", deadline=None)  # a busy machine is no failure
settings.load_profile("ganglion")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where scans and stores go during the tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Thirty steps on the bundled digits, finished. Look, do not touch."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return ganglion.train(
        "digits",
        recipe="dcgan",
        size=16,
        steps=30,
        run=folder,
        precision="32",
        device="cpu",
        set=TINY,
        cache=cache,
        quiet=True,
    )


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Digits at 16x16, some seconds of `fast`: samples are digits, more or less. Look, do not touch."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    small = {"generator.width": 16, "discriminator.width": 12, "latent.dim": 16, "training.snapshot_kimg": 8}
    return ganglion.train(
        "digits", recipe="fast", size=16, kimg=24, batch=32, run=folder, precision="32", device="cpu", set=small, cache=cache,
        quiet=True, at_end=lambda run: None,
    )  # fmt: skip


@pytest.fixture
def squeezenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in place of SqueezeNet's, which come with the extra eye."""
    monkeypatch.setattr("ganglion.metrics.squeezenet.pretrained_weights", lambda cache=None: random_weights())


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hugging Face Hub on this machine, with an empty cache and a token that may write to anna's repositories."""
    from huggingface_hub import constants  # reads the environment once, so it is set here as well

    home = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "may-write")
    with local_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        yield found
