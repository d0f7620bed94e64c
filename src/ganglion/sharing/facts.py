"""What a model card says of a run, chosen fact by fact: no name of a file, folder or machine is among them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion.data.fit import fit_of
from ganglion.data.store import find_packed, is_settled
from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError
from ganglion.latent.model import Model
from ganglion.metrics.features import packed_key
from ganglion.recipe.resolve import preset_names, resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.folder import Run, changes
from ganglion.runs.scores import KeptScores, kept_scores
from ganglion.sharing.public_recipe import public_recipe

__all__ = ["RunFacts", "run_facts"]

NOT_SHOWN = ("data.", "training.start_from", "training.keep_checkpoints", "name")


@dataclass(frozen=True)
class RunFacts:
    """Facts on a run at one of its checkpoints."""

    recipe: Recipe
    """The public one."""
    step: int
    images_seen: float
    """Thousands of images shown to D until the checkpoint."""
    minutes: float | None
    """Of training until then; None where no record says."""
    parameters: int
    """Of G."""
    device: str
    versions: str
    images: int | None
    """In the data set; None where it is not known any more."""
    differences: list[tuple[str, str, str]]
    """Key, value of the preset, value of the run; empty where the recipe is based on none."""
    verdict: Verdict
    scores: KeptScores | None
    """Those of this checkpoint's evaluation with the most of them, the newest of several; None where it was not evaluated."""

    @property
    def same_images(self) -> bool:
        """Whether the scores are against the images that it was trained on."""
        data = self.recipe.data
        if self.scores is None or data.content is None or not is_settled(data):
            return False
        return bool(self.scores.evaluation["real"]["content"] == packed_key(data.content, fit_of(data)))


def run_facts(run: Run, model: Model, cache: Path) -> RunFacts:
    """The facts on `run` at the checkpoint of `model`. `cache` holds the packed images, where they still are."""
    recipe, public, checkpoint = run.recipe, public_recipe(run.recipe), model.checkpoint
    step, records = int(checkpoint.name), run.records()
    record = next((one for one in records if one.get("step") == step), {})
    environment = run.environment()
    seconds = record.get("seconds")
    return RunFacts(
        public, step, float(record.get("kimg", step * recipe.training.batch / 1000)),
        None if seconds is None else float(seconds) / 60, sum(weight.numel() for weight in model.generator.parameters()),
        _device(environment), _versions(environment), _images(recipe, cache),
        _differences(public), diagnose(run.path),
        _most_scores([one for one in kept_scores(run) if one.checkpoint == checkpoint.name]),
    )  # fmt: skip


def _most_scores(found: list[KeptScores]) -> KeptScores | None:
    """The evaluation with the most scores, the newest of several."""
    return max(reversed(found), key=lambda one: len(one.evaluation["scores"]), default=None)


def _device(environment: dict[str, Any]) -> str:
    """Such as `2 x NVIDIA H100` or `CPU, 8 cores`."""
    kind, count = str(environment.get("device", "")), environment.get("devices", 1)
    names = environment.get("cuda_devices") or []
    if kind.startswith("cuda") and names:
        return f"{count} x {names[0]}"
    if kind == "cpu":
        return f"CPU, {environment.get('cpu_cores', '?')} cores"
    return {"mps": "Apple GPU"}.get(kind, "unknown")


def _versions(environment: dict[str, Any]) -> str:
    torch = (environment.get("packages") or {}).get("torch")
    found = {"Ganglion": environment.get("ganglion"), "PyTorch": torch}
    return ", ".join(f"{name} {version}" for name, version in found.items() if version)


def _images(recipe: Recipe, cache: Path) -> int | None:
    if recipe.data.class_counts and recipe.data.conditional:
        return sum(recipe.data.class_counts) + (recipe.data.held_out_images or 0)
    with suppress(DataError):
        store = find_packed(recipe.data, cache)
        return None if store is None else len(store.images)
    return None


def _differences(recipe: Recipe) -> list[tuple[str, str, str]]:
    if recipe.name not in preset_names():
        return []
    found = changes(resolve(recipe.name), recipe)
    return [(key, old, new) for key, old, new in found if not key.startswith(NOT_SHOWN)]
