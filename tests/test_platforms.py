"""What Linux has and other systems lack is neither imported nor needed: a process without it trains, shows and measures."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganglion

SOURCE = Path(ganglion.__file__).parent
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}

AS_ELSEWHERE = """
import ctypes, os, platform, shutil, signal, stat, sys, warnings

import psutil  # it has a part of its own for each system, of which the one for Linux is here
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for module, names in ((os, ["sched_getaffinity"]), (signal, ["SIGKILL", "SIGUSR1", "SIGHUP"])):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
platform.libc_ver = lambda *more, **named: ("", "")

class CDLL(ctypes.CDLL):
    def __init__(self, name, *more, **named):
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        super().__init__(name, *more, **named)

ctypes.CDLL = CDLL
opened = os.open

def open_no_folder(path, *more, **named):
    if not isinstance(path, int) and os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return opened(path, *more, **named)

os.open, shutil._use_fd_functions = open_no_folder, False

def in_use():  # files that this process has open or mapped: Windows neither moves nor deletes them
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink("/proc/self/fd/" + number)
        except OSError:
            pass
    with open("/proc/self/maps", encoding="utf-8") as maps:
        yield from (line.split(maxsplit=5)[5].rstrip() for line in maps if line.count("/"))

def refuse(event, details):
    if event in ("os.rename", "os.remove"):
        place = os.path.realpath(details[0])
        for file in list(in_use()):
            if file == place or file.startswith(place + os.sep):
                raise PermissionError(13, "another program has it open", file)

if os.path.exists("/proc/self/maps"):
    sys.addaudithook(refuse)
warnings.filterwarnings("error", category=EncodingWarning, module=r"ganglion\\..*")
"""

ALL_OF_IT = """
import json
from pathlib import Path
import ganglion
from ganglion.cli.app import app
from ganglion.training.check import check

folder, cache = sys.argv[1:]
small = {"generator.width": 8, "discriminator.width": 8, "latent.dim": 8, "training.batch": 8, "training.snapshot_kimg": 0.008}
asked = dict(recipe="dcgan", size=16, set=small, device="cpu", precision="32", quiet=True, cache=cache)

def train(steps, fresh=False):
    return ganglion.train("digits", steps=steps, run=folder + "/run", fresh=fresh, at_end=lambda run: None, **asked)

train(2, fresh=False)
run = train(3)
assert run.steps_saved()[-1] == 3
train(3, fresh=True)
looked = check("digits", steps=3, seconds=0.1, **asked)
app(["sample", folder + "/run", "--n", "4", "--out", folder + "/four.png"], standalone_mode=False)
scored = ganglion.evaluate(run.path, features="pixels", n=64, cache=Path(cache), quiet=True)
print(json.dumps({
    "aside": sorted(os.listdir(folder + "/run.old-1")),
    "verdict": ganglion.diagnose(folder + "/run").state,
    "memory_gb": looked.memory_gb,
    "sheet": os.path.getsize(folder + "/four.png"),
    "scores": [result.name for result in scored.scores],
    "temporary": [name for name in os.listdir(os.environ["TMPDIR"]) if name.startswith("ganglion-")],
}))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, object]:
    """What a process found that lacks what Linux has: it trained, went on, began anew, checked, sampled and scored."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", AS_ELSEWHERE + ALL_OF_IT, str(folder), str(cache)],
        capture_output=True, encoding="utf-8", timeout=300, env={**os.environ, "TMPDIR": str(folder / "temporary")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def imported_at_once(path: Path) -> Iterator[str]:
    """Top-level packages that are imported when the file is: outside functions, of every branch."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_that_only_posix_has_is_imported_at_once(path: Path) -> None:
    assert not set(imported_at_once(path)) & POSIX_ONLY


def test_an_import_in_a_branch_is_seen_and_one_in_a_function_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("if True:\n import pwd\ndef f():\n import resource\n", encoding="utf-8")
    assert list(imported_at_once(tmp_path / "a.py")) == ["pwd"]


def test_a_system_without_posix_trains_goes_on_and_begins_anew(elsewhere: dict[str, object]) -> None:
    assert elsewhere["aside"] == [
        "checkpoints", "environment.json", "findings.jsonl", "recipe.yaml", "samples", "tensorboard", "vitals.jsonl",
    ]  # fmt: skip


def test_a_system_without_posix_samples_diagnoses_and_evaluates(elsewhere: dict[str, object]) -> None:
    assert elsewhere["sheet"]
    assert elsewhere["verdict"] in ("healthy", "watch", "failing", "unknown")
    assert "kid" in elsewhere["scores"]  # type: ignore[operator]


def test_where_memory_is_not_counted_the_check_says_nothing_of_it(elsewhere: dict[str, object]) -> None:
    assert elsewhere["memory_gb"] is None


def test_files_that_are_mapped_are_closed_before_their_folder_is_deleted(elsewhere: dict[str, object]) -> None:
    assert elsewhere["temporary"] == []
