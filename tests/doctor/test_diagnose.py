from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

import ganglion
from ganglion.doctor.diagnose import read_log
from ganglion.errors import DataError
from ganglion.report.compare import compare
from ganglion.report.report import write_report
from made_records import SICK, healthy

CONSOLE = "\n".join(
    f"[{i // 50}/4][{i % 50}/50]\tLoss_D: 0.0001\tLoss_G: 100.0\tD(x): 1.0\tD(G(z)): 0.0 / 0.0" for i in range(200)
)


def test_a_run_of_ours_is_judged_with_remedies_for_its_recipe(tiny_run: ganglion.Run) -> None:
    verdict = ganglion.diagnose(tiny_run.path)
    assert verdict.own_run
    assert verdict.step == 30
    assert verdict.state in ("unknown", "healthy", "watch")


def test_a_watched_training_is_judged_with_remedies_for_its_code(tmp_path: Path) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in SICK["mode-collapse"])
    (tmp_path / "vitals.jsonl").write_text(lines)
    verdict = ganglion.diagnose(tmp_path)
    assert (verdict.state, verdict.findings[0].code, verdict.own_run) == ("failing", "mode-collapse", False)
    assert ganglion.diagnose(tmp_path / "vitals.jsonl").findings[0].code == "mode-collapse"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_console_log_at_a_clamp_is_recognised(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "log.txt").write_text(CONSOLE, encoding=encoding)
    verdict = ganglion.diagnose(tmp_path / "log.txt")
    assert verdict.state == "failing"
    assert verdict.findings[0].code == "loss-clamped"
    assert "BCEWithLogitsLoss" in verdict.text()


def test_a_table_with_a_nan_names_the_step(tmp_path: Path) -> None:
    rows = [f"{i},{0.7},{'nan' if i >= 40 else 1.2}" for i in range(60)]
    (tmp_path / "metrics.csv").write_text("step,d_loss,g_loss\n" + "\n".join(rows))
    for place in (tmp_path, tmp_path / "metrics.csv"):
        verdict = ganglion.diagnose(place)
        assert (verdict.state, verdict.findings[0].code, verdict.findings[0].since_step) == (
            "failing",
            "non-finite",
            40,
        )


def test_tensorboard_events_are_read(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "events")) as board:
        for step in range(60):
            board.add_scalar("Loss/D", 0.002, step)
            board.add_scalar("Loss/G", 8.0, step)
    verdict = ganglion.diagnose(tmp_path)
    assert verdict.findings[0].code == "discriminator-wins"
    assert verdict.findings[0].inferred


def test_a_falling_score_in_stylegans_statistics_is_a_late_collapse(tmp_path: Path) -> None:
    fids = [300 / (1 + i) + 10 for i in range(40)] + [200.0] * 20
    lines = [
        json.dumps({"step": 100 * i, "metrics": {"fid50k_full": fid}, "loss_d": 1.0}) for i, fid in enumerate(fids)
    ]
    (tmp_path / "stats.jsonl").write_text("\n".join(lines))
    finding = ganglion.diagnose(tmp_path).findings[0]
    assert finding.code == "late-collapse"
    assert "near step 3,9" in finding.why or "near step 3,8" in finding.why


def test_healthy_records_are_healthy(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(record) + "\n" for record in healthy()))
    assert ganglion.diagnose(tmp_path / "v.jsonl").state == "healthy"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"no numbers here\n", "no measurements of a GAN's training"),
        ("a.csv", b"p,q\n1,2\n", "no measurements of a GAN's training: expected .* found p, q. Name them with --map"),
        ("a.bin", b"\x00\x01\x02", "is not a text"),
        ("a.jsonl", b"", "no measurements of a GAN's training"),
    ],
)
def test_what_is_no_log_is_refused_in_a_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as raised:
        ganglion.diagnose(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_log_and_no_folder_at_all_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no log of a GAN's training"):
        ganglion.diagnose(tmp_path)
    with pytest.raises(DataError, match="there is no such file or folder"):
        read_log(tmp_path / "nowhere")


@pytest.mark.parametrize("records", [None, ""])
def test_a_run_that_has_only_begun_is_unknown_and_can_be_reported_and_compared(
    tmp_path: Path, tiny_run: ganglion.Run, records: str | None
) -> None:
    for name in ("recipe.yaml", "environment.json"):
        shutil.copy(tiny_run.path / name, tmp_path / name)
    if records is not None:
        (tmp_path / "vitals.jsonl").write_text(records)
    verdict = ganglion.diagnose(tmp_path)
    assert (verdict.state, verdict.findings) == ("unknown", [])
    assert "there are no records" in verdict.text()
    assert json.loads(json.dumps(verdict.to_json()))["state"] == "unknown"
    assert write_report(tmp_path).stat().st_size > 10_000
    assert compare([tmp_path, tiny_run.path]).runs[0].verdict.state == "unknown"


def test_a_record_that_a_kill_cut_off_is_left_out(tmp_path: Path, tiny_run: ganglion.Run) -> None:
    shutil.copy(tiny_run.path / "vitals.jsonl", tmp_path / "vitals.jsonl")
    with (tmp_path / "vitals.jsonl").open("a") as file:
        file.write('{"step": 31, "kimg"')
    assert ganglion.diagnose(tmp_path).step == 30
