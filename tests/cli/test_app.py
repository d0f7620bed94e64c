"""The command line as a person meets it: in processes of its own, with exit codes and messages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import ganglion
from ganglion.cli.app import any_character
from tiny import TINY, as_options


@pytest.fixture
def ganglion_command(cache: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs `ganglion WORDS` in an empty folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ganglion.cli.app", *words], cwd=tmp_path, timeout=120, capture_output=True,
            encoding="utf-8", env={**os.environ, "GANGLION_CACHE": str(cache), "COLUMNS": "120"},
        )  # fmt: skip

    return run


def photos(folder: Path) -> Path:
    for label in ("cat", "dög 🐕"):
        (folder / label).mkdir(parents=True)
        for i in range(16):
            picture = Image.new("RGB", (24, 20), (15 * i, 10, 90))
            picture.paste((255, 255, 255), (1, 1, 23, 19))
            picture.save(folder / label / f"{i}.png")
    (folder / "cat" / "broken [bold].jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_training_then_sampling_in_each_form(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    trained = ganglion_command(
        "train",
        "digits",
        "--recipe",
        "dcgan",
        "--size",
        "16",
        "--steps",
        "12",
        "--run",
        "r",
        "--no-report",
        *as_options(TINY),
    )
    assert (trained.returncode, trained.stdout) == (0, ""), trained.stderr
    for part in ("1,797 images", "parameters", "MFLOP", "100%", "Finished", "samples/fixed"):
        assert part in trained.stderr
    assert ganglion_command("sample", "r", "--n", "5", "--seed", "2", "--out", "a/x.npy").returncode == 0
    assert ganglion_command("sample", "r", "--n", "5", "--seed", "2", "--out", "folder").returncode == 0
    assert ganglion_command("sample", "r", "--n", "5", "--out", "sheet.png").returncode == 0
    images = np.load(tmp_path / "a/x.npy")
    assert np.array_equal(images, ganglion.load(tmp_path / "r").sample(5, seed=2))
    drawn = [picture(path) for path in sorted((tmp_path / "folder").iterdir())]
    assert np.array_equal(np.stack(drawn), images[..., 0])
    assert picture(tmp_path / "sheet.png").shape == (2 * 18 + 2, 3 * 18 + 2)


def test_dry_run_prints_every_value_and_touches_nothing(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shown = ganglion_command(
        "train",
        "nowhere/",
        "--recipe",
        "dcgan",
        "--dry-run",
        "--size",
        "96x64",
        "--set",
        "generator.width=8",
        "--kimg",
        "5",
    )
    tree = yaml.safe_load(shown.stdout)
    assert (tree["data"]["size"], tree["generator"]["width"], tree["training"]["kimg"]) == ([96, 64], 8, 5.0)
    assert tree["discriminator"]["width"] == 64
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "nowhere/"], 1, "there is no file or folder 'nowhere/'"),
        (["train", "digist"], 1, "did you mean 'digits'"),
        (["train"], 1, "no source of images is given"),
        (["train", "digits", "--recipe", "dcgna"], 1, "did you mean 'dcgan'"),
        (["train", "digits", "--set", "generator.widht=3"], 1, "did you mean 'generator.width'"),
        (["train", "digits", "--set", "objective.adversarial=minmax"], 1, "did you mean 'minimax'"),
        (["train", "digits", "--set", "width"], 1, "--set takes KEY=VALUE"),
        (["train", "digits", "--size", "100"], 1, "use 96 or 112"),
        (["train", "digits", "--kimg", "1", "--steps", "3"], 1, "a run has one budget"),
        (["train", "digits", "--device", "cuda"], 1, "use --device auto"),
        (["train", "digits", "--batch", "1"], 1, "training.batch: 1"),
        (["train", "digits", "--colour"], 2, "No such option"),
        (["sample", "nowhere"], 1, "is not a run"),
        (["sample", "nowhere", "--n", "0"], 2, "'--n'"),
        (["recipes", "dcgna"], 1, "did you mean 'dcgan'"),
        (["data", "nowhere"], 1, "no file or folder"),
        (["dance"], 2, "No such command"),
    ],
)
def test_a_mistake_ends_in_a_message_and_its_exit_code(ganglion_command, words, code, message) -> None:  # type: ignore[no-untyped-def]
    result = ganglion_command(*words)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_data_tells_what_is_there_what_is_broken_and_what_would_be_done(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos(tmp_path / "photos")
    page = ganglion_command("data", "photos", "--size", "16")
    assert page.returncode == 0, page.stderr
    for part in ("32 usable images", "20x24 (32)", "cat: 16", "dög 🐕: 16", "Skipped files: 1", "broken [bold].jpg", "16x16",
                 "3 channels", "fit pad (", "trim off (",
                 "16 equal an earlier one pixel by pixel (kept)", "data.duplicates=drop"):  # fmt: skip
        assert part in page.stdout
    assert picture(tmp_path / "ganglion-preview.png").shape[2] == 3


def test_data_as_json_is_one_object_on_standard_output(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos(tmp_path / "photos")
    facts = json.loads(ganglion_command("data", "photos", "--json", "--fit", "pad").stdout)
    assert (facts["chosen"]["channels"], facts["chosen"]["fit"], facts["chosen"]["trim"]) == (3, "pad", "off")
    assert set(facts["reasons"]) == {"size", "channels", "trim", "resample"}
    assert facts["duplicates"] == 16
    assert "looks" not in facts
    assert [path for path, _ in facts["bad"]] == ["cat/broken [bold].jpg"]
    assert facts["labels"] == {"cat": 16, "dög 🐕": 16}
    stored = json.loads(
        ganglion_command("data", facts["store"], "--json").stdout
    )  # the same of a store, without the reasons
    assert stored["chosen"] == facts["chosen"]
    assert (stored["labels"], stored["images"], stored["reasons"]) == (facts["labels"], facts["images"], {})


def test_recipes_lists_prints_and_exports(ganglion_command) -> None:  # type: ignore[no-untyped-def]
    assert {line.split()[0] for line in ganglion_command("recipes").stdout.splitlines()} >= {"dcgan", "fast"}
    assert "Radford" in ganglion_command("recipes", "dcgan").stdout
    assert json.loads(ganglion_command("recipes", "fast", "--json").stdout)["discriminator"]["width"] == 16
    assert "Optimizers" in json.loads(ganglion_command("recipes", "--schema").stdout)["$defs"]


def test_env_tells_versions_device_threads_and_what_is_missing(ganglion_command) -> None:  # type: ignore[no-untyped-def]
    facts = json.loads(ganglion_command("env", "--json").stdout)
    assert {"ganglion", "python", "packages", "torch_threads", "device", "precision", "missing", "cache"} <= set(facts)
    shown = ganglion_command("env").stdout
    assert f"torch              {facts['packages']['torch']}" in shown


def test_the_version_is_printed(ganglion_command) -> None:  # type: ignore[no-untyped-def]
    assert ganglion_command("--version").stdout.strip() == ganglion.__version__


BROKEN = """
import errno, sys
from ganglion.cli.app import main

