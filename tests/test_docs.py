"""Code and commands in the documentation run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, copytree, ignore_patterns, which
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image
from torch.distributed.run import get_args_parser
from typer.main import get_command

from ganglion.cli.app import app
from tiny import as_options

ROOT = Path(__file__).parents[1]
OWN = ROOT / "docs" / "add-your-own.md"
NEW_FILE = "# new file: "


class Block(NamedTuple):
    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def sections(page: Path) -> dict[str, str]:
    """The page's parts by their heading."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# Changes


def changed(text: str, hunk: str) -> str:
    """The text after one hunk: its lines without + are looked for, and have to be there exactly once."""
    lines = [line if line else " " for line in hunk.splitlines()]
    old, new = ([line[1:] for line in lines if line[0] in kept] for kept in (" -", " +"))
    there = text.splitlines()
    places = [place for place in range(len(there)) if there[place : place + len(old)] == old]
    assert len(places) == 1, f"{len(places)} places for this change, 1 is needed:\n{hunk}"
    return "\n".join([*there[: places[0]], *new, *there[places[0] + len(old) :], ""])


def apply_changes(diff: str, source: Path) -> None:
    """Makes the changes of a block in which `--- path` begins a file and `@@` another place of it."""
    parts = re.split(r"^--- (.+)\n", diff, flags=re.MULTILINE)
    assert parts[0] == "", "a diff begins with --- and a path"
    for name, hunks in zip(parts[1::2], parts[2::2], strict=True):
        text = (source / name).read_text(encoding="utf-8")
        for hunk in hunks.split("@@\n"):
            text = changed(text, hunk)
        (source / name).write_text(text, encoding="utf-8")


# Running


