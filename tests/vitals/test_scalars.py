from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from ganglion.vitals.scalars import (
    BINS,
    LogitStats,
    NonFiniteTracker,
    ScalarMeans,
    first_non_finite,
    logit_statistics,
    separation,
)


@pytest.mark.parametrize("levels", [3, 1000])  # with many ties, and with few
def test_it_is_the_area_under_the_roc_curve_and_mann_whitneys_u(levels: int) -> None:
    random = np.random.default_rng(0)
    real, fake = random.integers(0, levels, 40) + levels // 3, random.integers(0, levels, 30)
    found = float(separation(torch.tensor(real).float(), torch.tensor(fake).float()))
    truth = np.r_[np.ones(40), np.zeros(30)]
    assert found == pytest.approx(roc_auc_score(truth, np.r_[real, fake]), abs=1e-6)
    assert found == pytest.approx(mannwhitneyu(real, fake).statistic / (40 * 30), abs=1e-6)


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0.5), (100.0, 1.0), (-100.0, 0.0)])
def test_it_is_half_where_d_cannot_tell_and_1_where_it_always_can(shift: float, expected: float) -> None:
    logits = torch.randn(64, generator=torch.Generator().manual_seed(0))
    assert float(separation(logits + shift, logits)) == pytest.approx(expected)


def test_it_means_the_same_whatever_the_scale_of_the_logits() -> None:
    real, fake = torch.randn(2, 50, generator=torch.Generator().manual_seed(1))
    assert float(separation(real * 1e-3 + 5, fake * 1e-3 + 5)) == float(separation(real * 1e3, fake * 1e3))


def test_means_equal_those_of_numpy():
    values = np.random.default_rng(0).normal(3, 2, (500, 2))
    meter = ScalarMeans()
    for loss, logit in values:
        meter.add(loss=torch.tensor(loss), logit=torch.tensor(logit))
    assert meter.read() == pytest.approx(dict(zip(("loss", "logit"), values.mean(0), strict=True)), rel=1e-5)  # float32


def test_reading_starts_anew():
    meter = ScalarMeans()
    meter.add(loss=torch.tensor(100.0))
    meter.read()
    assert meter.read() == {}
    meter.add(loss=torch.tensor(2.0))
    assert meter.read() == {"loss": 2.0}


def test_there_is_one_entry_for_each_name_in_the_order_in_which_they_came():
    meter = ScalarMeans()
    for step in range(3):
        meter.add(b=torch.tensor(step), a=torch.tensor(2 * step))
    assert list(meter.read().items()) == [("b", 1.0), ("a", 2.0)]


def test_means_are_plain_floats():
    meter = ScalarMeans()
    meter.add(loss=torch.tensor(1, dtype=torch.int64), half=torch.tensor(0.5, dtype=torch.bfloat16))
    assert {name: type(mean) for name, mean in meter.read().items()} == {"loss": float, "half": float}


def test_what_was_added_is_neither_changed_nor_followed():
    meter, loss = ScalarMeans(), torch.tensor(1.0)
    meter.add(loss=loss)
    meter.add(loss=loss)
    assert loss.item() == 1
    loss.fill_(50)
    assert meter.read() == {"loss": 1.0}


def test_no_graph_is_kept_alive():
    meter, weight = ScalarMeans(), torch.tensor(2.0, requires_grad=True)
    for _ in range(2):
        meter.add(loss=weight.square())
    assert not any(sums.requires_grad for sums in meter._sums.values())


def test_small_bf16_values_are_added_up_in_float32():
    meter = ScalarMeans()
    for _ in range(1000):
        meter.add(loss=torch.tensor(1.0, dtype=torch.bfloat16))  # a bf16 sum would stop at 256
    assert meter.read() == {"loss": 1.0}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_shows_in_the_mean(bad):
    meter = ScalarMeans()
    meter.add(loss=torch.tensor(1.0))
    meter.add(loss=torch.tensor(bad))
    assert not np.isfinite(meter.read()["loss"])


def test_a_value_that_is_there_at_some_steps_is_a_mean_over_those():
    meter = ScalarMeans()
    for step in range(8):
        meter.add(always=torch.tensor(float(step)))
        if step % 4 == 0:
            meter.add(lazily=torch.tensor(10.0 + step))
    assert meter.read() == {"always": 3.5, "lazily": 12.0}


NAN, INF = float("nan"), float("inf")


def test_each_name_has_the_first_step_at_which_it_was_bad() -> None:
    bad = NonFiniteTracker()
    for step, values in enumerate([(1.0, 1.0), (1.0, INF), (NAN, 1.0), (NAN, NAN)], start=1):
        bad.check("gradient", ["a", "b"], torch.tensor(values), step)
    assert bad.read() == [(2, "b"), (3, "a")]
    assert first_non_finite(bad.read()) == {"step": 2, "tensor": "b"}


def test_within_a_step_groups_stand_in_the_order_in_which_they_were_looked_at() -> None:
    bad = NonFiniteTracker()
    bad.check("loss", ["loss"], torch.tensor([NAN]), 7)
    bad.check("gradient", ["x"], torch.tensor([NAN]), 7)
    assert first_non_finite(bad.read()) == {"step": 7, "tensor": "loss"}


def test_sound_numbers_leave_nothing() -> None:
    bad = NonFiniteTracker()
    bad.check("loss", ["loss"], torch.tensor([1e38]), 1)
    assert bad.read() == []
    assert first_non_finite([]) is None


def filled(steps: int = 3) -> tuple[LogitStats, np.ndarray, np.ndarray]:
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(steps, 8, generator=random) + 1, torch.randn(steps, 6, generator=random) - 0.5
    logits = LogitStats()
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


def test_reading_starts_anew_logits() -> None:
    logits, _, _ = filled()
    assert logits.read()
    assert logits.read() == {}


def test_equal_logits_have_a_histogram_too() -> None:
    histogram = logit_statistics(np.zeros(4), np.zeros(3))["logits"]
    assert histogram["low"] < 0 < histogram["high"]
    assert sum(histogram["real"]) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_described_by_nothing(bad: float) -> None:
    assert logit_statistics(np.array([0.0, bad]), np.zeros(3)) == {}


def test_sure_opinions_do_not_overflow() -> None:
    found = logit_statistics(np.array([1e4]), np.array([-1e4]))
    assert (found["d_real"], found["d_fake"]) == (1, 0)
