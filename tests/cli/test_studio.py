from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ganglion.cli.app import app
from ganglion.errors import RunError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def studio(folder: Path, **keywords: Any) -> None:
        calls.append({"folder": folder} | keywords)

    monkeypatch.setattr("ganglion.studio.server.studio", studio)
    return calls


def test_the_command_opens_the_folder_of_runs(served: list[dict[str, Any]]) -> None:
    assert CliRunner().invoke(app, ["studio"]).exit_code == 0
    assert CliRunner().invoke(app, ["studio", "mine", "--port", "8000", "--no-browser"]).exit_code == 0
    assert [(call["folder"], call["port"], call["browser"]) for call in served] == [
        (Path("runs"), None, True), (Path("mine"), 8000, False),
    ]  # fmt: skip
    assert served[0]["host"] is None


def test_a_password_may_come_from_the_environment(served: list[dict[str, Any]]) -> None:
    CliRunner().invoke(app, ["studio", "--host", "0.0.0.0"], env={"GANGLION_STUDIO_PASSWORD": "secret"})
    assert served[0]["password"] == "secret"


def test_without_a_password_no_other_machine_is_let_in(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["studio", str(tmp_path), "--host", "0.0.0.0"])
    assert isinstance(done.exception, RunError)
    assert "--password" in str(done.exception)


def test_a_port_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["studio", str(tmp_path), "--port", "99999"]).exit_code == 2


def test_in_python_it_is_a_function_before_and_after_its_package_is_imported(
    served: list[dict[str, Any]], tmp_path: Path
) -> None:
    import ganglion.studio.state

    ganglion.studio(tmp_path, browser=False)
    assert served == [{"folder": tmp_path, "browser": False}]
