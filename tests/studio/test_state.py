from __future__ import annotations

from pathlib import Path

import pytest

from ganglion.errors import DataError, RunError
from ganglion.studio.state import Studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    folder = tmp_path / "runs"
    (folder / "mine" / "second").mkdir(parents=True)
    for run in (folder / "mine" / "second", tmp_path / "outside"):
        run.mkdir(exist_ok=True)
        (run / "vitals.jsonl").write_text("")
    return Studio(folder, tmp_path / "cache", roots=(folder,))


OUTSIDE = [
    "../outside", "mine/../../outside", "/etc", "//etc", "mine//second", "./mine", "mine/.", "..", "C:/x", "..\\outside",
    "mine\0", "mine\nsecond", "x" * 600, "",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out_of_the_folder(studio: Studio, name: str) -> None:
    with pytest.raises(RunError):
        studio.run(name)


def test_a_run_has_the_same_name_both_ways(studio: Studio) -> None:
    path = studio.run("mine/second")
    assert path == studio.folder / "mine" / "second"
    assert studio.name_of(path) == "mine/second"


def test_a_run_that_is_gone_is_said_to_be_gone(studio: Studio) -> None:
    with pytest.raises(RunError, match=r"no run 'mine'.*moved or deleted"):
        studio.run("mine")


class Request:
    def __init__(self) -> None:
        self.query_params = {"run": "mine/second", "__theme": "dark"}


def test_the_run_of_a_page_is_that_of_its_address(studio: Studio) -> None:
    assert studio.current(Request()) == studio.folder / "mine" / "second"
    assert studio.chosen(None) is None


def test_a_source_is_taken_as_it_was_typed(studio: Studio) -> None:
    assert studio.source(" digits ") == "digits"
    assert studio.source(str(studio.folder.parent)) == str(studio.folder.parent)
    with pytest.raises(DataError, match="drop"):
        studio.source("  ")
    with pytest.raises(DataError, match="started"):
        studio.source("-")
    with pytest.raises(DataError, match="no such home"):
        studio.source("~nobody-of-this-name/runs")


def test_for_other_machines_a_source_lies_in_folders_given_at_the_start(studio: Studio) -> None:
    remote = Studio(studio.folder, studio.cache, True, studio.roots)
    assert remote.source(str(studio.folder / "mine")) == str(studio.folder / "mine")
    assert remote.source("digits") == "digits"
    for outside in ("/etc", str(studio.folder / ".." / "outside"), "~"):
        with pytest.raises(DataError, match="outside the folders"):
            remote.source(outside)


def test_a_link_out_of_the_folders_is_followed_before_it_is_judged(studio: Studio) -> None:
    remote = Studio(studio.folder, studio.cache, True, studio.roots)
    (studio.folder / "link").symlink_to(studio.folder.parent / "outside")
    with pytest.raises(DataError, match="outside the folders"):
        remote.source(str(studio.folder / "link"))
