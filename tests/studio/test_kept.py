from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from ganglion.errors import DataError, RunError
from ganglion.latent.directions import load_directions
from ganglion.studio.kept import keep, kept, kept_path, remove


def test_a_kept_direction_is_a_unit_vector_with_its_name_and_the_length_of_the_move(own_run: Path) -> None:
    keep(own_run, torch.tensor([0.0, 3.0, 4.0, 0, 0, 0, 0, 0]), "  slant \n of it ")
    found = kept(own_run, 8)
    assert found is not None
    assert found.names == ("slant of it",)
    assert found.vectors[0].tolist() == pytest.approx([0, 0.6, 0.8, 0, 0, 0, 0, 0])
    assert found.strengths.tolist() == [5.0]


def test_the_file_is_one_that_ganglion_walk_reads(own_run: Path) -> None:
    for name in ("one", "<b>two</b>"):
        keep(own_run, torch.ones(8), name)
    found = load_directions(kept_path(own_run), 8)
    assert found.names == ("one", "<b>two</b>")
    assert found.vectors.shape == (2, 8)


def test_the_same_name_replaces_and_a_removed_one_is_gone(own_run: Path) -> None:
    keep(own_run, torch.eye(8)[0], "a")
    keep(own_run, torch.eye(8)[1], "b")
    assert keep(own_run, torch.eye(8)[2], "a").names == ("b", "a")
    left = remove(own_run, "b", 8)
    assert left is not None
    assert left.names == ("a",)
    assert left.vectors[0].tolist() == torch.eye(8)[2].tolist()
    assert remove(own_run, "a", 8) is None
    assert kept(own_run, 8) is None


def test_directions_kept_by_two_tabs_at_once_are_all_there(own_run: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: keep(own_run, torch.eye(8)[i % 8], f"d{i}"), range(12)))
    found = kept(own_run, 8)
    assert found is not None
    assert sorted(found.names) == sorted(f"d{i}" for i in range(12))
    assert [path.name for path in kept_path(own_run).parent.iterdir()] == ["directions-kept.safetensors"]


@pytest.mark.parametrize(
    ("name", "why"), [("", "needs a name"), (" \n\t", "needs a name"), ("x" * 41, "at most 40 characters")]
)
def test_what_is_no_name_is_refused(own_run: Path, name: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        keep(own_run, torch.ones(8), name)


def test_nothing_moved_is_no_direction(own_run: Path) -> None:
    with pytest.raises(DataError, match="nothing is moved"):
        keep(own_run, torch.zeros(8), "still")


def test_a_deleted_run_is_not_made_anew(own_run: Path) -> None:
    shutil.rmtree(own_run)
    with pytest.raises(RunError, match="is not there any more"):
        keep(own_run, torch.ones(8), "slant")
    assert not own_run.exists()


def test_a_broken_file_is_said_and_left_as_it_is(own_run: Path) -> None:
    path = kept_path(own_run)
    path.parent.mkdir()
    path.write_bytes(b"no tensors")
    with pytest.raises(DataError, match="holds no directions"):
        keep(own_run, torch.ones(8), "slant")
    assert path.read_bytes() == b"no tensors"
