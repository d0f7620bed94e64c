from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from ganglion.doctor.readers.tensorboard import read_events


def test_scalars_of_one_writer_become_records_by_step(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as board:
        for step in (10, 20, 30):
            board.add_scalar("Loss/D", 0.5 * step, step)
            board.add_scalar("train/errG", 1.0, step)
    records = read_events(tmp_path)
    assert [(r["step"], r["loss_d"], r["loss_g"]) for r in records] == [(10, 5, 1), (20, 10, 1), (30, 15, 1)]


def test_curves_that_were_added_together_are_told_apart(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as board:
        for step in (1, 2):
            board.add_scalars("loss", {"D": 0.5, "G": 2.0}, step)
    assert [(r["loss_d"], r["loss_g"]) for r in read_events(tmp_path)] == [(0.5, 2.0), (0.5, 2.0)]
