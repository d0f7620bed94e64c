"""Runs to be shared: with private names planted wherever a run can hold one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import ganglion
from ganglion.platform.files import write_atomically
from ganglion.recipe.resolve import recipe_text, update

__all__ = ["PLANTED", "with_private_names"]

PLANTED = (
    "maria", "klinik7731", "patienten", "ages-of-patients", "geheim", "vorgaenger", "eigenes-rezept", "rechner12",
    "inception-von-maria",
)  # fmt: skip
"""Words of private names, none of which is part of another word."""


def with_private_names(run: ganglion.Run, folder: Path) -> ganglion.Run:
    """A copy of the run, as if it had been trained at /home/maria with files of such names."""
    copied = ganglion.Run(shutil.copytree(run.path, folder / "klinik7731-maria"))
    recipe = update(
        copied.recipe, name="eigenes-rezept", data__source="/home/maria/klinik7731/patienten", data__data_dir="/srv/geheim",
        data__labels="ages-of-patients.csv", training__start_from="/home/maria/runs/vorgaenger:best",
    )  # fmt: skip
    write_atomically(copied.recipe_path, recipe_text(recipe).encode())
    environment = json.loads((copied.path / "environment.json").read_text(encoding="utf-8"))
    environment |= {"command": "ganglion train /home/maria/klinik7731/patienten", "host": "rechner12"}
    (copied.path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    copied.networks_path.write_text("# geheim, maria\n", encoding="utf-8")
    (copied.path / "start.json").write_text('{"run": "/home/maria/runs/vorgaenger"}', encoding="utf-8")
    (copied.path / "report.html").write_text("<p>/home/maria/klinik7731</p>", encoding="utf-8")
    (copied.path / "notes-of-maria.txt").write_text("geheim", encoding="utf-8")
    copied.evaluation_path.write_text(json.dumps([_evaluation(copied)]), encoding="utf-8")
    return copied


def _evaluation(run: ganglion.Run) -> dict[str, object]:
    facts = {"name": "/home/maria/klinik7731/patienten", "images": 1000, "height": 16, "width": 16, "channels": 1,
             "resize": "klinik7731", "content": "2" * 64}  # fmt: skip
    score = {"name": "fid", "value": 31.4159, "better": "lower", "about": "a distance", "floor": 2.71828, "spread": 0.5,
             "error": None}  # fmt: skip
    return {"checkpoint": run.checkpoint().name, "evaluation": {
        "real": facts, "fake": facts, "features": "torchscript", "features_hash": "3" * 64,
        "features_about": "the network inception-von-maria.pt", "width": 2048, "seeds": 3, "held_out_content": None,
        "floor_images": [500, 500],
        "scores": [score], "left_out": {"kid": "/home/maria is too small"}, "notes": ["/home/maria has bad files"],
        "seconds": 1.0,
    }}  # fmt: skip
