from __future__ import annotations

import pytest

from ganglion.doctor.readers.table import read_table


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_with_any_separator_is_read(separator: str) -> None:
    text = "\n".join(
        separator.join(row) for row in (["step", "d_loss", "g_loss"], ["10", "0.5", "1.5"], ["20", "0.25", "2"])
    )
    assert read_table(text) == [
        {"step": 10, "loss_d": 0.5, "loss_g": 1.5},
        {"step": 20, "loss_d": 0.25, "loss_g": 2.0},
    ]


def test_rows_in_which_only_some_cells_are_filled_are_put_together_by_step() -> None:
    """As Lightning's CSVLogger writes them."""
    text = "epoch,step,d_loss,g_loss\n0,49,0.5,\n0,49,,1.5\n0,99,0.4,\n"
    assert [(r["step"], r.get("loss_d"), r.get("loss_g")) for r in read_table(text)] == [
        (49, 0.5, 1.5),
        (99, 0.4, None),
    ]


def test_a_row_that_is_too_short_or_too_long_is_no_reason_to_stop() -> None:
    assert [r["step"] for r in read_table("step,loss_d\n1\n2,0.5,9\n3,0.25\n")] == [1, 2, 3]
