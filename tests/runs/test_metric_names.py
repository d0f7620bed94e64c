from __future__ import annotations

import pytest

from ganglion.runs.metric_names import metric_name, scalars


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("loss_d_r1", "loss/loss_d_r1"),
        ("separation", "discriminator/separation"),
        ("frechet", "samples/frechet"),
        ("kimg", "speed/kimg"),
        ("parameters_g", "weights/parameters_g"),
        ("of_mine", "samples/of_mine"),
    ],
)
def test_a_name_begins_with_its_group(key, name):
    assert metric_name(key) == name


def test_single_numbers_are_kept_and_nothing_else():
    record = {
        "step": 3, "eta_sec": 1.0, "loss_d": 2, "seconds": 0.5, "logits": {"low": 0.0, "high": 1.0, "real": [1], "fake": [2]},
        "layers_g": {"stem": [1, 2, 3]}, "seen": ["x"], "non_finite": None, "range_real": [0, 1], "flag": True,
    }  # fmt: skip
    assert scalars(record) == {"loss/loss_d": 2.0, "speed/seconds": 0.5}
