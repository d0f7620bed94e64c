from __future__ import annotations

from pathlib import Path

import pytest

from ganglion.doctor.diagnose import diagnose
from ganglion.errors import DataError
from ganglion.studio.fragments import rendered
from ganglion.studio.pages.doctor import examined
from ganglion.studio.state import Studio

LOG = "it,critic,gen,d_real,d_fake\n" + "\n".join(f"{50 * i},0.00001,16.118,1.0,0.0" for i in range(200))


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    (tmp_path / "log.csv").write_text(LOG)
    return Studio(tmp_path / "runs", tmp_path / "cache")


def test_a_log_is_read_with_the_names_and_numbers_of_the_form(studio: Studio, tmp_path: Path) -> None:
    verdict = examined(studio, str(tmp_path / "log.csv"), "d_loss=critic,g_loss=gen,step=it", "64", "", "")
    named = {"d_loss": "critic", "g_loss": "gen", "step": "it"}
    assert verdict.findings == diagnose(tmp_path / "log.csv", map=named, batch=64).findings
    assert verdict.findings
    assert verdict.understood is not None
    assert verdict.understood.counting["images_per_step"] == 64
    page = rendered("doctor_found.html", verdict=verdict, understood=verdict.understood)
    assert "Start a new run" not in page
    assert verdict.findings[0].code in page


@pytest.mark.parametrize("number", ["many", "0", "-1", "1.5", "9" * 30, "²"])
def test_a_number_that_is_none_is_said(studio: Studio, tmp_path: Path, number: str) -> None:
    with pytest.raises(DataError, match="whole number"):
        examined(studio, str(tmp_path / "log.csv"), "", number)


@pytest.mark.parametrize("path", ["", "/nothing/here", "a\0b"])
def test_a_log_that_is_not_there_is_said(studio: Studio, path: str) -> None:
    with pytest.raises(DataError):
        examined(studio, path)
