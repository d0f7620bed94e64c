"""Checkpoints: safetensors and JSON, never pickle. Written to a temporary folder, synced, renamed, and verified by hash.

checkpoints/00012000/  generator.safetensors ema.safetensors discriminator.safetensors optimizers.safetensors state.json
checkpoints/latest     the name of the newest;  checkpoints/best: the name of the best by the cheap score
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ganglion.errors import CheckpointError
from ganglion.platform.files import move, storage_errors, sync_folder, write_atomically, write_synced
from ganglion.runs.optimizer_state import Optimizers, load_optimizers, optimizer_tensors

__all__ = [
    "TrainingProgress",
    "find_checkpoint",
    "is_whole",
    "load_discriminator",
    "load_generator",
    "named_checkpoint",
    "prune",
    "read_checkpoint",
    "restore",
    "save_checkpoint",
    "saved_progress",
    "steps_saved",
]


FORMAT = 3
HEALTHY_KEPT = 2  # what fails has begun some records before it shows, so that the newest healthy one may be ill as well
SCORE_NOISE = 1.03  # other latents change the score of one generator by 2 to 2.5 % (standard deviation of five draws)

Networks = Mapping[str, nn.Module]
"""By the name of their file in a checkpoint."""


@dataclass
class TrainingProgress:
    """State of a run other than tensors, as needed for exact resuming."""

    step: int = 0
    images: int = 0
    """Real images shown to D."""
    seconds: float = 0.0
    """Time spent training, over all sessions."""
    best_step: int | None = None
    best_score: float | None = None
    """The smallest score so far."""
    reference_score: float | None = None
    """Reference for progress; it is updated only by a score that is lower by more than the noise."""
    lowest_kimg: float | None = None
    """Thousands of images at which the reference was last updated."""
    scores_since: int = 0
    """Scores after it."""
    stopped: str | None = None
    """Why the run ended before its budget; None if it did not."""
    images_before: int = 0
    """Images behind averaged weights that were taken over whole from another run: their half-life does not ramp up again."""
    gaussian_distances: tuple[float, ...] | None = None
    """The distances that `relative_distance` counts as 1; measured at the first snapshot, and kept with the run."""
    threads: int | None = None  # CPU threads of each process; with another number sums are rounded otherwise
    healthy_steps: tuple[int, ...] = ()
    """Of the newest checkpoints at which the verdict was healthy, oldest first; a treatment goes back to one of them."""

    def __post_init__(self) -> None:
        self.healthy_steps = tuple(self.healthy_steps)  # JSON has lists

    def keep_best(self, score: float, noise: float = SCORE_NOISE) -> None:
        """Makes this step the best one, unless an earlier score was better by more than its noise, a factor.

        Once G is good, score differences are mostly noise, and the newest weights are preferred.
        Progress is measured against a reference that small improvements do not update, so that they accumulate.
        """
        lowest = score if self.best_score is None else min(score, self.best_score)
        self.scores_since += 1
        if self.reference_score is None or score * SCORE_NOISE < self.reference_score:
            self.reference_score, self.lowest_kimg, self.scores_since = score, self.images / 1000, 0
        if score <= lowest * noise:
            self.best_step = self.step
        self.best_score = lowest

    def keep_healthy(self) -> None:
        """Makes this step one of those to which a treatment can go back."""
        self.healthy_steps = (*self.healthy_steps, self.step)[-HEALTHY_KEPT:]


def save_checkpoint(folder: Path, networks: Networks, optimizers: Optimizers, progress: TrainingProgress) -> None:
    """Writes `folder`/STEP, points `latest` at it and `best` at the best step. Raises StorageError.

    There is never a partial checkpoint under a step's name.
    """
    name = f"{progress.step:08d}"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        writing = folder / f".writing-{secrets.token_hex(4)}"  # tempfile's are for their owner alone
        try:
            writing.mkdir()
            _write_files(writing, networks, optimizers, progress)
            shutil.rmtree(folder / name, ignore_errors=True)  # from an earlier, lost session
            move(writing, folder / name)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
        sync_folder(folder)
    write_atomically(folder / "latest", f"{name}\n".encode())
    if progress.best_step not in (None, _pointer(folder, "best")):  # may be older, where the best checkpoint is damaged
        write_atomically(folder / "best", f"{progress.best_step:08d}\n".encode())


def prune(folder: Path, keep: int, also: Collection[int] = ()) -> None:
    """Deletes all but the `keep` newest checkpoints, the best one and the steps `also`, and partial ones of killed processes.

    Damaged checkpoints newer than the newest intact one do not count, so that an intact one always remains.
    """
    best, steps = _pointer(folder, "best"), steps_saved(folder)
    while steps and not is_whole(folder / f"{steps[-1]:08d}"):
        steps.pop()
    for step in steps[:-keep]:
        if step != best and step not in also:
            shutil.rmtree(folder / f"{step:08d}", ignore_errors=True)
    for leftover in folder.glob(".writing-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def restore(
    folder: Path, networks: Networks, optimizers: Optimizers, say: Callable[[str], None]
) -> TrainingProgress | None:
    """Loads the newest intact checkpoint; None where there is none. Damaged ones are reported through `say` and skipped."""
    damage = []
    for step in reversed(steps_saved(folder)):
        try:
            files, progress = read_checkpoint(folder / f"{step:08d}")
        except CheckpointError as error:
            damage.append(step)
            say(f"{error}; using the one before")
            continue
        for name, network in networks.items():
            network.load_state_dict(files[name])
        load_optimizers(files["optimizers"], optimizers)
        return progress
    if damage:
        raise CheckpointError(f"every checkpoint in {folder} is damaged: use --fresh to start over, or another --run")
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
        f"there is no checkpoint {which!r} in {folder.parent}; checkpoints are best, latest, {', '.join(map(str, steps))}"
    )


def named_checkpoint(folder: Path, which: str | int) -> Path:
    """As `find_checkpoint`, but never another one than the one that `best` or `latest` names. Raises CheckpointError."""
    found = find_checkpoint(folder, which)
    step = _pointer(folder, str(which)) if which in ("best", "latest") else None
    if step is not None and found.name != f"{step:08d}":
        raise CheckpointError(
            f"the {which} checkpoint of {folder.parent}, step {step}, is not there; there are steps "
            f"{', '.join(map(str, steps_saved(folder)))}: name one of them"
        )
    return found


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


def _write_files(writing: Path, networks: Networks, optimizers: Optimizers, progress: TrainingProgress) -> None:
    contents = {name: save(_plain(network.state_dict())) for name, network in networks.items()}
    contents["optimizers"] = save(_plain(optimizer_tensors(optimizers)))
    for name, content in contents.items():
        write_synced(writing / f"{name}.safetensors", content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    state = {"format": FORMAT, "progress": asdict(progress), "sha256": hashes}
    write_synced(writing / "state.json", json.dumps(state | {"self": _self_hash(state)}, indent=1).encode())
    sync_folder(writing)


def read_checkpoint(checkpoint: Path) -> tuple[dict[str, dict[str, Tensor]], TrainingProgress]:
    """Its tensors by file and name, and how far it is. Raises CheckpointError where it is damaged."""
    state = _read_state(checkpoint)
    files = {name: _tensors(checkpoint, name, state) for name in state["sha256"]}
    return files, TrainingProgress(**state["progress"])


def saved_progress(folder: Path) -> TrainingProgress | None:
    """How far the newest intact checkpoint is; None where there is none."""
    for step in reversed(steps_saved(folder)):
        if is_whole(checkpoint := folder / f"{step:08d}"):
            return TrainingProgress(**_read_state(checkpoint)["progress"])
    return None


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


def is_whole(checkpoint: Path) -> bool:
    """Whether every file is present and has its hash."""
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
    """On the CPU, contiguous and without shared memory (tied weights share theirs), as safetensors requires; the memory
    layout is restored on loading.
    """
    plain: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        there = tensor.detach().cpu().contiguous()
        place = there.untyped_storage().data_ptr()
        plain[name] = there.clone() if place in places else there
        places.add(place)
    return plain
