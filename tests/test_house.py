"""The rules of the house: who may import whom, what the bare import costs, one table for each choice, one error tree."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args, get_origin

import pytest

import ganglion
from ganglion import errors
from ganglion.augment import diffaugment
from ganglion.augment import pipeline as present
from ganglion.data import fit
from ganglion.networks import build, initialise, layers, resampling
from ganglion.networks import layers as minibatch
from ganglion.networks import layers as norms
from ganglion.networks import sampling as latents
from ganglion.objectives import adversarial, penalties
from ganglion.recipe import networks as families
from ganglion.recipe import parts as augment
from ganglion.recipe import parts as objective
from ganglion.recipe import parts as optimizers
from ganglion.recipe import schema
from ganglion.recipe.explain import parts_at
from ganglion.training import budget, players

SOURCE = Path(ganglion.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")  # the face knows all its rooms

FLOORS = [
    {"errors", "streams"},
    {"recipe"},
    {"platform"},
    {"notebook"},
    {"objectives", "networks", "augment", "data"},
    {"pictures", "metrics", "hub"},
    {"vitals"},
    {"doctor"},
    {"runs"},
    {"latent", "trackers"},
    {"training", "watching"},
    {"evaluation", "lightning"},
    {"report"},
    {"exporting"},
    {"sharing"},
    {"api"},
    {"studio"},
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
WITH_TORCH_IN_DATA = {"batches.py", "pixels.py", "prefetch.py"}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    """Other rooms; the face, `ganglion` itself or a name of it, counts as one that is above all."""
    names = {name.split(".")[1] if "." in name else "" for name in imported(path) if name.split(".")[0] == "ganglion"}
    return {name if name in FLOOR else "the face" for name in names} - {room_of(path)}


def loaded_by(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh process holds after `statement`."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(found.stdout)}


def modules() -> list[str]:
    return [name for _, name, _ in pkgutil.walk_packages([str(SOURCE)], "ganglion.")]


# Imports go down only


def test_every_room_has_its_floor():
    assert {room_of(path) for path in FILES} <= set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    above = len(FLOORS) if room_of(path) != "cli" else -1  # a command may use what any program may
    wrong = {room for room in rooms_imported(path) if FLOOR.get(room, above) >= FLOOR[room_of(path)]}
    assert not wrong


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) == "recipe"], ids=lambda path: path.name)
def test_the_recipe_knows_nothing_but_errors(path):
    assert rooms_imported(path) <= {"errors"}


def test_errors_and_streams_know_no_room_at_all():
    assert not rooms_imported(SOURCE / "errors.py") | rooms_imported(SOURCE / "streams.py")


def torchless() -> list[Path]:
    images_in = [path for path in FILES if room_of(path) == "data" and path.name not in WITH_TORCH_IN_DATA]
    return images_in + [path for path in FILES if room_of(path) in ("doctor", "recipe", "errors", "streams")]


@pytest.mark.parametrize("path", torchless(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_where_images_come_in_and_records_are_read_nothing_imports_torch(path):
    tops = {name.partition(".")[0] for name in imported(path)}
    assert not tops & {"torch", "lightning_fabric"}
    with_torch = {f"ganglion.data.{name.removesuffix('.py')}" for name in WITH_TORCH_IN_DATA}
    assert not with_torch & {name.rpartition(".")[0] for name in imported(path)}


def test_the_files_of_data_that_may_use_torch_are_those_that_do():
    using = [path for path in FILES if room_of(path) == "data" and "torch" in set(imported(path))]
    assert {path.name for path in using} == WITH_TORCH_IN_DATA


def test_preparing_images_does_not_load_torch():
    found = loaded_by("import ganglion.data.prepare")
    assert "numpy" in found
    assert "torch" not in found


# The face


def test_the_public_names_are_sorted_and_every_one_can_be_got():
    assert ganglion.__all__ == sorted(ganglion.__all__)
    assert all(getattr(ganglion, name) is not None for name in ganglion.__all__)
    assert dir(ganglion) == ganglion.__all__


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ganglion' has no attribute 'trian'"):
        _ = ganglion.trian


def test_the_public_names_shown_to_type_checkers_are_those_there_are():
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    names = {alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names == set(ganglion.__all__) - {"__version__"}


@pytest.mark.parametrize("name", modules())
def test_every_name_that_a_module_offers_is_there_once(name):
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", [])
    assert len(set(offered)) == len(offered)
    assert all(hasattr(module, one) for one in offered)


def test_the_bare_import_loads_nothing_heavy():
    heavy = {
        "torch",
        "numpy",
        "pydantic",
        "typer",
        "datasets",
        "huggingface_hub",
        "sklearn",
        "rich",
        "PIL",
        "yaml",
        "tensorboard",
    }
    assert not loaded_by("import ganglion") & heavy


def test_a_training_loads_nothing_that_its_first_step_does_not_need():
    late = {
        "torchmetrics",
        "transformers",
        "sklearn",
        "scipy",
        "altair",
        "vl_convert",
        "jinja2",
        "av",
        "datasets",
        "huggingface_hub",
        "pandas",
        "wandb",
        "mlflow",
        "trackio",
    }
    assert not loaded_by("import ganglion.training.train, ganglion.training.check") & late


def test_fabric_knows_of_torchmetrics_though_nothing_imports_it():
    version = "from lightning_fabric.utilities import imports; assert imports._TORCHMETRICS_GREATER_EQUAL_1_0_0"
    assert "torchmetrics" not in loaded_by(f"import ganglion.training.train; {version}")


def test_the_bare_import_takes_under_300_milliseconds():
    code = "import time; a = time.perf_counter(); import ganglion; print(time.perf_counter() - a)"
    command = [sys.executable, "-c", code]
    runs = [float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    assert median(runs) < 0.3


# One table for each choice


RECIPE = (augment, families, objective, optimizers, schema)
CHOICES = {name: value for part in RECIPE for name, value in vars(part).items() if get_origin(value) is Literal}


def words_of(place: str, tag: str) -> Any:
    """The words that choose a part of the recipe, as a Literal."""
    return Literal[tuple(part.model_fields[tag].default for part in parts_at(schema.Recipe, place))]


TABLES: dict[str, tuple[Any, Any]] = {
    "Activation": (CHOICES["Activation"], layers.ACTIVATIONS),
    "AdversarialName": (CHOICES["AdversarialName"], adversarial.ADVERSARIAL),
    "FitPolicy": (CHOICES["FitPolicy"], {*fit.POLICIES, "auto"}),
    "Resample": (CHOICES["Resample"], {*fit.FILTERS, "auto"}),
    "Trim": (CHOICES["Trim"], {*fit._TRIM, "auto"}),
    "InitScheme": (CHOICES["InitScheme"], initialise.SCHEMES),
    "AugmentName": (CHOICES["AugmentName"], present.AUGMENTS),
    "DiffAugmentStep": (CHOICES["DiffAugmentStep"], diffaugment.STEPS),
    "MinibatchName": (CHOICES["MinibatchName"], minibatch.MINIBATCH),
    "Norm": (CHOICES["Norm"], norms.NORMS),
    "OptimizerName": (CHOICES["OptimizerName"], players.OPTIMIZERS),
    "PenaltyName": (CHOICES["PenaltyName"], penalties.PENALTIES),
    "Prior": (CHOICES["Prior"], latents.PRIORS),
    "latent.prior": (CHOICES["Prior"], latents.DEVICE_PRIORS),
    "Schedule": (CHOICES["Schedule"], budget.SCHEDULES),
    "Downsampling": (CHOICES["Downsampling"], resampling.DOWNSAMPLINGS),
    "Upsampling": (CHOICES["Upsampling"], resampling.UPSAMPLINGS),
    "generator.family": (words_of("generator", "family"), {*build.GENERATORS, "custom"}),
    "discriminator.family": (words_of("discriminator", "family"), {*build.DISCRIMINATORS, "custom"}),
    "optimizer.generator.kind": (words_of("optimizer.generator", "kind"), players.OPTIMIZERS),
    "augment.kind": (words_of("augment", "kind"), present.AUGMENTS),
}
BUILDS_NOTHING = {"Conditioning", "CudaGraph", "Duplicates", "Precision", "Sampling", "UpdateOrder"}
"""Conditioning says where a class enters, tests/networks/test_families.py; Sampling, how often it is shown,
tests/data/test_batches.py; tests/training/test_replay.py, tests/data/test_pack.py, tests/platform/test_devices.py and
tests/training/test_one_stage.py hold the others to what settles them."""


@pytest.mark.parametrize("choice", TABLES)
def test_every_word_of_a_choice_builds_something_and_nothing_else_can_be_built(choice):
    words, table = TABLES[choice]
    assert set(get_args(words)) == set(table)


def test_no_choice_of_the_recipe_is_forgotten_here():
    assert CHOICES.keys() == {name for name in TABLES if "." not in name} | BUILDS_NOTHING


# One error tree

EXIT_CODES = {
    "CheckpointError": 1,
    "DataError": 1,
    "DeviceError": 1,
    "ExportError": 1,
    "GanglionError": 1,
    "HubError": 1,
    "Interrupted": 130,
    "RecipeError": 1,
    "RunError": 1,
    "StorageError": 1,
    "TrainingFailed": 3,
}


def classes_of_errors() -> dict[str, type[Exception]]:
    """All that the package defines, wherever they stand."""
    found, waiting = {}, [errors.GanglionError]
    for name in modules():
        importlib.import_module(name)
    while waiting:
        error = waiting.pop()
        found[error.__name__] = error
        waiting += [kind for kind in error.__subclasses__() if kind.__module__.startswith("ganglion.")]
    return found


def test_every_error_has_its_exit_code():
    assert {name: error.exit_code for name, error in classes_of_errors().items()} == EXIT_CODES


def test_every_error_can_be_caught_by_its_public_name():
    assert all(getattr(ganglion, name) is error for name, error in classes_of_errors().items())


def test_every_error_stands_in_the_tree_at_the_head_of_its_file():
    assert set(errors.__all__) == set(classes_of_errors())
    assert all(name in str(errors.__doc__) for name in errors.__all__)


def test_a_damaged_checkpoint_is_a_trouble_of_the_run():
    assert issubclass(errors.CheckpointError, errors.RunError)


# The drawings, and the size of files

ROOT = Path(__file__).parents[1]
LONG: dict[str, int] = {}
"""Files of more than LONGEST lines, and the most that each may have."""
SHORT = {
    "pictures/figures.py",  # one function of two rooms
    "studio/pages/run.py",  # what it shows comes from the studio's own addresses
}
SHORTEST, LONGEST, MEDIANS = 30, 300, range(90, 161)
LINES = {
    path.relative_to(SOURCE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
    for path in SOURCE.rglob("*.py")
}
FULL = {name: lines for name, lines in LINES.items() if Path(name).name != "__init__.py"}


def floors_drawn(page: Path) -> list[set[str]]:
    """The rooms in the page's drawing, a set for each line, lowest first."""
    blocks = page.read_text(encoding="utf-8").split("```\n")[1::2]
    drawing = next(block for block in blocks if block.startswith("cli "))
    return [set(line.partition("  ")[0].split(", ")) for line in reversed(drawing.splitlines())]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_drawing_of_the_rooms_shows_the_floors_there_are(page):
    assert floors_drawn(ROOT / page) == FLOORS


