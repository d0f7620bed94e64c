from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.errors import DataError
from ganglion.metrics.extractors import EXTRACTORS, ExtractorContext, choose_extractor, find_extractor
from ganglion.metrics.features import array_set
from ganglion.metrics.pretrained import INCEPTION_FILE

CPU = torch.device("cpu")


def need(cache: Path, n: int = 600, channels: int = 1) -> ExtractorContext:
    return ExtractorContext(array_set("some", np.zeros((n, 16, 16, channels), np.uint8)), cache, CPU)


@pytest.mark.parametrize(
    ("n", "chosen", "why"), [(600, "learned", "enough images"), (40, "random", "40 images are too few")]
)
def test_without_an_inception_auto_learns_where_there_are_images_enough(tmp_path, n, chosen, why):
    name, reason = choose_extractor(need(tmp_path, n))
    assert name == chosen
    assert why in reason


@pytest.mark.parametrize(
    ("channels", "chosen"), [(1, "inception"), (2, "learned"), (3, "inception"), (4, "learned"), (13, "learned")]
)
def test_auto_takes_the_inception_that_is_at_hand_for_images_that_it_can_take(tmp_path, channels, chosen):
    (tmp_path / "extractors").mkdir()
    (tmp_path / "extractors" / INCEPTION_FILE).write_bytes(b"any")
    assert choose_extractor(need(tmp_path, channels=channels))[0] == chosen


@pytest.mark.parametrize("name", ["inceptoin", "torchscript", "random:3", "hf:", ""])
def test_an_unknown_name_is_told_what_there_is(tmp_path, name):
    with pytest.raises(
        DataError, match=r"features are auto, inception, squeezenet, learned, random, pixels, torchscript:FILE"
    ):
        find_extractor(name, need(tmp_path))


def test_a_near_miss_is_told_what_was_meant(tmp_path):
    with pytest.raises(DataError, match="did you mean 'random'"):
        find_extractor("randon", need(tmp_path))


@pytest.mark.parametrize("channels", [2, 4, 13])
@pytest.mark.parametrize("name", ["inception", "squeezenet", "timm:resnet18", "hf:some/model"])
def test_networks_of_colour_images_refuse_all_but_gray_and_colour(tmp_path, name, channels):
    with pytest.raises(DataError, match=f"1 or 3 channels, these have {channels}: use --features learned or random"):
        find_extractor(name, need(tmp_path, channels=channels))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
@pytest.mark.parametrize("name", ["random", "pixels"])
def test_what_needs_no_file_takes_any_channels_and_says_what_it_is(tmp_path, name, channels):
    extractor, notes = find_extractor(name, need(tmp_path, channels=channels))
    features = extractor.embed(torch.zeros(5, channels, 16, 24)).features
    assert (extractor.name, notes, len(features), features.ndim) == (name, [], 5, 2)
    assert len(extractor.about) > 20
    assert not extractor.comparable


def test_every_extractor_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{name}" in page for name in EXTRACTORS)
