"""What the numbers of a line are called, and how they are written."""

from __future__ import annotations

import math

import pytest

from ganglion.doctor.readers.phrases import slots
from ganglion.doctor.readers.skeleton import cleaned, comma_decimals, number, skeleton, with_points


def read(line: str) -> dict[str, float]:
    """Labels and values of a line."""
    marked, numbers = skeleton(cleaned(line))
    return {s.place.label: number(n) for s, n in zip(slots(marked), numbers, strict=True) if s is not None}


LINES: list[tuple[str, dict[str, float]]] = [
    ("iter: 25,377 loss_D: 1.2e-02", {"iter": 25377, "loss_D": 0.012}),
    ("step 1200: d loss = 0.63, g loss = -1.5", {"step": 1200, "d loss": 0.63, "g loss": -1.5}),
    ("D: 0.030, 0.053", {"D": 0.03, "D (value 2)": 0.053}),
    ("D(G(z)): 0.2 / 0.1", {"D(G(z))": 0.2, "D(G(z)) (value 2)": 0.1}),
    ("[3/25][40/500] errD 0.5", {"number 1 of the line": 3, "number 1 of the line after the slash": 25,
                                 "number 2 of the line": 40, "number 2 of the line after the slash": 500, "errD": 0.5}),
    ("37 [D loss: 0.6, acc.: 61.33%] [G loss: 0.7]",
     {"number 1 of the line": 37, "D loss": 0.6, "D loss acc": 61.33, "G loss": 0.7}),
    ("> FID score (Step: 2000, Using test moments): 56.4", {"Step": 2000, "FID score": 56.4}),
    ("loss=tensor(0.53, device='cuda:0', grad_fn=<AddBackward0>)", {"loss": 0.53}),
    ("D: loss 0.5, acc 0.6 | G: loss 0.9", {"D loss": 0.5, "D acc": 0.6, "G loss": 0.9}),
    ("D | epoch 1 | loss 0.5", {"epoch": 1, "D loss": 0.5}),
    ("Loss (D/G): 0.5/1.2", {"Loss D": 0.5, "Loss G": 1.2}),
    ("D (0.7 real_err, 0.6 fake_err) G (0.9 err)", {"D real_err": 0.7, "D fake_err": 0.6, "G err": 0.9}),
    ("Accuracy real: 80%, fake: 20%", {"Accuracy real": 80, "Accuracy fake": 20}),
    ("Losses: {'D': 0.5, 'G': 2}", {"Losses D": 0.5, "Losses G": 2}),
    ("d_loss 0.53 (0.61)", {"d_loss": 0.53, "d_loss (in parentheses)": 0.61}),
    ("it.670/50000 norm=1.0", {"it": 670, "it (after the slash)": 50000, "norm": 1.0}),
    ("G_L1: 0.4 fid50k_full 12.5", {"G_L1": 0.4, "fid50k_full": 12.5}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "values"), LINES)
def test_names_and_numbers_of_a_line(line: str, values: dict[str, float]) -> None:
    found = read(line)
    assert {name: found.get(name) for name in values} == values


@pytest.mark.parametrize(
    "noise",
    ["2023-01-02 10:11:12,345 - ", "I0102 10:11:12.123456 140 train.py:45] ", "[00:10<01:00, 3.2it/s] ", "time 1d 06h 12m ",
     "saved samples/000100.png ", "cuda:1 ", "(gan_trainer:202) INFO: ", "5s 5ms/step - ", "52%|█████▏    | ",
     "1 day, 2:03:04 "],
)  # fmt: skip
def test_times_files_and_places_in_programs_measure_nothing(noise: str) -> None:
    assert read(f"{noise}d_loss: 0.5") == {"d_loss": 0.5}


@pytest.mark.parametrize(
    ("text", "value"), [("25,377", 25377), ("1.", 1), (".5", 0.5), ("+1e-3", 0.001), ("-inf", -math.inf)]
)
def test_numbers_as_printed(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["nan", "-nan(ind)", "+NaN"])
def test_what_is_no_number_is_nan(text: str) -> None:
    assert read(f"d_loss: {text}").keys() == {"d_loss"}
    assert math.isnan(read(f"d_loss: {text}")["d_loss"])


def test_a_comma_is_a_decimal_point_where_no_point_is() -> None:
    lines = ["loss_D: 0,5312 loss_G: 1,203"] * 3
    assert comma_decimals(lines)
    assert with_points(lines[0]) == "loss_D: 0.5312 loss_G: 1.203"
    assert not comma_decimals(["iter: 25,377 loss 0.5"] * 3)
    assert not comma_decimals(["iter: 25,377", "iter: 26,000", "iter: 27,123"])
