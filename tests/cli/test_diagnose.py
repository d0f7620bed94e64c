"""`ganglion diagnose` as a person meets it: whatever a training left behind, and what is no such thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.utils.tensorboard import SummaryWriter

import ganglion

EPOCHS, BATCHES = range(1, 61), 100
LOSS_D, LOSS_G = 0.002, 8.0  # D separates reals from fakes


def lines_of(line: Callable[[int], str], head: str = "") -> Callable[[Path], None]:
    """Writes a log: the head, then a text for each epoch."""

    def write(path: Path) -> None:
        path.write_text(head + "".join(line(epoch) for epoch in EPOCHS), encoding="utf-8")

    return write


def stylegan(epoch: int) -> str:
    measured = {"Progress/kimg": epoch / 10, "Loss/D/loss": LOSS_D, "Loss/G/loss": LOSS_G}
    statistics = {name: {"num": 64, "mean": value, "std": 0.0} for name, value in measured.items()}
    return json.dumps({**statistics, "timestamp": 1.6e9 + epoch}) + "\n"


def with_floats(epoch: int) -> str:
    tree = {"step": 100.0 * epoch, "kimg": 3.2 * epoch, "loss": {"D": LOSS_D, "G": LOSS_G}}
    return json.dumps(tree) + "\n"


def keras_3(epoch: int) -> str:
    bar = "\x1b[1m100/100\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m5s\x1b[0m 5ms/step"
    return f"Epoch {epoch}/60\n{bar} - d_loss: {LOSS_D} - g_loss: {LOSS_G}\n"


def tensorboard(folder: Path) -> None:
    with SummaryWriter(str(folder)) as board:
        for epoch in EPOCHS:
            board.add_scalar("Loss/D", LOSS_D, BATCHES * epoch)
            board.add_scalar("Loss/G", LOSS_G, BATCHES * epoch)


LOGS: dict[str, tuple[str, Callable[[Path], None], int]] = {
    "CSV": (
        "log.csv", lines_of(lambda epoch: f"{100 * epoch},{LOSS_D},{LOSS_G}\n", "step,d_loss,g_loss\n"), 6000,
    ),
    "CSV of an old spreadsheet": (
        "log.csv", lines_of(lambda epoch: f"{100 * epoch};{LOSS_D};{LOSS_G}\r", "step;d_loss;g_loss\r"), 6000,
    ),
    "StyleGAN": ("stats.jsonl", lines_of(stylegan), 6000),
    "JSONL that counts in floats": ("log.jsonl", lines_of(with_floats), 6000),
    "DCGAN tutorial": (
        "log.txt",
        lines_of(
            lambda epoch: f"[{epoch}/61][0/100]\tLoss_D: {LOSS_D}\tLoss_G: {LOSS_G}\tD(x): 0.99\tD(G(z)): 0.0 / 0.0\n",
            "Starting Training Loop...\n",
        ),
        5900,
    ),
    "Keras 2": (
        "log.txt",
        lines_of(lambda epoch: f"Epoch {epoch}/60\n100/100 [====] - 5s 5ms/step - d_loss: {LOSS_D} - g_loss: {LOSS_G}\n"),
        6000,
    ),
    "Keras 3": ("log.txt", lines_of(keras_3), 6000),
    "Keras, a line an epoch": (
        "log.txt",
        lines_of(lambda epoch: f"Epoch {epoch}/60\n100/100 - 5s - 5ms/step - d_loss: {LOSS_D} - g_loss: {LOSS_G}\n"),
        6000,
    ),
    "TensorBoard": ("events", tensorboard, 6000),
}  # fmt: skip
"""By kind: name, writer, the last step; epochs are counted from 1."""

CLAMPED = "".join(f"[{i // 50}/4][{i % 50}/50]\tLoss_D: 0.0001\tLoss_G: 100.0\n" for i in range(200))


def in_a_process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganglion.cli.app", "diagnose", *words], cwd=folder, timeout=120, capture_output=True,
        text=True, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip


def strict(text: str) -> Any:
    """The one JSON object of a text; NaN and Infinity are no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_run_of_ours_is_judged_as_it_is_in_python(command, digits_run: ganglion.Run) -> None:  # type: ignore[no-untyped-def]
    verdict = ganglion.diagnose(digits_run.path)
    done = command("diagnose", digits_run.path)
    assert (done.code, done.out, done.said) == (0, verdict.text() + "\n", "")
    assert done.out.startswith(f"Verdict {verdict.status.partition(':')[0]}: ")
    assert verdict.step == digits_run.steps_saved()[-1]
    assert strict(command("diagnose", digits_run.path, "--json").out) == json.loads(json.dumps(verdict.to_json()))


@pytest.mark.parametrize("kind", LOGS)
def test_the_same_training_is_judged_alike_whatever_wrote_it_down(command, tmp_path: Path, kind: str) -> None:  # type: ignore[no-untyped-def]
    name, write, last_step = LOGS[kind]
    write(tmp_path / name)
    done = command("diagnose", tmp_path / name)
    assert (done.code, done.said) == (0, "")
    unit = "image" if kind == "StyleGAN" else "step"
    lines = done.out.splitlines()
    verdict = next(i for i, line in enumerate(lines) if line.startswith("Verdict "))
    assert lines[0].startswith("Read as ")
    assert f"at {unit} {last_step:,}" in lines[verdict]
    assert f"discriminator-wins (from losses alone), since {unit}" in lines[verdict + 1]
    assert "not approaching" not in done.out  # nobody saw the samples
    assert "Not assessed: the samples" in done.out
    assert "--set " not in done.out  # a remedy is a line of code to someone whose loop is not ours


