"""A file that does not compute what PyTorch computes is refused."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from ganglion.errors import ExportError
from ganglion.exporting.agreement import FLOAT_BOUND, compare
from ganglion.exporting.graphs import Graph, generator_graph
from ganglion.exporting.layers import Output
from untrained_models import untrained_model


def graph(output: Output = "float", channels: int = 3) -> Graph:
    return generator_graph(untrained_model(channels=channels), output)


def right(one: Graph, inputs: Mapping[str, Tensor]) -> NDArray[np.generic]:
    return one.module(*inputs.values()).numpy()


def test_equal_results_agree_and_the_difference_is_told() -> None:
    one = graph()
    agreement = compare(one, lambda inputs: right(one, inputs) + np.float32(1e-4), "the file")
    assert 1e-4 - 1e-5 < agreement.largest < 1e-4 + 1e-5
    assert agreement.text().startswith("largest difference from PyTorch over 64 latents: 0.0001")
    assert agreement.text().endswith(" in [-1, 1] (at most 0.001 allowed)")


@pytest.mark.parametrize("wrong", [2 * FLOAT_BOUND, np.nan, np.inf])
def test_a_difference_beyond_the_bound_is_refused(wrong: float) -> None:
    one = graph()

    def off_by(inputs: Mapping[str, Tensor]) -> NDArray[np.generic]:
        images = right(one, inputs).copy()
        images[-1, 0, 0, 0] += np.float32(wrong)
        return images

    with pytest.raises(ExportError, match="the file was not written: largest difference"):
        compare(one, off_by, "the file")


def test_a_file_that_is_right_for_one_size_of_the_batch_only_is_refused() -> None:
    one = graph()

    def for_64(inputs: Mapping[str, Tensor]) -> NDArray[np.generic]:
        if len(inputs["z"]) != 64:
            raise RuntimeError("expected 64\nmore lines")
        return right(one, inputs)

    with pytest.raises(ExportError, match="fails on a batch of 1, so it was not written: expected 64;"):
        compare(one, for_64, "the file")
    with pytest.raises(ExportError, match=r"returns float32 \(64, 3, 16, 16\) where PyTorch returns float32 \(1, 3"):
        compare(one, lambda inputs: np.zeros((64, 3, 16, 16), np.float32) + right(one, one.batch(0, 64)), "the file")


def test_a_file_without_truncation_is_noticed() -> None:
    one = graph()
    with pytest.raises(ExportError, match="largest difference"):
        compare(one, lambda inputs: right(one, {**inputs, "truncation": one.inputs["truncation"]}), "the file")


def test_one_level_of_premultiplied_colour_is_allowed_however_many_straight_ones_it_is() -> None:
    one = graph("uint8", channels=4)

    def moved(inputs: Mapping[str, Tensor]) -> NDArray[np.generic]:
        images = right(one, inputs).copy()
        images[..., :3] = np.where(images[..., 3:] == 1, 255 - images[..., :3], images[..., :3])
        return images

    assert compare(one, moved, "the file").largest <= 1
