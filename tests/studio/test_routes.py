from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

import ganglion
from asgi_calls import call
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.platform.process_identity import identity_of
from ganglion.runs.folder import locked
from ganglion.studio.jobs import Jobs
from ganglion.studio.routes import add_routes
from ganglion.studio.state import Studio

Started = list[list[str]]


@pytest.fixture
def studio(tiny_run: ganglion.Run, tmp_path: Path) -> Studio:
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "tiny")
    return Studio(tmp_path / "runs", tmp_path / "cache")


@pytest.fixture
def started() -> Started:
    return []


@pytest.fixture
def app(studio: Studio, started: Started) -> Any:
    from fastapi import FastAPI

    def start(command: Any, log: Path, folder: Path | None) -> Any:
        started.append(list(command)[3:])
        return identity_of() | {"started": 0}

    made = FastAPI()
    add_routes(made, studio, Jobs(studio.jobs, start))
    return made


def act(app: Any, **wanted: Any) -> Any:
    return call(app, "POST", "/studio/act", body=json.dumps(wanted).encode()).json


def test_the_list_of_runs_is_sent_once(app: Any) -> None:
    first = call(app, "GET", "/studio/live/runs").json["parts"]
    assert 'href="/run?run=tiny"' in first["rows"]["html"]
    have = quote(json.dumps({name: part["mark"] for name, part in first.items()}))
    assert call(app, "GET", f"/studio/live/runs?have={have}").json == {"parts": {}}


def test_the_parts_of_a_run_and_its_charts(app: Any) -> None:
    found = call(app, "GET", "/studio/live/run?run=tiny").json
    assert set(found["parts"]) == {"head", "verdict", "timeline", "events", "recipe", "output"}
    charts = call(app, "GET", "/studio/charts?run=tiny").json
    assert charts["mark"] == found["charts"]
    assert all(panel["spec"]["layer"] for panel in charts["panels"])
    assert "http" not in json.dumps([panel["spec"].get("data") for panel in charts["panels"]])


@pytest.mark.parametrize("name", ["gone", "../x", "", "%2Fetc", "..%2F..%2Fetc"])
def test_a_run_that_is_not_there_is_a_sentence(app: Any, name: str) -> None:
    for address in (f"/studio/live/run?run={name}", f"/studio/charts?run={name}"):
        answer = call(app, "GET", address)
        assert answer.status == 200
        assert answer.json["problem"]
    for address in (
        f"/studio/sheet/fixed/10?run={name}",
        f"/studio/thumbnail/10?run={name}",
        f"/studio/compare?run={name}",
    ):
        assert call(app, "GET", address).status == 404


def test_a_run_that_was_started_here_and_deleted_is_said_to_be_gone(app: Any, studio: Studio) -> None:
    act(app, action="continue", run="tiny")
    job = Jobs(studio.jobs).of(studio.folder / "tiny")
    assert job is not None
    job.log.write_text("error: interrupted and saved; the same command resumes the run\n")
    assert not call(app, "GET", "/studio/live/run?run=tiny").json.get("problem")
    shutil.rmtree(studio.folder / "tiny")
    assert "moved or deleted" in call(app, "GET", "/studio/live/run?run=tiny").json["problem"]


def test_sheets_are_served_by_step(app: Any, studio: Studio) -> None:
    sheet = studio.folder / "tiny" / "samples" / "fixed" / "00000030.png"
    assert call(app, "GET", "/studio/sheet/fixed/30?run=tiny").body == sheet.read_bytes()
    with Image.open(io.BytesIO(call(app, "GET", "/studio/thumbnail/30?run=tiny").body)) as small:
        assert small.size == (152, 152)
    (studio.folder / "tiny" / "samples" / "fixed" / "00000010.png").write_bytes(b"broken")
    assert call(app, "GET", "/studio/thumbnail/10?run=tiny").status == 404


@pytest.mark.parametrize("address", ["sheet/fixed/30", "thumbnail/30"])
def test_a_sheet_is_sent_again_only_where_it_has_changed(app: Any, studio: Studio, address: str) -> None:
    sheet = studio.folder / "tiny" / "samples" / "fixed" / "00000030.png"
    first = call(app, "GET", f"/studio/{address}?run=tiny")
    known = {"if-none-match": first.headers["etag"]}
    assert (call(app, "GET", f"/studio/{address}?run=tiny", headers=known).status) == 304
    Image.new("L", (40, 40), 90).save(sheet)  # another run of the same name has the same steps
    second = call(app, "GET", f"/studio/{address}?run=tiny", headers=known)
    assert second.status == 200
    assert second.body != first.body


