from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ganglion.doctor.features import FROM_LOSSES, FROM_VITALS
from ganglion.doctor.probability import SOURCES, models
from ganglion.doctor.similar_runs import COUNTED, SimilarRun, neighbours, population


def test_every_run_has_its_features_and_its_picture() -> None:
    found = population()
    assert len(found.runs) >= 40
    assert found.features["vitals"].shape == (len(found.runs), len(FROM_VITALS))
    assert found.features["losses"].shape == (len(found.runs), len(FROM_LOSSES))
    for run in found.runs:
        head, _, content = run.picture.partition(",")
        assert head == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            assert image.size == (256, 32)


def test_among_them_are_runs_that_ended_well_and_runs_that_ended_badly() -> None:
    ends = [run.well for run in population().runs]
    assert 0.2 < np.mean(ends) < 0.8


@pytest.mark.parametrize("source", SOURCES)
def test_a_run_of_the_population_is_nearest_to_itself(source: str) -> None:
    effects = models()[source].effects(population().features[source], list(SOURCES[source]))
    for place in range(0, len(effects), 7):
        nearest = neighbours(effects[place], effects).nearest[0]
        twin = population().runs.index(nearest)
        assert np.abs(effects[twin] - effects[place]).sum() == 0


def test_the_nearest_are_counted_by_how_they_ended() -> None:
    known = np.arange(len(population().runs), dtype=float)[:, None]
    found = neighbours(np.array([0.0]), known)
    assert found.nearest == population().runs[:3]
    assert found.counted == COUNTED
    assert found.well == sum(run.well for run in population().runs[:COUNTED])


def test_a_run_is_told_in_a_sentence() -> None:
    done = SimilarRun("x", "tutorial", "flags", "D's learning rate raised (x20)", False)
    assert done.text() == "tutorial on flags, D's learning rate raised (x20): ended badly"
    assert done._replace(change="", well=True).text() == "tutorial on flags: ended well"
