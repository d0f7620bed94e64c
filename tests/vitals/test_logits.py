from __future__ import annotations

import numpy as np
import pytest
import torch

from ganglion.vitals.logits import BINS, Logits, describe_logits


def filled(steps: int = 3) -> tuple[Logits, np.ndarray, np.ndarray]:
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(steps, 8, generator=random) + 1, torch.randn(steps, 6, generator=random) - 0.5
    logits = Logits()
    for a, b in zip(real, fake, strict=True):
        logits.add(a, b)
    return logits, real.flatten().numpy(), fake.flatten().numpy()


def test_what_is_read_describes_all_that_was_said() -> None:
    logits, real, fake = filled()
    found = logits.read()
    assert found["logit_real"] == pytest.approx(real.mean())
    assert found["logit_fake_std"] == pytest.approx(fake.std(), rel=1e-5)
    assert found["d_real"] == pytest.approx((1 / (1 + np.exp(-real))).mean(), rel=1e-5)
    assert found["accuracy_real"] == (real > 0).mean()
    assert found["accuracy_fake"] == (fake < 0).mean()


def test_the_histogram_holds_every_logit_over_the_range_of_both() -> None:
    logits, real, fake = filled()
    histogram = logits.read()["logits"]
    assert (sum(histogram["real"]), sum(histogram["fake"])) == (len(real), len(fake))
    assert len(histogram["real"]) == len(histogram["fake"]) == BINS
    assert histogram["low"] == pytest.approx(min(real.min(), fake.min()))
    assert histogram["high"] == pytest.approx(max(real.max(), fake.max()))


def test_reading_starts_anew() -> None:
    logits, _, _ = filled()
    assert logits.read()
    assert logits.read() == {}


def test_equal_logits_have_a_histogram_too() -> None:
    histogram = describe_logits(np.zeros(4), np.zeros(3))["logits"]
    assert histogram["low"] < 0 < histogram["high"]
    assert sum(histogram["real"]) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_described_by_nothing(bad: float) -> None:
    assert describe_logits(np.array([0.0, bad]), np.zeros(3)) == {}


def test_sure_opinions_do_not_overflow() -> None:
    found = describe_logits(np.array([1e4]), np.array([-1e4]))
    assert (found["d_real"], found["d_fake"]) == (1, 0)