def run(command: list[str], folder: Path, source: Path = ROOT, expected: int | None = 0) -> str:
    """What a command prints, run in `folder` with the package and the tests' helpers of `source`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment = kept | {
        "PYTHONPATH": os.pathsep.join([str(source / "src"), str(source / "tests")]),
        "GANGLION_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    said = done.stdout + done.stderr
    assert expected is None or done.returncode == expected, f"{shlex.join(command)}\n{said[-3000:]}"
    return said


def words_of(line: str) -> list[str]:
    """A line of a shell as a command for this Python."""
    program, *rest = shlex.split(line, comments=True)
    if program == "ganglion":
        return [sys.executable, "-m", "ganglion.cli.app", *rest]
    assert program == "python", f"not a command that is run here: {line}"
    return [sys.executable, *rest]


def follow(text: str, folder: Path, source: Path) -> None:
    """Does what a contributor does who follows these blocks: changes `source`, runs code and commands in `folder`."""
    for block in blocks(text):
        if block.language == "diff":
            apply_changes(block.text, source)
        elif block.text.startswith(NEW_FILE):
            first, _, rest = block.text.partition("\n")
            path = source / first.removeprefix(NEW_FILE)
            assert not path.exists(), f"{path} is there already"
            path.write_text(rest, encoding="utf-8")
        elif block.language == "python":
            run([sys.executable, "-W", "error", "-c", block.text], folder, source)
        else:
            for line in block.text.splitlines():
                command = words_of(line)
                run(command, source if "pytest" in command else folder, source)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the source and its tests, to be changed."""
    target = tmp_path / "copy"
    for name in ("src", "tests", "docs", "benchmarks"):
        copytree(ROOT / name, target / name, ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CONTRIBUTING.md"):
        copy(ROOT / name, target / name)
    return target


# docs/add-your-own.md


@pytest.mark.parametrize("section", sections(OWN))
def test_an_addition_works_as_it_stands_on_the_page(section: str, tmp_path: Path, copied: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    follow(sections(OWN)[section], work, copied)
    for check in (["check"], ["format", "--check", "--diff"]):
        run([sys.executable, "-m", "ruff", *check, "src", "tests"], copied, copied)


def test_the_page_makes_the_five_additions_that_it_promises() -> None:
    assert list(sections(OWN)) == ["A loss", "A family of networks", "A finding", "A source of images", "A metric"]
    kinds = {section: {block.language for block in blocks(text)} for section, text in sections(OWN).items()}
    assert all(kinds[section] >= {"diff", ""} for section in kinds)


GOOD = "```python\nopen('seen', 'w').close()\n```\n"


@pytest.mark.parametrize(
    "bad",
    [
        "```python\nassert 1 == 2\n```\n",
        "```python\nimport warnings\nwarnings.warn('old')\n```\n",
        "```\nganglion sample runs/nowhere\n```\n",
        "```\nmake everything\n```\n",
        "```diff\n--- file.py\n a\n+b\n```\n",
        "```diff\n--- file.py\n twice\n+b\n```\n",
        "```python\n# new file: file.py\nx = 1\n```\n",
    ],
)
def test_a_block_that_does_not_work_fails_and_those_before_it_have_run(bad: str, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("twice\ntwice\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        follow(GOOD + bad, tmp_path, tmp_path)
    assert (tmp_path / "seen").exists()


def test_a_change_is_made_where_its_lines_are(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("a = [\n    1,\n]\n\nb = 2\n", encoding="utf-8")
    apply_changes("--- file.py\n a = [\n+    0,\n@@\n-b = 2\n+b = 3\n", tmp_path)
    assert (tmp_path / "file.py").read_text(encoding="utf-8") == "a = [\n    0,\n    1,\n]\n\nb = 3\n"


# Commands and code of the README, commands of all pages

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0]


def command_lines(page: Path) -> Iterator[str]:
    """Every `ganglion` command of a page that is written out: synopses, which have brackets, are left out."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in blocks(text):
        for line in block.text.splitlines():
            bare = line.strip().removeprefix("$ ")
            if bare.startswith("ganglion ") and not re.search(r"\[-|\.\.\.|…", bare):
                yield bare


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_has_options_that_there_are(page: Path) -> None:
    commands: dict[str, Any] = vars(get_command(app))["commands"]
    for line in command_lines(page):
        name, *rest = shlex.split(re.split(r" [|>] ", line)[0], comments=True)[1:]
        if name.startswith("-"):
            continue
        assert name in commands, line
        try:
            commands[name].make_context(name, rest).close()
        except Exception as error:  # of click, or of the click inside typer, which differ by typer's version
            pytest.fail(f"{line}\n{getattr(error, 'message', error)}")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert {link for link in links if not (page.parent / link).exists()} == set()


def test_the_readme_leads_to_every_page() -> None:
    text = README.read_text(encoding="utf-8")
    pages = [page.name for page in (ROOT / "docs").glob("*.md")]
    assert not [name for name in pages if f"docs/{name}" not in text]


# The README, from its first command to its last, on a few pictures and for a few steps

SMALL = ["--recipe", "fast", "--size", "32", "--steps", "2", "--no-report", "--fresh"]
WIDTHS = {"generator.width": 4, "discriminator.width": 4, "training.batch": 8}
LENGTHS = ("--minutes", "--kimg", "--steps", "--size", "--recipe")
LOOP = """
for _ in range(3):
    real, fake = torch.rand(8, 1, 16, 16), netG(torch.randn(8, 8))
    optimizerD.zero_grad()
    (netD(fake.detach()) - netD(real)).mean().backward()
    optimizerD.step()
    optimizerG.zero_grad()
    (-netD(fake)).mean().backward()
    optimizerG.step()
"""
NETWORKS = """
import torch
from torch import nn

import ganglion

netG = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
netD = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
optimizerG, optimizerD = (torch.optim.Adam(network.parameters()) for network in (netG, netD))
"""


def shortened(line: str) -> list[str]:
    """The command with two steps of a small network in the place of minutes, and few samples to measure."""
    words = words_of(line)
    if "check" in words:
        return [*words, "--recipe", "fast", *as_options(WIDTHS)]
    if "evaluate" in words:
        return [*words, "--n", "40"] if any(word.startswith("runs/") for word in words) else words
    if "train" not in words:
        return words
    kept = [w for before, w in zip(["", *words], words, strict=False) if before not in LENGTHS and w not in LENGTHS]
    return [*kept, *SMALL, *as_options(WIDTHS)]


def quick(code: str) -> str:
    """Python with two steps of a small network, and shapes held to what the comments say of them."""
    code = re.sub(r"(?<=[(, ])(?:minutes|kimg)=[\d.]+", f"steps=2, quiet=True, set={WIDTHS}", code)
    code = re.sub(r"^# \.\.\. .*loop.*$", LOOP, code, flags=re.MULTILINE)
    return re.sub(r"^((\w+) = .*  # \w+ (\([\d, ]+\)).*)$", r"\1\nassert \2.shape == \3", code, flags=re.MULTILINE)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with `photos/` of two classes, and `samples/`."""
    random = np.random.default_rng(0)
    for place in ("photos/tulip", "photos/rose", "samples"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(40):
            picture = Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8))
            picture.save(tmp_path / place / f"{number}.png")
    return tmp_path


def test_the_commands_of_the_readme_run_one_after_another(pictures: Path) -> None:
    ran = []
    for block in blocks(README.read_text(encoding="utf-8")):
        said = ""
        for line in block.text.splitlines():
            if line.startswith("$ ganglion "):
                said = run(words_of(line.removeprefix("$ ")), pictures, expected=None)
            elif line.startswith("ganglion ") and block.language in ("", "bash", "sh"):
                run(shortened(line), pictures)
                ran.append(line.split()[1])
            elif said:
                assert line in said
    assert {"data", "train", "sample", "check", "diagnose", "report", "evaluate"} <= set(ran)


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    code = [quick(block.text) for block in blocks(README.read_text(encoding="utf-8")) if block.language == "python"]
    assert sum("assert" in one for one in code) >= 1
    for one in code:
        run([sys.executable, "-c", NETWORKS + one], tmp_path)


# docs/scaling.md: what no test can start is at least well formed

SCALING = ROOT / "docs" / "scaling.md"


def test_the_slurm_script_is_one_and_starts_a_command_that_there_is() -> None:
    (script,) = [block.text for block in blocks(SCALING.read_text(encoding="utf-8")) if block.language == "bash"]
    if bash := which("bash"):
        subprocess.run([bash, "-n"], input=script, text=True, check=True)
    settings = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script, re.MULTILINE))
    assert {"nodes", "ntasks-per-node", "gpus-per-node", "signal"} <= settings.keys()
    assert script.startswith("#!/bin/bash\n")
    _parsed(script.replace("\\\n", " ").partition(" ganglion ")[2])


def test_the_kubernetes_objects_parse_and_start_a_command_that_there_is() -> None:
    (text,) = [block.text for block in blocks(SCALING.read_text(encoding="utf-8")) if block.language == "yaml"]
    service, job = yaml.safe_load_all(text)
    assert (service["kind"], job["kind"], job["apiVersion"]) == ("Service", "Job", "batch/v1")
    spec = job["spec"]["template"]["spec"]
    assert spec["subdomain"] == service["metadata"]["name"] == service["spec"]["selector"]["job-name"]
    (container,) = spec["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    words = " ".join([*container["command"], *container["args"]]).replace("$(JOB_COMPLETION_INDEX)", "1")
    launch, command = words.split(" -- ganglion ")
    asked = get_args_parser().parse_args([*launch.split()[1:], "--", "ganglion"])
    assert int(asked.nnodes) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert int(asked.nproc_per_node) == container["resources"]["limits"]["nvidia.com/gpu"]
    _parsed(command)


def test_the_torchrun_command_is_one_of_torchruns() -> None:
    text = SCALING.read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = [line for block in blocks(text) for line in block.text.splitlines() if line.startswith("torchrun")]
    asked = get_args_parser().parse_args(shlex.split(line)[1:])
    assert (asked.nnodes, asked.nproc_per_node, asked.no_python) == ("2", "4", True)
    _parsed(line.partition(" ganglion ")[2])


def _parsed(words: str) -> None:
    """Raises for an option that `ganglion train` does not have."""
    name, *rest = shlex.split(words)
    assert name == "train"
    vars(get_command(app))["commands"][name].make_context(name, rest).close()
