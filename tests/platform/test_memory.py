"""Memory of the machine and of this process, from made control groups, made processes and real tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ganglion.platform.memory import (
    PeakMeter,
    available_bytes,
    cgroup_room,
    is_out_of_memory,
    peak_memory_gb,
    process_bytes,
    process_peak_bytes,
)

CPU = torch.device("cpu")
MIB = 2**20


def group(folder: Path, limit: str, used: int, cached: int, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    key = "inactive_file" if version == 2 else "total_inactive_file"
    (folder / "memory.stat").write_text(f"anon {used}\n{key} {cached}\n")


def test_the_room_in_a_control_group_is_its_limit_less_what_is_used_and_cannot_be_dropped(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/slurm/job\n")
    group(tmp_path / "cg" / "slurm" / "job", str(100 * MIB), 60 * MIB, 10 * MIB)
    assert cgroup_room(tmp_path / "own", tmp_path / "cg") == 50 * MIB


def test_the_tightest_of_a_group_and_those_above_it_counts(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/slurm/job\n")
    group(tmp_path / "cg" / "slurm" / "job", "max", 60 * MIB, 0)
    group(tmp_path / "cg" / "slurm", str(90 * MIB), 70 * MIB, 0)
    group(tmp_path / "cg", str(900 * MIB), 70 * MIB, 0)
    assert cgroup_room(tmp_path / "own", tmp_path / "cg") == 20 * MIB


def test_in_a_container_the_path_may_be_the_hosts_and_the_limit_is_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("9:cpu:/docker/abc\n4:memory:/docker/abc\n0::/\n")
    group(tmp_path / "cg" / "memory", str(80 * MIB), 30 * MIB, 5 * MIB, version=1)
    assert cgroup_room(tmp_path / "own", tmp_path / "cg") == 55 * MIB


@pytest.mark.parametrize("lines", ["0::/\n", "4:memory:/\n", ""])
def test_without_a_limit_there_is_no_number(tmp_path: Path, lines: str) -> None:
    (tmp_path / "own").write_text(lines)
    group(tmp_path / "cg" / "memory", "9223372036854771712", 30 * MIB, 0, version=1)
    assert cgroup_room(tmp_path / "own", tmp_path / "cg") is None
    assert cgroup_room(tmp_path / "not there", tmp_path / "cg") is None


def test_more_used_than_allowed_leaves_no_room(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    group(tmp_path / "cg", str(10 * MIB), 30 * MIB, 0)
    assert cgroup_room(tmp_path / "own", tmp_path / "cg") == 0


def test_processes_share_what_is_available() -> None:
    alone, shared = available_bytes(CPU), available_bytes(CPU, 4)
    assert alone > 64 * MIB
    assert shared == pytest.approx(alone / 4, rel=0.2)  # others use and free some meanwhile


def test_a_peak_is_seen_though_the_memory_is_free_again() -> None:
    with PeakMeter(CPU) as meter:
        tensor = torch.ones(256 * MIB // 4)
        del tensor
        after = process_bytes()
    assert meter.rise > 200 * MIB
    assert meter.peak > after + 100 * MIB


def test_a_mapped_file_does_not_count_since_the_system_can_drop_its_pages(tmp_path: Path) -> None:
    np.ones(128 * MIB, np.uint8).tofile(tmp_path / "big")
    with PeakMeter(CPU) as meter:
        total = int(np.memmap(tmp_path / "big", np.uint8).sum())
    assert total == 128 * MIB
    assert meter.rise < 32 * MIB


def test_the_peak_of_this_process_is_what_its_largest_tensor_took_at_least() -> None:
    kept = torch.ones(64 * MIB // 4)
    peak = peak_memory_gb(CPU)
    assert peak is not None
    assert kept.nbytes / 2**30 < peak < 64


def test_on_windows_the_peak_is_the_largest_working_set() -> None:
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=1, peak_wset=3 * 2**30))
    assert process_peak_bytes(lambda: process) == 3 * 2**30


def fails_on_the_cpu() -> None:
    torch.empty(2**50)


def fails_on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def fails_in_python() -> None:
    raise MemoryError


def fails_on_mps() -> None:
    raise RuntimeError("MPS backend out of memory (MPS allocated: 17.00 GB, other allocations: 1.00 GB)")


@pytest.mark.parametrize("fails", [fails_on_the_cpu, fails_on_a_gpu, fails_in_python, fails_on_mps])
def test_running_out_of_memory_is_told_from_other_errors(fails: Callable[[], None]) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as error:
        fails()
    assert is_out_of_memory(error.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("not enough memory")]
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)
