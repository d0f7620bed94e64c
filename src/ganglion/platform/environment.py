"""Versions, device and threads, for `environment.json` and `ganglion env`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ganglion.platform.command_line import pasteable

__all__ = ["describe_environment", "missing_extras"]


PACKAGES = ("torch", "lightning-fabric", "numpy", "pillow", "safetensors", "pydantic", "scikit-learn", "tensorboard")
EXTRAS = {
    "hub": {
        "datasets": "data sets by name from the Hugging Face Hub",
        "huggingface_hub": "models to and from the Hugging Face Hub",
    },
    "studio": {"gradio": "ganglion studio"},
    "wandb": {"wandb": "the tracker Weights & Biases, for --log wandb"},
    "mlflow": {"mlflow": "the tracker MLflow, for --log mlflow"},
    "trackio": {"trackio": "the tracker Trackio, for --log trackio"},
    "lightning": {"pytorch_lightning": "ganglion.lightning.Watch, a callback of PyTorch Lightning"},
    "eye": {"ndf": "SqueezeNet's ImageNet weights, for --features squeezenet"},
}


def describe_environment(device: torch.device | None = None, command: Sequence[str] = sys.argv) -> dict[str, Any]:
    """Versions, machine, threads, and the device if given. Plain values, ready for JSON."""
    facts: dict[str, Any] = {
        "ganglion": version("ganglion"),
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu_cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cuda_devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "mps": torch.backends.mps.is_available(),
        "command": pasteable(command),
        "folder": str(Path.cwd()),
    }
    return facts | ({"device": str(device)} if device else {})


def missing_extras() -> dict[str, str]:
    """Optional packages that are not installed, with their purpose."""
    return {
        package: f"{purpose}: pip install 'ganglion[{extra}]'"
        for extra, packages in EXTRAS.items()
        for package, purpose in packages.items()
        if find_spec(package) is None
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of a source checkout; None for an installed package."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        found = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
