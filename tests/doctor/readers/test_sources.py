"""Logs of known content are understood: values, steps, meaning, and what is said of them."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard import SummaryWriter

import known_logs_1
import known_logs_2
import known_logs_3
import known_logs_4
import known_logs_5
import known_logs_6
from ganglion.doctor.diagnose import log_of, verdict_of
from ganglion.doctor.readers.records import Options
from ganglion.errors import DataError
from made_logs import KNOWN, Known, d, fid, g

STEPS = range(0, 600, 20)
SETS = (known_logs_1, known_logs_2, known_logs_3, known_logs_4, known_logs_5, known_logs_6)
"""Importing them fills KNOWN."""


def written(known: Known, folder: Path) -> Path:
    path = folder / known.file
    path.write_bytes(known.text if isinstance(known.text, bytes) else known.text.encode())
    return path


@pytest.mark.parametrize("name", KNOWN)
def test_a_log_of_known_content_is_understood(tmp_path: Path, name: str) -> None:
    known = KNOWN[name]
    log = log_of(written(known, tmp_path), Options(**known.options))
    assert [record["step"] for record in log.records] == known.steps
    assert log.unit == known.unit
    for key, values in known.values.items():
        read = [record.get(key, math.nan) for record in log.records]
        assert read == pytest.approx(values, rel=5e-3, abs=6e-3), key
    assert not set(known.absent) & {key for record in log.records for key in record}
    text = " ".join(verdict_of(log).text().split())
    assert all(words in text for words in known.says)


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_told_of_a_known_log_is_what_it_holds(tmp_path: Path, name: str) -> None:
    known = KNOWN[name]
    log = log_of(written(known, tmp_path), Options(**known.options))
    tree = log.understood.to_json()
    told = {column["taken_for"]: column for column in tree["columns"] if column["taken_for"] and column["pair"] != "B"}
    for key, values in known.values.items():
        if key in told and not key.startswith("accuracy"):
            column = told[key]
            assert column["values"] == len(values)
            assert (column["min"], column["max"]) == pytest.approx((min(values), max(values)), rel=5e-3, abs=6e-3)
            assert (column["first_step"], column["last_step"]) == (known.steps[0], known.steps[-1])
    assert (tree["counting"]["first"], tree["counting"]["last"]) == (known.steps[0], known.steps[-1])
    json.dumps(tree, allow_nan=False)


NAMELESS = {
    "DeepFaceLab": "[10:00:12][#000123][0512ms][0.51{s}][0.7]\n",
    "a list of losses": "Epoch 1 | Iters {s} / 1000 | ms/batch 123.45 | loss [0.5{s} 0.7 9.1 0.5]\n",
    "rows of numbers": "{s} 0.5{s} 0.7\n",
    "one loss of nobody": "step {s}: loss 0.5{s}\n",
}


@pytest.mark.parametrize("name", NAMELESS)
def test_numbers_without_a_name_are_refused_and_listed(tmp_path: Path, name: str) -> None:
    (tmp_path / "train.log").write_text("".join(NAMELESS[name].format(s=s) for s in range(100, 400)))
    with pytest.raises(DataError, match="found .*Name them with --map"):
        log_of(tmp_path / "train.log")


# Folders and archives


def statistics(mean: float) -> dict[str, float]:
    return {"num": 64, "mean": mean, "std": 0.5}


def stylegan(folder: Path) -> None:
    lines = [
        {"Loss/scores/real": statistics(1.0), "Loss/scores/fake": statistics(-1.0), "Loss/G/loss": statistics(g(i)),
         "Loss/D/loss": statistics(d(i)), "Progress/kimg": statistics(4.0 * i), "timestamp": 1.6e9 + i}
        for i in range(60)
    ]  # fmt: skip
    (folder / "stats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    scores = [
        {"results": {"fid50k_full": fid(i)}, "metric": "fid50k_full", "snapshot_pkl": f"network-snapshot-{40 * i:06d}.pkl"}
        for i in range(6)
    ]  # fmt: skip
    (folder / "metric-fid50k_full.jsonl").write_text("\n".join(map(json.dumps, scores)))
    (folder / "log.txt").write_text("".join(f"tick {i}     kimg {4.0 * i}     sec/tick 9.3\n" for i in range(60)))


def test_stylegans_folder_has_its_losses_and_each_fid_at_its_snapshot(tmp_path: Path) -> None:
    stylegan(tmp_path)
    log = log_of(tmp_path)
    assert (log.unit, log.records[-1]["step"], log.records[-1]["kimg"]) == ("image", 236_000, 236)
    assert [record["loss_d"] for record in log.records] == pytest.approx([d(i) for i in range(60)])
    assert {r["step"]: r["fid"] for r in log.records if "fid" in r} == {
        40_000 * i: pytest.approx(fid(i)) for i in range(6)
    }
    assert log.records[0]["separation"] > 0.99
    assert any("joined with metric-fid50k_full.jsonl" in note for note in log.understood.notes)


def test_a_folder_of_one_file_a_number_is_one_log(tmp_path: Path) -> None:
    for name, of in (("G_loss", g), ("D_loss_real", d)):
        (tmp_path / f"{name}.log").write_text("".join(f"{s}: {of(s):3.3e}\n" for s in STEPS))
    (tmp_path / "scores.jsonl").write_text(
        "\n".join(json.dumps({"itr": s, "IS_mean": 5.0, "FID": fid(s)}) for s in STEPS[::5])
    )
    log = log_of(tmp_path)
    assert [record["step"] for record in log.records] == list(STEPS)
    assert [record["loss_g"] for record in log.records] == pytest.approx([g(s) for s in STEPS], rel=1e-3)
    assert {r["step"]: r["fid"] for r in log.records if "fid" in r} == {s: pytest.approx(fid(s)) for s in STEPS[::5]}


def test_mlflows_files_are_one_log(tmp_path: Path) -> None:
    home = tmp_path / "mlruns" / "0" / "abc" / "metrics"
    home.mkdir(parents=True)
    for name, of in (("g_loss", g), ("d_loss", d)):
        (home / name).write_text("".join(f"{1_600_000_000_000 + s} {of(s)} {s}\n" for s in STEPS))
    for place in (tmp_path / "mlruns", home):
        records = log_of(place).records
        assert [(r["step"], r["loss_d"], r["loss_g"]) for r in records] == [(s, d(s), g(s)) for s in STEPS]


def test_tensorboards_tables_are_named_by_their_files(tmp_path: Path) -> None:
    for name, of in (("Loss_G", g), ("Loss_D", d)):
        rows = "".join(f"{1.6e9 + s},{s},{of(s)}\n" for s in STEPS)
        (tmp_path / f"run-.-tag-{name}.csv").write_text("Wall time,Step,Value\n" + rows)
    records = log_of(tmp_path).records
    assert [(r["step"], r["loss_d"], r["loss_g"]) for r in records] == [(s, d(s), g(s)) for s in STEPS]


def test_scalars_and_curves_that_were_added_together_are_read(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as board:
        for s in STEPS:
            board.add_scalar("train/errG", g(s), s)
            board.add_scalars("loss", {"D": d(s)}, s)
    records = log_of(tmp_path).records
    assert [r["loss_d"] for r in records] == pytest.approx([d(s) for s in STEPS])
    assert [r["loss_g"] for r in records] == pytest.approx([g(s) for s in STEPS])


def test_of_two_versions_the_newest_is_read_and_the_other_on_demand(tmp_path: Path) -> None:
    for version in range(2):
        with SummaryWriter(str(tmp_path / f"version_{version}")) as board:
            for s in STEPS:
                board.add_scalar("d_loss", version + d(s), s)
                board.add_scalar("g_loss", g(s), s)
    log = log_of(tmp_path)
    assert log.records[0]["loss_d"] == pytest.approx(1 + d(0))
    assert any("2 runs were found" in note for note in log.understood.notes)
    for number in (1, 2):
        assert log_of(tmp_path, Options(run=number)).records[0]["loss_d"] == pytest.approx(number - 1 + d(0))
    with pytest.raises(DataError, match="3"):
        log_of(tmp_path, Options(run=3))


def test_a_damaged_event_file_does_not_hide_a_table_beside_it(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").write_bytes(b"no events\n" * 30)
    table = "step,d_loss,g_loss\n" + "".join(f"{s},{d(s)},{g(s)}\n" for s in STEPS)
    (tmp_path / "log.csv").write_text(table)
    assert log_of(tmp_path).records[0]["loss_d"] == pytest.approx(d(0))


def test_iterations_that_count_images_are_not_multiplied_by_the_batch(tmp_path: Path) -> None:
    lines = "".join(
        f"(epoch: {e}, iters: {100 * i}, time: 0.1, data: 0.2) D_A: {d(i):.3f} G_A: {g(i):.3f}\n"
        for e in (1, 2, 3)
        for i in range(1, 14)
    )
    (tmp_path / "log.txt").write_text("batch_size: 4\n" + lines)
    assert log_of(tmp_path / "log.txt").records[-1]["kimg"] == pytest.approx(3.9)
    assert log_of(tmp_path / "log.txt", Options(batch=4)).records[-1]["kimg"] == pytest.approx(3.9)


def test_options_on_our_own_records_are_refused(tmp_path: Path) -> None:
    records = [{"step": s, "kimg": s / 10, "separation": 0.9} for s in STEPS]
    (tmp_path / "vitals.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for options in (Options(run=2), Options(batch=64), Options(map={"d_loss": "nonsense"})):
        with pytest.raises(DataError, match="leave --map"):
            log_of(tmp_path, options)


def test_an_archive_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    text = "".join(f"step {s} d_loss {d(s):.4f} g_loss {g(s):.4f}\n" for s in range(20_000))
    (tmp_path / "train.log.gz").write_bytes(gzip.compress(text.encode()))
    assert log_of(tmp_path / "train.log.gz").records[-1]["step"] == 19_999
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(text.encode())[:-5000])
    cut = log_of(tmp_path / "cut.log.gz")
    assert 10_000 < cut.records[-1]["step"] < 19_999
    assert any("damaged or cut off" in note for note in cut.understood.notes)
    whole = bytearray(gzip.compress(text.encode()))
    whole[len(whole) // 2 : len(whole) // 2 + 64] = bytes(range(64))
    (tmp_path / "bad.log.gz").write_bytes(whole)
    assert any("damaged or cut off" in note for note in log_of(tmp_path / "bad.log.gz").understood.notes)


def test_a_batch_size_and_an_objective_among_the_settings_are_understood(tmp_path: Path) -> None:
    lines = "".join(f"step {s} d_loss {d(s)} g_loss {g(s)}\n" for s in STEPS)
    (tmp_path / "log.txt").write_text("batch_size: 16\ngan_mode: lsgan\nlr: 0.0002\n" + lines)
    log = log_of(tmp_path / "log.txt")
    assert log.records[-1]["kimg"] == pytest.approx(580 * 16 / 1000)
    assert log.objective.name == "least-squares"
    assert log.understood.counting["images_per_step"] == pytest.approx(16)


def test_kerass_epochs_of_tensorboard_are_epochs_and_its_validation_is_apart(tmp_path: Path) -> None:
    """TensorFlow 2 writes scalars as tensors, and a folder for each split."""
    for split, more in (("train", 0.0), ("validation", 5.0)):
        writer = EventFileWriter(str(tmp_path / split))
        for e in range(20):
            for tag, value in (("epoch_d_loss", d(e)), ("epoch_g_loss", g(e))):
                plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
                tensor = make_tensor_proto(np.float32(value + more))
                summary = Summary(value=[Summary.Value(tag=tag, metadata=plugin, tensor=tensor)])
                writer.add_event(Event(wall_time=1e9 + e, step=e, summary=summary))
        writer.close()
    log = log_of(tmp_path)
    assert (log.unit, len(log.records)) == ("epoch", 20)
    assert [record["loss_d"] for record in log.records] == pytest.approx([d(e) for e in range(20)])