FILES = ["sheet/..%2f..%2fx/30", "sheet/fixed/..%2f30", "sheet/fixed/-1", "sheet/other/30", "assets/..%2fapp.py",
         "assets/run.html", "assets/%2e%2e/app.py", "assets//etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("address", FILES)
def test_no_other_file_is_served(app: Any, address: str) -> None:
    assert call(app, "GET", f"/studio/{address}?run=tiny").status == 404


@pytest.mark.parametrize("name", ["studio.css", "studio.js", "charts.js", "drop.js", "vega.js"])
def test_styles_and_scripts_load_nothing_from_elsewhere(app: Any, name: str) -> None:
    answer = call(app, "GET", f"/studio/assets/{name}")
    assert answer.status == 200
    assert b"@import" not in answer.body
    assert name == "vega.js" or (b"http://" not in answer.body and b"https://" not in answer.body)


def test_continuing_starts_the_same_run(app: Any, studio: Studio, started: Started) -> None:
    assert act(app, action="continue", run="tiny") == {"said": "Continuing"}
    assert started == [["train", "--run", str(studio.folder / "tiny"), "--recipe", str(studio.folder / "tiny" / "recipe.yaml"),
                        "--", "digits"]]  # fmt: skip


def test_a_remedy_starts_a_new_run_beside_it(
    app: Any, studio: Studio, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "ganglion train digits --recipe tiny/recipe.yaml --run tiny-slower --set optimizer.generator.lr=0.0001"
    remedies = [Remedy("look", "look at the images"), Remedy("slower", "slower", command=line)]
    verdict = Verdict("failing", [Finding("mode-collapse", "failing", 10, [], "One image.", remedies)])
    monkeypatch.setattr("ganglion.studio.actions.diagnose", lambda path: verdict)
    monkeypatch.setattr("ganglion.studio.details.diagnose", lambda path: verdict)
    page = call(app, "GET", "/studio/live/run?run=tiny").json["parts"]["verdict"]["html"]
    assert page.count("<button") == 1
    assert 'data-finding="mode-collapse" data-remedy="1"' in page
    assert act(app, action="remedy", run="tiny", finding="mode-collapse", remedy=1) == {
        "said": "Started",
        "run": "tiny-2",
    }
    assert started[0][:6] == ["train", "digits", "--recipe", "tiny/recipe.yaml", "--run", str(studio.folder / "tiny-2")]
    assert started[0][6:] == ["--set", "optimizer.generator.lr=0.0001"]
    for finding, number, words in (
        ("none", 1, "changed"),
        ("mode-collapse", 9, "changed"),
        ("mode-collapse", 0, "no change"),
    ):
        assert words in act(app, action="remedy", run="tiny", finding=finding, remedy=number)["problem"]
    assert len(started) == 1


@pytest.mark.parametrize("wanted", [{}, {"action": "stop"}, {"action": "stop", "run": 3}, {"action": "delete", "run": "tiny"},
                                    {"action": "stop", "run": "tiny"}, {"action": "continue", "run": "../x"}])  # fmt: skip
def test_a_wrong_action_is_a_sentence_and_starts_nothing(app: Any, started: Started, wanted: dict[str, Any]) -> None:
    assert act(app, **wanted)["problem"]
    assert not started


def test_a_body_that_is_no_object_is_a_sentence(app: Any) -> None:
    for body in (b"", b"[1]", b"\xff", b"[" * 100_000):
        assert call(app, "POST", "/studio/act", body=body).json["problem"]


def test_what_already_trains_is_not_started_again(app: Any, studio: Studio, started: Started) -> None:
    with locked(studio.folder / "tiny"):
        assert "being trained already" in act(app, action="continue", run="tiny")["problem"]
    assert not started


def test_runs_are_compared_on_a_page_that_leads_back(app: Any, studio: Studio) -> None:
    shutil.copytree(studio.folder / "tiny", studio.folder / "other")
    page = call(app, "GET", "/studio/compare?run=tiny&run=other").body.decode()
    assert "tiny against other" in page
    assert '<a href="/">Back to the runs</a>' in page
    assert call(app, "GET", "/studio/compare?run=tiny").status == 404


def test_a_dropped_folder_comes_file_by_file(app: Any, studio: Studio) -> None:
    address = "/studio/upload/0123456789abcdef"
    for name in ("photos/cat/1.png", "photos/dog/2.png"):
        assert call(app, "POST", f"{address}?name={quote(name)}", body=b"x").json == {}
    assert call(app, "GET", address).json == {
        "path": str(studio.uploads / "drops" / "0123456789abcdef" / "photos"), "files": 2,
    }  # fmt: skip
    assert call(app, "POST", f"{address}?name={quote('../../../x.png')}", body=b"x").json["problem"]
    assert not (studio.uploads / "x.png").exists()