def test_the_architecture_page_has_a_row_for_each_room():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert len(set(rows)) == len(rows)
    assert set(rows) == set(FLOOR)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/add-your-own.md"])
def test_every_file_that_a_page_for_contributors_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"[`(]([\w./-]+\.(?:py|md|yml|json|txt))[`)]", text))
    folders = (ROOT / "docs", ROOT / "src", ROOT / "tests", ROOT / "benchmarks", ROOT / ".github")
    there = [f"/{path.relative_to(ROOT).as_posix()}" for folder in folders for path in folder.rglob("*.*")]
    there += [f"/docs/{path.name}" for path in (*ROOT.glob("*.md"), *ROOT.glob("*.txt"))]
    missing = {name for name in named if not any(path.endswith(f"/{name.removeprefix('../')}") for path in there)}
    assert named
    assert missing <= {"report.html", "trackers.json", "test_x.py", "x.py"}  # of a run; any file


def test_every_folder_of_tests_is_that_of_a_room():
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(FLOOR)


def test_the_median_file_is_read_in_one_go():
    assert int(median(FULL.values())) in MEDIANS


@pytest.mark.parametrize("name", FULL)
def test_no_file_is_too_long_to_be_read_in_one_go_nor_too_short_to_be_a_file(name):
    assert (0 if name in SHORT else SHORTEST) <= FULL[name] <= LONG.get(name, LONGEST)


def test_the_lists_of_long_and_short_files_name_no_other():
    assert {name for name, lines in FULL.items() if lines > LONGEST} == set(LONG)
    assert {name for name, lines in FULL.items() if lines < SHORTEST} == SHORT


def test_a_packages_own_file_says_what_it_is_and_little_else():
    own = {name: lines for name, lines in LINES.items() if Path(name).name == "__init__.py"}
    longer = {name for name, lines in own.items() if lines > 3}
    # the public names; the table of findings; a package that can be called
    assert longer == {"__init__.py", "doctor/findings/__init__.py", "studio/__init__.py"}
