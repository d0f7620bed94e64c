from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.errors import DataError
from ganglion.metrics.squeezenet_weights import CACHED, ArrayUnpickler, _converted, _digest, pretrained_weights
from squeezenet import Layers, needs_weights, package, random_layers


@pytest.fixture(scope="module")
def layers() -> Layers:
    return random_layers()


@pytest.fixture
def installed(tmp_path: Path, layers: Layers, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A package named likeness, which fails when it is imported; the hashes of its file and of its weights."""
    file = package(tmp_path, layers)
    monkeypatch.syspath_prepend(tmp_path)
    return file, _digest(_converted(pickle.dumps(layers)))


def test_weights_are_converted_once_and_then_need_the_package_no_more(
    tmp_path: Path, installed: tuple[str, str]
) -> None:
    first = pretrained_weights(tmp_path / "cache", "likeness", installed)
    again = pretrained_weights(tmp_path / "cache", "not_installed", installed)
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_kernels_are_turned_to_pytorchs_layout_and_the_first_one_to_red_green_blue(
    tmp_path: Path, layers: Layers, installed: tuple[str, str]
) -> None:
    weights = pretrained_weights(tmp_path / "cache", "likeness", installed)
    kernel = weights["fire4/expand3x3.weight"]
    assert kernel.shape == (128, 32, 3, 3)
    assert kernel[5, 7, 1, 2] == layers["fire4/expand3x3"][0][1, 2, 7, 5]
    assert weights["conv1.weight"][9, 0, 2, 1] == layers["conv1"][0][2, 1, 2, 9]  # the file's third channel is red
    assert torch.equal(weights["conv10.bias"], torch.from_numpy(layers["conv10"][1]))


def test_damaged_weights_in_the_cache_are_made_again(tmp_path: Path, installed: tuple[str, str]) -> None:
    first = pretrained_weights(tmp_path, "likeness", installed)
    kept = tmp_path / "extractors" / CACHED
    whole = kept.read_bytes()
    for damage in (b"", whole[:1000], whole[:-4] + b"oops"):
        kept.write_bytes(damage)
        assert torch.equal(pretrained_weights(tmp_path, "likeness", installed)["conv10.bias"], first["conv10.bias"])
        assert kept.read_bytes() == whole


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'package nowhere, which is not installed: pip install "ganglion\[eye\]"'):
        pretrained_weights(tmp_path, "nowhere")


def test_a_file_with_another_hash_is_not_read(tmp_path: Path, installed: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="is not that of likeness 0.1.4 and was not read; reinstall with"):
        pretrained_weights(tmp_path / "cache", "likeness", ("00" * 32, installed[1]))
    assert not (tmp_path / "cache").exists()


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.write_text, (self.path, "executed")  # type: ignore[return-value]


def test_nothing_but_arrays_is_read_from_a_pickle_and_nothing_is_executed(tmp_path: Path) -> None:
    good = {"a": [np.arange(3, dtype=np.float32), (1, "b", None)]}
    for protocol in (3, 4):  # older ones write bytes as a call of codecs, newer ones arrays as buffers
        found = ArrayUnpickler(io.BytesIO(pickle.dumps(good, protocol))).load()
        assert found["a"][0].tolist() == [0, 1, 2]
        assert found["a"][1] == (1, "b", None)
    with pytest.raises(pickle.UnpicklingError, match="is no part of a NumPy array"):
        ArrayUnpickler(io.BytesIO(pickle.dumps([Harmful(tmp_path / "written")]))).load()
    assert not (tmp_path / "written").exists()
    for code in (b"cos\nsystem\n(S'true'\ntR.", b"cnumpy\nload\n(S'x'\ntR.", b"cbuiltins\neval\n(S'1'\ntR."):
        with pytest.raises(pickle.UnpicklingError, match="is no part of a NumPy array"):
            ArrayUnpickler(io.BytesIO(code)).load()


@needs_weights
def test_the_published_weights_have_the_hashes_that_are_pinned(tmp_path: Path) -> None:
    weights = pretrained_weights(tmp_path)
    assert sum(tensor.numel() for tensor in weights.values()) == 1_235_496
