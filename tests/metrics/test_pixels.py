from __future__ import annotations

import pytest
import torch

from ganglion.metrics.pixels import pixel_extractor

LOOK = pixel_extractor(torch.device("cpu")).look


def test_a_feature_is_the_mean_colour_of_an_area():
    images = torch.zeros(2, 3, 16, 24)
    images[1, 2, :2, :3] = 1  # the first area of 2x3 pixels
    features = LOOK(images).features
    assert features.shape == (2, 3 * 64)
    assert features[1].nonzero().flatten().tolist() == [2 * 64]
    assert features[1, 2 * 64] == 1


@pytest.mark.parametrize(("size", "width"), [((4, 6), 24), ((8, 8), 64), ((5, 20), 40)])
def test_small_images_have_as_many_features_as_pixels_at_most(size, width):
    assert LOOK(torch.rand(3, 1, *size)).features.shape == (3, width)


def test_it_knows_no_classes():
    assert LOOK(torch.rand(3, 1, 8, 8)).probabilities is None
