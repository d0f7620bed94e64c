from __future__ import annotations

import torch

from ganglion.vitals.finite import FirstBad, earliest

NAN, INF = float("nan"), float("inf")


def test_each_name_has_the_first_step_at_which_it_was_bad() -> None:
    bad = FirstBad()
    for step, values in enumerate([(1.0, 1.0), (1.0, INF), (NAN, 1.0), (NAN, NAN)], start=1):
        bad.look("gradient", ["a", "b"], torch.tensor(values), step)
    assert bad.read() == [(2, "b"), (3, "a")]
    assert earliest(bad.read()) == {"step": 2, "tensor": "b"}


def test_within_a_step_groups_stand_in_the_order_in_which_they_were_looked_at() -> None:
    bad = FirstBad()
    bad.look("loss", ["loss"], torch.tensor([NAN]), 7)
    bad.look("gradient", ["x"], torch.tensor([NAN]), 7)
    assert earliest(bad.read()) == {"step": 7, "tensor": "loss"}


def test_sound_numbers_leave_nothing() -> None:
    bad = FirstBad()
    bad.look("loss", ["loss"], torch.tensor([1e38]), 1)
    assert bad.read() == []
    assert earliest([]) is None
