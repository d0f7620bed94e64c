from __future__ import annotations

import pytest
import vl_convert

from ganglion.report import render
from ganglion.report.render import for_script


@pytest.fixture
def library(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "cache_folder", lambda: tmp_path / "cache")
    return render.library.__wrapped__


def test_the_charting_library_is_bundled_once_and_then_read_from_the_cache(library, tmp_path, monkeypatch):
    found = library()
    assert "vegaEmbed" in found
    assert "</script" not in found
    monkeypatch.setattr(vl_convert, "javascript_bundle", None)  # calling it would fail
    assert library() == found
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"vega-{render.version('vl-convert-python')}.js"]


def test_a_cache_that_cannot_be_written_costs_time_alone(library, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder would be")
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet: "bundle </script")
    assert library() == "bundle <\\/script"


def test_nothing_in_data_can_end_the_script_that_holds_it():
    assert for_script({"a": "</script><!--"}) == '{"a":"\\u003c/script>\\u003c!--"}'
