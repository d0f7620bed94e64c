from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from ganglion.vitals.separation import separation


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