def test_json_is_one_object_and_a_failing_verdict_an_answer_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(CLAMPED)
    done = in_a_process(tmp_path, "log.txt", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    tree = strict(done.stdout)
    assert tree.keys() == {
        "state", "findings", "step", "seen", "unseen", "own_run", "unit", "columns", "counting", "objective", "notes",
        "forecast", "treated", "chance",
    }  # fmt: skip
    assert {column["name"]: column["taken_for"] for column in tree["columns"]} == {
        "Loss_D": "loss_d", "Loss_G": "loss_g", "number 1 of the line": "epoch", "number 2 of the line": "batch",
    }  # fmt: skip
    assert tree["counting"]["how"] == "epoch x batches"
    assert (tree["counting"]["batches_per_epoch"], tree["counting"]["last"]) == (50, 199)
    assert (tree["state"], tree["step"], tree["own_run"]) == ("failing", 199, False)
    finding = tree["findings"][0]
    assert (finding["code"], finding["severity"], finding["since_step"]) == ("loss-clamped", "failing", 0)
    assert {"name", "value", "expected"} == finding["evidence"][0].keys()
    assert finding["remedy"].startswith("Remove the sigmoid and take a loss on logits")
    assert {"name", "what", "settings", "command", "code", "recipe", "fresh"} == finding["remedies"][0].keys()


def test_reading_tensorboard_leaves_standard_output_to_the_json(tmp_path: Path) -> None:
    tensorboard(tmp_path / "events")
    done = in_a_process(tmp_path, "events", "--json")
    assert done.returncode == 0
    assert strict(done.stdout)["step"] == 6000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere", None, "nowhere: there is no such file or folder"),
        ("empty.txt", "", "empty.txt has no measurements of a GAN's training"),
        ("download.log", "Downloading 10/20 [00:10]\nlr: 0.0002\n", "such as loss_d and loss_g; found Downloading, lr"),
        ("named.csv", "epoch,foo,bar\n1,0.5,0.7\n", "found epoch, foo, bar. Name them with --map d_loss=NAME,g_loss=NAME"),
    ],
)  # fmt: skip
def test_what_is_no_log_ends_in_a_message_and_exit_code_1(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    done = in_a_process(tmp_path, name, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["empty"], 1, "holds no log of a GAN's training that could be read"),
        (
            ["good.txt", "--map", "d_loss"],
            1,
            "--map expects pairs such as d_loss=critic,g_loss=gen,step=it; got 'd_loss'",
        ),
        (["good.txt", "--map", "d_loss=loss"], 1, "the log has no 'loss'; it has step, d_loss"),
        (["good.txt", "--run", "2"], 1, "there is no run 2 in good.txt: it holds 1"),
        (["good.txt", "--fail-on", "healthy"], 2, "expected failing or watch"),
        (["-", "--follow"], 2, "it follows a file or a folder"),
        (["header.csv"], 1, "header.csv has no measurements of a GAN's training"),
        (["cut.jsonl"], 1, "cut.jsonl has no measurements of a GAN's training"),
        (["picture.png"], 1, "picture.png is not a text"),
        ([], 2, "Missing argument"),
        (["cut.jsonl", "--jsno"], 2, "No such option"),
    ],
)
def test_other_mistakes_are_told_and_nothing_is_written(  # type: ignore[no-untyped-def]
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "good.txt").write_text("step 1 d_loss 0.5\n")
    (tmp_path / "header.csv").write_text("step,d_loss,g_loss\n")
    (tmp_path / "cut.jsonl").write_text('{"step": 1, "loss_d": 0.')
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    before = sorted(tmp_path.rglob("*"))
    done = command("diagnose", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.said
    assert sorted(tmp_path.rglob("*")) == before


def test_standard_input_is_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ganglion.cli.app", "diagnose", "-", "--json"], input=CLAMPED, timeout=120,
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert strict(done.stdout)["findings"][0]["code"] == "loss-clamped"


@pytest.mark.parametrize(
    ("log", "option", "code"),
    [
        (CLAMPED, "failing", 3),
        (CLAMPED, "watch", 3),
        ("step 1 d_loss 0.5\n", "failing", 0),
        ("step 1 d_loss 0.5\n", "watch", 0),
    ],
)
def test_fail_on_makes_a_verdict_an_exit_code(command, tmp_path: Path, log: str, option: str, code: int) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "log.txt").write_text(log)
    done = command("diagnose", tmp_path / "log.txt", "--fail-on", option)
    assert done.code == code
    assert "Verdict " in done.out


def test_following_ends_with_the_verdict_that_fail_on_names(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "log.txt").write_text(CLAMPED)
    done = command("diagnose", tmp_path / "log.txt", "--follow", "--fail-on", "failing")
    assert done.code == 3
    assert "Verdict failing" in done.out


def test_batches_and_names_of_the_user_are_used(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "log.txt").write_text("".join(f"n {i} foo 0.5 bar 0.7\n" for i in range(100)))
    done = command("diagnose", tmp_path / "log.txt", "--map", "step=n,d_loss=foo,g_loss=bar", "--batch", "64", "--json")
    tree = strict(done.out)
    assert tree["counting"]["images_per_step"] == 64
    assert [c["name"] for c in tree["columns"] if c["taken_for"] in ("loss_d", "loss_g")] == ["foo", "bar"]
