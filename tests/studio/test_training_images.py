from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ganglion
from ganglion.data.alpha import straight
from ganglion.errors import DataError
from ganglion.studio.training_images import nearest_images, packed_images


@pytest.mark.parametrize("run", ["tiny_run", "attributes_run"])
def test_an_image_of_the_training_is_its_own_nearest(run: str, request: pytest.FixtureRequest, cache: Path) -> None:
    data = ganglion.Run(request.getfixturevalue(run)).recipe.data
    images = packed_images(data, cache).images
    found = nearest_images(straight(images[7]), data, cache)
    assert found.errors[0] < 0.02  # straight alpha is rounded
    assert found.errors == sorted(found.errors)
    assert found.pixels.shape == (6, *images.shape[1:])
    assert found.searched == len(images)


def test_images_that_left_the_cache_are_said_to_be_gone(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the training images \(digits\) are no longer in the cache"):
        nearest_images(np.zeros((16, 16, 1), np.uint8), tiny_run.recipe.data, tmp_path)
