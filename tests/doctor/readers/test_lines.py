from __future__ import annotations

import json

from ganglion.doctor.readers.lines import read_lines


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
