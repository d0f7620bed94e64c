"""Steps of logs: over epochs, over runs, and where nothing counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganglion.doctor.diagnose import log_of, verdict_of
from ganglion.doctor.readers.records import Log, Options
from ganglion.errors import DataError


def read(folder: Path, lines: list[str], **options: int) -> Log:
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    return log_of(folder / "log.txt", Options(**options))


def steps(log: Log) -> list[int]:
    return [record["step"] for record in log.records]


BATCHES = [(e, b) for e in range(3) for b in range(0, 500, 50)]
OVER_EPOCHS = [
    "(epoch: {e}, iters: {b}, time: 0.4) D_loss: 0.5", "Epoch {e}, batch_idx: {b} d_loss 0.5", "[{e}/3][{b}/500] Loss_D: 0.5",
    "Epoch: [ {e}] [ {b}/ 500] d_loss: 0.5", "Epoch {e}:  {b}/500 [00:10<01:00, d_loss=0.5]", "Epoch {e} Step {b} d_loss 0.5",
    "[{e}, {b}] d_loss: 0.5", "epoch={e} | it={b}/500 | d_loss=0.5", ">{e}, {b}/500, d_loss=0.5",
]  # fmt: skip


@pytest.mark.parametrize("line", OVER_EPOCHS)
def test_steps_run_on_over_epochs(tmp_path: Path, line: str) -> None:
    log = read(tmp_path, [line.format(e=e, b=b) for e, b in BATCHES])
    assert steps(log) == [500 * e + b for e, b in BATCHES]
    assert log.understood.counting["how"] == "epoch x batches"
    assert log.understood.counting["batches_per_epoch"] == 500


@pytest.mark.parametrize("line", OVER_EPOCHS)
def test_epochs_that_are_counted_from_1_begin_at_0_too(tmp_path: Path, line: str) -> None:
    log = read(tmp_path, [line.format(e=e + 1, b=b) for e, b in BATCHES])
    assert steps(log) == [500 * e + b for e, b in BATCHES]


def test_batches_of_an_epoch_follow_from_the_stride_over_its_end(tmp_path: Path) -> None:
    """As where every hundredth of all batches is printed, and an epoch has 1096."""
    shown = [(t // 1096 + 1, t % 1096) for t in range(100, 4000, 100)]
    log = read(tmp_path, [f"epoch {e} iters {b} d_loss 0.5" for e, b in shown])
    assert steps(log) == list(range(100, 4000, 100))
    assert log.understood.counting["estimated"]


def test_epochs_alone_are_epochs_and_not_steps_of_images(tmp_path: Path) -> None:
    log = read(tmp_path, [f"epoch {e} d_loss 0.5 g_loss 0.7" for e in range(1, 21)])
    assert (log.unit, steps(log)) == ("epoch", list(range(1, 21)))
    assert not any("kimg" in record for record in log.records)
    assert "images" not in " ".join(verdict_of(log).unseen)
    assert "epoch 20" in verdict_of(log).headline
    known = read(tmp_path, [f"epoch {e} d_loss 0.5 g_loss 0.7" for e in range(1, 21)], images_per_epoch=1000)
    assert known.records[-1]["kimg"] == 20


def test_several_rows_of_an_epoch_are_all_kept(tmp_path: Path) -> None:
    log = read(tmp_path, [f"epoch {e} d_loss 0.{i}" for e in range(5) for i in range(10)])
    assert (log.unit, steps(log)) == ("row", list(range(1, 51)))


def test_lines_without_a_counter_are_counted(tmp_path: Path) -> None:
    assert steps(read(tmp_path, ["Loss D 0.5 Loss G 2.1"] * 3)) == [1, 2, 3]


def test_a_batch_size_makes_images_of_steps(tmp_path: Path) -> None:
    log = read(tmp_path, [f"step {s} d_loss 0.5" for s in range(0, 100, 10)], batch=64)
    assert log.records[-1]["kimg"] == pytest.approx(90 * 64 / 1000)
    assert log.understood.counting["images_per_step"] == 64


RUNS = [f"step {s} d_loss 0.{run}" for run in (1, 2, 3) for s in range(0, 100 * run, 10)]


def test_of_several_runs_in_one_log_the_newest_is_taken_and_others_on_demand(tmp_path: Path) -> None:
    log = read(tmp_path, RUNS)
    assert (len(log.records), log.records[0]["loss_d"]) == (30, 0.3)
    assert (log.understood.counting["runs"], log.understood.counting["run"]) == (3, 3)
    assert "--run N" in log.understood.text()
    assert read(tmp_path, RUNS, run=1).records[-1] == {"step": 90, "loss_d": 0.1}
    with pytest.raises(DataError, match="no run 4.*it holds 3"):
        read(tmp_path, RUNS, run=4)


def test_a_resumed_run_replaces_what_it_repeats(tmp_path: Path) -> None:
    first = [f"step {s} d_loss 0.1" for s in range(0, 200, 10)]
    log = read(tmp_path, [*first, *(f"step {s} d_loss 0.2" for s in range(150, 300, 10))])
    assert steps(log) == list(range(0, 300, 10))
    assert [r["loss_d"] for r in log.records] == [0.1] * 15 + [0.2] * 15
    assert any("goes back 1 time" in note for note in log.understood.notes)


def test_a_second_run_over_epochs_is_a_run(tmp_path: Path) -> None:
    lines = [f"[{e}/3][{b}/500] Loss_D: 0.{run}" for run in (1, 2) for e, b in BATCHES]
    log = read(tmp_path, lines)
    assert steps(log) == [500 * e + b for e, b in BATCHES]
    assert {r["loss_d"] for r in log.records} == {0.2}


def test_two_rows_of_one_step_are_one_record(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,d_loss,g_loss\n0,49,0.5,\n0,49,,1.5\n0,99,0.4,\n0,99,,1.4\n")
    records = log_of(tmp_path).records
    assert [(r["step"], r["loss_d"], r["loss_g"]) for r in records] == [(49, 0.5, 1.5), (99, 0.4, 1.4)]


def test_lines_of_one_record_belong_together(tmp_path: Path) -> None:
    lines = [x for s in range(3) for x in (f"[Epoch 1/20][Global Step: {s}/1000]", f"| errD: 0.{s}", f"| errG: 1.{s}")]
    log = read(tmp_path, lines)
    assert [(r["step"], r["loss_d"], r["loss_g"]) for r in log.records] == [(s, s / 10, 1 + s / 10) for s in range(3)]


def test_a_counter_that_comes_after_its_numbers_belongs_to_them(tmp_path: Path) -> None:
    log = read(tmp_path, [x for s in (10, 20, 30) for x in (f"| d_loss | 0.{s} |", f"| step | {s} |", "-----")])
    assert [(r["step"], r["loss_d"]) for r in log.records] == [(10, 0.1), (20, 0.2), (30, 0.3)]


def test_a_nan_is_told_with_its_step(tmp_path: Path) -> None:
    lines = [f"[0/5][{i}/10] Loss_D: {'nan' if i == 7 else 0.5} Loss_G: 1.0" for i in range(10)]
    record = read(tmp_path, lines).records[7]
    assert record["non_finite"] == {"step": 7, "tensor": "loss of the discriminator"}
    assert "loss_d" not in record
