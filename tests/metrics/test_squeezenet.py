from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images
from torch.nn.functional import interpolate

from ganglion.data.pixels import to_float
from ganglion.metrics.squeezenet import POOLED_BEFORE, SqueezeNet, pretrained_squeezenet
from squeezenet import Layers, needs_weights, random_layers, random_weights

Maps = NDArray[np.float64]


@pytest.fixture(scope="module")
def layers() -> Layers:
    return random_layers()


@pytest.fixture(scope="module")
def network() -> SqueezeNet:
    made = SqueezeNet().eval()
    made.fill(random_weights())
    return made


# A second implementation, in NumPy, on images (H, W, C) as Caffe and TensorFlow have them


def convolved(x: Maps, layer: list[Maps], stride: int = 1) -> Maps:
    """TensorFlow's padding 'same', then ReLU."""
    kernel, bias = layer
    side = kernel.shape[0]
    padding = [max((-(-length // stride) - 1) * stride + side - length, 0) for length in x.shape[:2]]
    x = np.pad(x, [*((total // 2, total - total // 2) for total in padding), (0, 0)])
    windows = sliding_window_view(x, (side, side), axis=(0, 1))[::stride, ::stride]  # (H, W, C, side, side)
    return np.maximum(np.einsum("hwcij,ijco->hwo", windows, kernel.astype(np.float64)) + bias, 0)


def pooled(x: Maps) -> Maps:
    """Maximum of 3x3 at every second position, also where only a part of the window is inside."""
    height, width = ((length - 2) // 2 + 1 for length in x.shape[:2])
    return np.stack([
        [x[2 * row : 2 * row + 3, 2 * column : 2 * column + 3].max((0, 1)) for column in range(width)] for row in range(height)
    ])  # fmt: skip


def by_hand(image: Maps, layers: Layers) -> dict[str, Maps]:
    """`image` (H, W, 3) is red, green, blue on 0 to 255."""
    x = convolved(image[..., ::-1] - [103.939, 116.779, 123.68], layers["conv1"], 2)
    found = {"conv1": x}
    for name in (f"fire{number}" for number in range(2, 10)):
        few = convolved(pooled(x) if name in POOLED_BEFORE else x, layers[f"{name}/squeeze1x1"])
        x = np.concatenate([convolved(few, layers[f"{name}/expand{side}"]) for side in ("1x1", "3x3")], 2)
        found[name] = x
    return found | {"logits": convolved(x, layers["conv10"]).mean((0, 1))}


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 48), (27, 34)])
def test_the_features_and_logits_agree_with_an_implementation_in_numpy(
    height: int, width: int, network: SqueezeNet, layers: Layers
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    expected = by_hand(pixels.astype(np.float64), layers)
    images = to_float(torch.from_numpy(pixels[None]))
    maps, wanted = network.features(images), torch.from_numpy(expected["fire9"]).permute(2, 0, 1)[None]
    assert maps.shape == wanted.shape
    assert torch.allclose(maps.double(), wanted, rtol=1e-3, atol=1e-4 * float(wanted.max()))  # float32
    logits = torch.from_numpy(expected["logits"])
    assert torch.allclose(network(images)[0].double(), logits, rtol=1e-3, atol=1e-4 * float(logits.max()))


def test_a_gray_image_is_one_of_three_equal_channels(network: SqueezeNet) -> None:
    gray = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.allclose(network(gray), network(gray.expand(-1, 3, -1, -1)), rtol=1e-5)


def test_its_weights_are_no_parameters_and_are_not_saved(network: SqueezeNet) -> None:
    assert not list(network.parameters())
    assert not network.state_dict()
    assert len(list(network.buffers())) == 2 * 26 + 1


@needs_weights
def test_the_published_weights_tell_what_is_on_a_photograph() -> None:
    """A Chinese palace, a photograph that comes with scikit-learn."""
    network = pretrained_squeezenet()
    palace = to_float(torch.from_numpy(load_sample_images().images[0][None].copy()))
    square = interpolate(palace[:, :, :, 106:-107], (227, 227), mode="bicubic", antialias=True)
    assert {698, 832, 663} & set(network(square)[0].topk(3).indices.tolist())  # palace, stupa, monastery
