"""Checkpoints: safetensors and JSON, never pickle. Written beside their place, synced, checked by hash, renamed.

checkpoints/00012000/  generator.safetensors ema.safetensors discriminator.safetensors optimizers.safetensors state.json
checkpoints/latest     the name of the newest;  checkpoints/best: the name of the best by the cheap score
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.errors import CheckpointError
from ganglion.platform.files import move, storage_errors, sync_folder, write_atomically, write_synced
from ganglion.training.players import Players, TrainingProgress

__all__ = [
    "find_checkpoint",
    "load_discriminator",
    "load_generator",
    "prune",
    "restore",
    "save_checkpoint",
    "steps_saved",
]


FORMAT = 1


def save_checkpoint(folder: Path, players: Players, position: TrainingProgress) -> None:
    """Writes `folder`/STEP, points `latest` at it and `best` at the position's best step. Raises StorageError.

    At no moment is there a half-written checkpoint under a step's name.
    """
    name = f"{position.step:08d}"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        writing = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        try:
            _write_files(writing, players, position)
            shutil.rmtree(folder / name, ignore_errors=True)  # an older life of this run may have left one
            move(writing, folder / name)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
        sync_folder(folder)
    write_atomically(folder / "latest", f"{name}\n".encode())
    if position.best_step not in (None, _pointer(folder, "best")):  # an older one, where a damaged best was left behind
        write_atomically(folder / "best", f"{position.best_step:08d}\n".encode())


def prune(folder: Path, keep: int) -> None:
    """Deletes all but the `keep` newest checkpoints and the best one, and what a killed process left half-written.

    The newest one that counts is read and whole: damaged ones after it stay, and there is always one to go on from.
    """
    best, steps = _pointer(folder, "best"), steps_saved(folder)
    while steps and not _is_whole(folder / f"{steps[-1]:08d}"):
        steps.pop()
    for step in steps[:-keep]:
        if step != best:
            shutil.rmtree(folder / f"{step:08d}", ignore_errors=True)
    for leftover in folder.glob(".writing-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def restore(folder: Path, players: Players, say: Callable[[str], None]) -> TrainingProgress | None:
    """Loads the newest whole checkpoint into `players`; None where there is none. A damaged one is named by `say`."""
    damage = []
    for step in reversed(steps_saved(folder)):
        try:
            files, position = _read_files(folder / f"{step:08d}")
        except CheckpointError as error:
            damage.append(step)
            say(f"{error}; going back to the one before")
            continue
        for name, network in players.networks().items():
            network.load_state_dict(files[name])
        _restore_optimizers(files["optimizers"], players.optimizers())
        return position
    if damage:
        raise CheckpointError(
            f"every checkpoint in {folder} is damaged: start over with --fresh, or name another --run"
        )
    return None


def find_checkpoint(folder: Path, which: str | int) -> Path:
    """The folder of `best`, `latest` or a step. Raises CheckpointError."""
    steps = steps_saved(folder)
    if not steps:
        raise CheckpointError(f"there is no checkpoint in {folder.parent} yet")
    if which in ("best", "latest"):
        step = _pointer(folder, str(which))
        return folder / f"{step if step in steps else steps[-1]:08d}"
    if str(which).isdecimal() and int(which) in steps:
        return folder / f"{int(which):08d}"
    raise CheckpointError(
        f"there is no checkpoint {which!r} in {folder.parent}; there are best, latest, {', '.join(map(str, steps))}"
    )


def load_generator(checkpoint: Path, generator: nn.Module) -> None:
    """Loads the averaged weights of `checkpoint` into `generator`. Raises CheckpointError where they are damaged."""
    generator.load_state_dict(_tensors(checkpoint, "ema", _read_state(checkpoint)))


def load_discriminator(checkpoint: Path, discriminator: nn.Module) -> None:
    """Loads D's weights of `checkpoint`. Raises CheckpointError where they are damaged."""
    discriminator.load_state_dict(_tensors(checkpoint, "discriminator", _read_state(checkpoint)))


def steps_saved(folder: Path) -> list[int]:
    """Steps of the checkpoints in `folder`, oldest first."""
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if re.fullmatch(r"\d{8,}", name))


def _write_files(writing: Path, players: Players, position: TrainingProgress) -> None:
    contents = {name: save(_plain(network.state_dict())) for name, network in players.networks().items()}
    contents["optimizers"] = save(_plain(_optimizer_tensors(players.optimizers())))
    for name, content in contents.items():
        write_synced(writing / f"{name}.safetensors", content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    state = {"format": FORMAT, "position": asdict(position), "sha256": hashes}
    write_synced(writing / "state.json", json.dumps(state | {"self": _self_hash(state)}, indent=1).encode())
    sync_folder(writing)


def _read_files(checkpoint: Path) -> tuple[dict[str, dict[str, Tensor]], TrainingProgress]:
    state = _read_state(checkpoint)
    files = {name: _tensors(checkpoint, name, state) for name in state["sha256"]}
    return files, TrainingProgress(**state["position"])


def _read_state(checkpoint: Path) -> dict[str, Any]:
    try:
        state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
        if state.pop("self") != _self_hash(state):
            raise ValueError("its hash is wrong")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"checkpoint {checkpoint} is damaged (state.json: {error})") from None
    if state["format"] != FORMAT:
        raise CheckpointError(f"checkpoint {checkpoint} has format {state['format']}; this version reads {FORMAT}")
    return dict(state)


def _is_whole(checkpoint: Path) -> bool:
    """Whether `restore` could read it: every file is there and has its hash."""
    try:
        state = _read_state(checkpoint)
        for name in state["sha256"]:
            _content(checkpoint, name, state)
    except CheckpointError:
        return False
    return True


def _tensors(checkpoint: Path, name: str, state: dict[str, Any]) -> dict[str, Tensor]:
    content = _content(checkpoint, name, state)
    try:
        return dict(load(content))
    except (ValueError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {checkpoint} is damaged ({name}.safetensors: {error})") from None


def _content(checkpoint: Path, name: str, state: dict[str, Any]) -> bytes:
    file = checkpoint / f"{name}.safetensors"
    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != state["sha256"][name]:
            raise ValueError("its hash is wrong")
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint {checkpoint} is damaged ({file.name}: {error})") from None
    return content


def _self_hash(state: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _pointer(folder: Path, name: str) -> int | None:
    try:
        return int((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU and contiguous, as safetensors wants them; the layout in memory is restored on loading."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _optimizer_tensors(optimizers: dict[str, Optimizer]) -> dict[str, Tensor]:
    """Each optimiser's tensors under `player/parameter/quantity`. Rates and betas are the recipe's and are not kept."""
    return {
        f"{player}/{parameter}/{quantity}": torch.as_tensor(value)
        for player, optimizer in optimizers.items()
        for parameter, quantities in optimizer.state_dict()["state"].items()
        for quantity, value in quantities.items()
    }


def _restore_optimizers(tensors: dict[str, Tensor], optimizers: dict[str, Optimizer]) -> None:
    for player, optimizer in optimizers.items():
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            owner, parameter, quantity = name.split("/")
            if owner == player:
                state.setdefault(int(parameter), {})[quantity] = _laid_out_like(weights[int(parameter)], tensor)
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_like(weight: Tensor, tensor: Tensor) -> Tensor:
    """A fused optimiser walks weight and moments in step through memory, so they have to lie there alike."""
    return torch.empty_like(weight).copy_(tensor).detach() if tensor.shape == weight.shape else tensor
