"""Scores kept in a run: `evaluation.json`, the results of `ganglion evaluate RUN`, a list, newest last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ganglion.metrics.evaluation import Evaluation
from ganglion.platform.files import write_atomically
from ganglion.runs.folder import Run

__all__ = ["KeptScores", "keep_scores", "kept_scores"]


@dataclass(frozen=True)
class KeptScores:
    """One evaluation of a checkpoint."""

    checkpoint: str
    """The name of its folder."""
    evaluation: dict[str, Any]
    """As `Evaluation.to_json` gives it."""

    @property
    def settings(self) -> tuple[object, ...]:
        """What scores depend on: with equal ones the newer replaces the older."""
        tree = self.evaluation
        of_samples = tree["fake"]["images"], tree["seeds"]
        return (
            self.checkpoint,
            tree["features_hash"],
            tree["real"]["content"],
            *of_samples,
            tree.get("held_out_content"),
        )


def keep_scores(run: Run, checkpoint: str, evaluation: Evaluation) -> None:
    """Adds an evaluation; of the same checkpoint with the same settings, its scores replace those of their names and are added
    to the others. Raises StorageError.
    """
    new, before = KeptScores(checkpoint, evaluation.to_json()), kept_scores(run)
    others = [one for one in before if one.settings != new.settings]
    measured = {score["name"] for score in new.evaluation["scores"]}
    for one in (one for one in before if one.settings == new.settings):
        new.evaluation["scores"] += [score for score in one.evaluation["scores"] if score["name"] not in measured]
        new.evaluation["left_out"] = {
            name: why
            for name, why in (one.evaluation["left_out"] | new.evaluation["left_out"]).items()
            if name not in measured
        }
    tree = [{"checkpoint": one.checkpoint, "evaluation": one.evaluation} for one in (*others, new)]
    write_atomically(run.evaluation_path, json.dumps(tree, indent=1).encode())


def kept_scores(run: Run) -> list[KeptScores]:
    """Those that are kept, oldest first; none where the file is not there or cannot be read."""
    try:
        tree = json.loads(run.evaluation_path.read_text(encoding="utf-8"))
        found = [KeptScores(str(one["checkpoint"]), dict(one["evaluation"])) for one in tree]
        return [one for one in found if one.settings and isinstance(one.evaluation["scores"], list)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
