"""Cores, and the load of other processes, read from files like those of Linux."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganglion.platform.cores import LoadMeter, cores, neighbours, siblings, usual_threads

LINUX = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="the system does not tell which cores are allowed"
)
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
pytestmark = pytest.mark.skipif(os.name == "nt", reason="/proc is read with POSIX's clock ticks")


def stat(folder: Path, **busy_sec: float) -> None:
    """/proc/stat with these seconds of user time, and as many of idle time."""
    rows = [f"{core} {round(sec * TICKS)} 0 0 {round(sec * TICKS)} 0 0 0 0 0 0" for core, sec in busy_sec.items()]
    (folder / "stat").write_text("\n".join(["cpu  1 2 3 4 5 6 7 8 9 10", *rows, "intr 1"]) + "\n")


def process(folder: Path, pid: int, name: str, parent: int, sec: float, core: int = 0) -> None:
    (folder / str(pid)).mkdir(exist_ok=True)
    fields = ["S", parent, 0, 0, 0, 0, 0, 0, 0, 0, 0, round(sec * TICKS), *[0] * 24, core]
    (folder / str(pid) / "stat").write_text(f"{pid} ({name}) " + " ".join(map(str, fields)) + "\n")


class Clock:
    def __init__(self, *times: float) -> None:
        self._times = iter(times)

    def __call__(self) -> float:
        return next(self._times)


@LINUX
@pytest.mark.parametrize(
    ("limit", "most"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("nonsense", None)]
)
def test_the_quota_of_a_container_limits_the_cores(tmp_path, limit, most):
    (tmp_path / "cpu.max").write_text(limit)
    assert cores(tmp_path) == (most or len(os.sched_getaffinity(0)))


def test_the_first_version_of_cgroups_has_its_quota_elsewhere(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cores(tmp_path) == 1
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    assert cores(tmp_path) >= 1


def test_the_meter_tells_the_load_of_others_from_that_of_this_process(tmp_path):
    stat(tmp_path, cpu0=10, cpu1=20)
    meter = LoadMeter(proc=tmp_path, clock=Clock(0, 4), own_sec=Clock(1, 3), allowed={0, 1})
    stat(tmp_path, cpu0=13, cpu1=23)
    seconds, own, others = meter.read()
    assert (seconds, own) == (4, 0.5)
    assert others == pytest.approx(1.0)


def test_work_on_cores_that_this_process_may_not_use_does_not_count(tmp_path):
    stat(tmp_path, cpu0=0, cpu1=0)
    meter = LoadMeter(proc=tmp_path, clock=Clock(0, 1), own_sec=Clock(0, 0), allowed={1})
    stat(tmp_path, cpu0=1, cpu1=0.25)
    assert meter.read().others == pytest.approx(0.25)


def test_without_the_system_s_figures_only_its_own_time_is_known(tmp_path):
    meter = LoadMeter(proc=tmp_path / "none", clock=Clock(0, 2), own_sec=Clock(0, 3), allowed={0})
    assert meter.read() == (2, 1.5, None)


def test_the_processes_of_one_training_are_not_others_to_each_other(tmp_path):
    stat(tmp_path, cpu0=0, cpu1=0)
    for pid in (11, 12):
        process(tmp_path, pid, "python", 10, 0)
    process(tmp_path, 13, "ffmpeg", 1, 0)
    assert siblings(tmp_path, parent=10) == {11, 12}
    meter = LoadMeter(siblings(tmp_path, parent=10), tmp_path, Clock(0, 2), allowed={0, 1})
    stat(tmp_path, cpu0=2, cpu1=2)
    for pid, sec in ((11, 1), (12, 2)):
        process(tmp_path, pid, "python", 10, sec)
    assert meter.read()[1:] == (pytest.approx(1.5), pytest.approx(0.5))


def test_neighbours_are_named_the_busiest_first_and_idle_ones_not_at_all(tmp_path):
    process(tmp_path, 1, "me", 0, 0)
    process(tmp_path, 2, "tmux (1)", 0, 5)
    process(tmp_path, 3, "ffmpeg", 0, 0)
    process(tmp_path, 4, "a.out", 0, 0)
    process(tmp_path, 6, "elsewhere", 0, 0, core=7)

    def while_asleep(_seconds: float) -> None:
        process(tmp_path, 1, "me", 0, 0.2)
        process(tmp_path, 3, "ffmpeg", 0, 0.1)
        process(tmp_path, 4, "a.out", 0, 0.2)
        process(tmp_path, 6, "elsewhere", 0, 0.2, core=7)
        (tmp_path / "5").mkdir()  # it has ended meanwhile, and left no file

    found = neighbours(frozenset({1}), tmp_path, while_asleep, {0, 1})
    assert [(one.name, one.cores) for one in found] == [("a.out", pytest.approx(1)), ("ffmpeg", pytest.approx(0.5))]
    assert neighbours(frozenset(), tmp_path / "none", while_asleep) == []


@LINUX
def test_pytorch_takes_a_thread_per_core_or_per_physical_core(tmp_path):
    allowed = sorted(os.sched_getaffinity(0))
    assert usual_threads(tmp_path) is None
    for core in allowed:
        (tmp_path / f"cpu{core}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "topology" / "thread_siblings_list").write_text("0-999")  # all on one physical core
    assert usual_threads(tmp_path) == {len(allowed), 1}
