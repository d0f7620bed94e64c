from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from ganglion.doctor.readers.formats import read_console, read_events, read_lines, read_table

LINES = [
    ("[0/25][3/782]\tLoss_D: 0.63\tLoss_G: 3.1\tD(x): 0.7\tD(G(z)): 0.2 / 0.1",
     {"step": 3, "loss_d": 0.63, "loss_g": 3.1, "d_real": 0.7, "d_fake": 0.2}),
    ("[2/25][0/782] Loss_D: 0.63 Loss_G: 3.1 D(x): 0.7 D(G(z)): 0.2 / 0.1", {"step": 1564, "loss_d": 0.63}),
    ("[Epoch 1/200] [Batch 3/938] [D loss: 0.63] [G loss: 0.71]", {"step": 941, "loss_d": 0.63, "loss_g": 0.71}),
    ("Epoch [3/100], Step [200/600], d_loss: 1.1, g_loss: 0.9, D(x): 0.6, D(G(z)): 0.3",
     {"step": 2000, "loss_d": 1.1, "loss_g": 0.9, "d_real": 0.6, "d_fake": 0.3}),
    ("938/938 [====] - 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71", {"step": 938, "loss_d": 0.63, "loss_g": 0.71}),
    ("Epoch 1: 100%|##| 938/938 [00:10<00:00, v_num=0, g_loss=0.71, d_loss=0.5]", {"step": 1876, "loss_d": 0.5}),
    ("step 1200: d loss = 0.63, g loss = 1.2e-3", {"step": 1200, "loss_d": 0.63, "loss_g": 0.0012}),
    ("14:31:32 | iter: 500 | errD 0.5 errG -3.0 | lr 0.0002", {"step": 500, "loss_d": 0.5, "loss_g": -3.0}),
    ("epoch: 4 Loss D 0.5 Loss G 2.1", {"loss_d": 0.5, "loss_g": 2.1}),
    ("iteration 7, critic loss: -12.5, generator loss: 3, gradient penalty: .25",
     {"step": 7, "loss_d": -12.5, "loss_g": 3.0, "loss_d_wgan_gp": 0.25}),
    ("\x1b[32mStep 10\x1b[0m D_loss=1.38 G_loss=0.69", {"step": 10, "loss_d": 1.38, "loss_g": 0.69}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line_as_people_have_them_is_read(line: str, expected: dict[str, float]) -> None:
    (record,) = read_console(line)
    assert {key: record.get(key) for key in expected} == expected


def test_kerass_batches_count_on_over_its_epochs() -> None:
    text = "Epoch 1/2\n10/10 [==] - d_loss: 0.5 - g_loss: 1.0\nEpoch 2/2\n10/10 [==] - d_loss: 0.4 - g_loss: 1.1\n"
    assert [record["step"] for record in read_console(text)] == [20, 30]


def test_a_progress_bar_that_is_drawn_over_itself_is_a_line_each_time() -> None:
    text = "\r".join(f"Epoch 0: {i}/3 [00:01, g_loss={i}, d_loss=1]" for i in range(1, 4))
    assert [record["loss_g"] for record in read_console(text)] == [1, 2, 3]


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-inf"])
def test_what_is_not_finite_is_told_with_its_step(word: str) -> None:
    (record,) = read_console(f"[0/5][7/10] Loss_D: {word} Loss_G: 1.0")
    assert record["non_finite"] == {"step": 7, "tensor": "loss of the discriminator"}
    assert "loss_d" not in record


@pytest.mark.parametrize("text", ["", "hello 5 world\n", "Downloading 10/20 [00:10]\nlr: 0.0002\n", "Traceback 3\n"])
def test_lines_that_tell_nothing_of_a_gan_are_no_records(text: str) -> None:
    assert read_console(text) == []


def test_lines_without_a_step_are_counted() -> None:
    text = "\n".join(["Loss D 0.5 Loss G 2.1"] * 3)
    assert [record["step"] for record in read_console(text)] == [1, 2, 3]


def stylegan(tick: int) -> str:
    def stat(mean: float, std: float = 0.0) -> dict[str, float]:
        return {"num": 64, "mean": mean, "std": std}

    return json.dumps({
        "Progress/tick": stat(tick), "Progress/kimg": stat(4.0 * tick), "Loss/scores/real": stat(1.0, 0.5),
        "Loss/scores/fake": stat(-1.0, 0.5), "Loss/signs/real": stat(0.9), "Loss/signs/fake": stat(-0.8),
        "Loss/G/loss": stat(1.3), "Loss/D/loss": stat(0.6), "Loss/r1_penalty": stat(0.02), "timestamp": 1.6e9 + tick,
    })  # fmt: skip


def test_stylegans_statistics_become_records() -> None:
    records = read_lines("\n".join(stylegan(tick) for tick in range(3)))
    assert [record["kimg"] for record in records] == [0, 4, 8]
    assert [record["step"] for record in records] == [0, 4000, 8000]
    last = records[-1]
    assert (last["loss_d"], last["loss_g"], last["logit_real"], last["logit_real_std"]) == (0.6, 1.3, 1.0, 0.5)
    assert (last["accuracy_real"], last["accuracy_fake"]) == (0.95, 0.9)
    assert last["separation"] > 0.99


def test_our_own_records_are_taken_as_they_are() -> None:
    record = {"step": 3, "kimg": 0.1, "layers_g": {"a": [1, 2, 3]}, "range_real": [-1, 1, 0, 0.5]}
    assert read_lines(json.dumps(record) + "\n" + '{"step": 4, "kimg"') == [record]


def test_any_programs_objects_are_read_nested_or_not() -> None:
    text = '{"iter": 5, "loss": {"D": 0.5, "G": 2}}\n\nno json\n[1]\n{"iter": 6, "loss": {"D": NaN, "G": 2}}\n'
    first, second = read_lines(text)
    assert (first["step"], first["loss_d"], first["loss_g"]) == (5, 0.5, 2)
    assert second["non_finite"] == {"step": 6, "tensor": "loss of the discriminator"}


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