def write():
    sys.stdout.write("kept in the buffer")
    raise OSError(errno.EINVAL, "Invalid argument")  # what Windows says of a pipe that nobody reads

main(write, windows=sys.argv[1] == "windows")
"""


def unread(*words: str) -> tuple[int, str]:
    """Exit code and standard error of a Python process whose standard output nobody reads."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        return process.wait(60), process.stderr.read().decode()


def test_a_reader_that_goes_away_is_no_error() -> None:
    assert unread("-m", "ganglion.cli.app", "recipes", "dcgan") == (1, "")


def test_a_reader_that_goes_away_on_windows_is_no_error_either() -> None:
    assert unread("-c", BROKEN, "windows") == (1, "")


def test_the_same_error_elsewhere_is_not_hidden() -> None:
    code, said = unread("-c", BROKEN, "elsewhere")
    assert code != 0
    assert "OSError: [Errno 22] Invalid argument" in said


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_every_name_can_be_printed_into_a_pipe_whatever_the_systems_encoding(
    tmp_path: Path, cache: Path, encoding: str
) -> None:
    photos(tmp_path / "photos")
    done = subprocess.run(
        [sys.executable, "-m", "ganglion.cli.app", "data", "photos"], cwd=tmp_path, timeout=120, capture_output=True,
        env={**os.environ, "GANGLION_CACHE": str(cache), "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "dög 🐕: 16" in done.stdout.decode("utf-8")


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_terminal_keeps_its_encoding_and_shows_what_it_lacks_as_an_escape() -> None:
    terminal = Terminal(io.BytesIO(), encoding="cp1252")
    any_character(terminal)
    terminal.write("dög 🐕")
    terminal.flush()
    assert terminal.buffer.getvalue() == b"d\xf6g \\U0001f415"  # type: ignore[attr-defined]


def test_a_stream_that_has_no_encoding_is_left_alone() -> None:
    stream = io.StringIO()
    any_character(stream)
    any_character(None)
    stream.write("dög 🐕")
    assert (stream.getvalue(), stream.encoding) == ("dög 🐕", None)


def test_auto_says_why_it_chose_before_the_recipe_it_prints(ganglion_command) -> None:  # type: ignore[no-untyped-def]
    shown = ganglion_command("train", "digits", "--size", "16", "--dry-run", "--set", "generator.width=7")
    assert shown.stdout.startswith("# auto: recipe small-data: 1,797 images are few")
    tree = yaml.safe_load(shown.stdout)
    assert (tree["name"], tree["generator"]["width"], tree["augment"]["kind"]) == ("small-data", 7, "diffaugment")


def test_data_shows_what_an_augmentation_does(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos(tmp_path / "in")
    shown = ganglion_command("data", "in", "--size", "16", "--augment", "ada", "--strength", "0.8", "--flip")
    assert shown.returncode == 0, shown.stderr
    assert "ganglion-preview-ada.png" in shown.stdout
    page = picture(tmp_path / "ganglion-preview-ada.png")
    assert page.shape[1] == 8 * 18 + 2
    first, second = page[2:18, 2:18], page[2:18, 20:36]
    assert not np.array_equal(first, second)


def test_an_unknown_augmentation_is_refused_with_those_there_are(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos(tmp_path / "in")
    shown = ganglion_command("data", "in", "--augment", "adda")
    assert shown.returncode == 1
    assert "allowed: none, diffaugment, ada; did you mean 'ada'" in shown.stderr


def test_a_class_can_be_asked_for_by_name(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos(tmp_path / "in")
    words = [
        "train",
        "in",
        "--recipe",
        "dcgan",
        "--size",
        "16",
        "--steps",
        "4",
        "--run",
        "r",
        "--no-report",
        *as_options(TINY),
    ]
    trained = ganglion_command(*words, "--set", "data.conditional=true")
    assert trained.returncode == 0, trained.stderr
    assert ganglion_command("sample", "r", "--n", "4", "--label", "cat").returncode == 0
    assert (tmp_path / "r" / "samples" / "cat-seed-0.png").is_file()
    wrong = ganglion_command("sample", "r", "--label", "dog")
    assert wrong.returncode == 2
    assert "classes are cat, dög 🐕" in " ".join(wrong.stderr.replace("│", " ").split())


def test_classes_asked_of_images_without_any_are_refused(ganglion_command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos(tmp_path / "in")
    shown = ganglion_command("train", "in/cat", "--recipe", "dcgan", "--size", "16", "--set", "data.conditional=true")
    assert shown.returncode == 1
    assert "put each class into a folder of its own" in shown.stderr
