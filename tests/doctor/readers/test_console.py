from __future__ import annotations

import pytest

from ganglion.doctor.readers.console import read_console

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
     {"step": 7, "loss_d": -12.5, "loss_g": 3.0, "loss_d_gradient": 0.25}),
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
