from __future__ import annotations

import pytest
import torch

from ganglion.watching.rows import RowsReference, as_images, layout_of
from watch_loops import data
from watch_loops_data import ring, table, waves


def test_what_samples_are() -> None:
    assert layout_of(data(16, 0)) == layout_of(data(16, 0)[:, 0]) == "images"
    assert layout_of(data(16, 0).flatten(1)) == "flat images"
    assert layout_of(torch.randn(32, 256)) == layout_of(torch.randn(32, 64)) == layout_of(table(32, 0)) == "rows"
    assert layout_of(waves(16, 0)) == layout_of(torch.randn(16, 2, 300)) == "signals"
    assert (
        layout_of(torch.randn(16, 1, 8, 8, 8))
        == layout_of(torch.randn(16))
        == layout_of(torch.randn(9, 1, 4, 4))
        == "rows"
    )
    images = as_images(data(16, 0).flatten(1), "flat images")
    assert images is not None
    assert torch.equal(images, data(16, 0))


@pytest.mark.parametrize(
    "make", [lambda n, step: ring(n, step), lambda n, step: table(n, step), lambda n, step: waves(n, step)]
)
def test_reals_are_at_the_floor_as_varied_as_reals_and_a_collapse_is_neither(make) -> None:  # type: ignore[no-untyped-def]
    reals = make(64, 0)
    reference = RowsReference(reals, layout_of(reals))
    good = reference.statistics(make(64, 10), make(64, 20))
    assert good["diversity"] == pytest.approx(1, abs=0.15)
    assert good["swd"] < 3 * good["swd_floor"]
    assert good["contrast"] == pytest.approx(1, abs=0.2)
    assert good["z_response"] == pytest.approx(1, abs=0.15)
    bad = reference.statistics(make(1, 10).expand(64, *reals.shape[1:]))
    assert bad["diversity"] < 0.01
    assert bad["duplicates"] == 1
    assert bad["swd"] > 3 * bad["swd_floor"]


def test_a_generator_that_has_not_learnt_yet_is_not_judged_as_collapsed() -> None:
    reference = RowsReference(ring(64, 0), "rows")
    assert "contrast" not in reference.statistics(0.01 * torch.randn(64, 2))
    reference.statistics(ring(64, 1))
    assert reference.statistics(0.01 * torch.randn(64, 2))["contrast"] == 1
