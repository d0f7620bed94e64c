from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ganglion.errors import DeviceError, RunError
from ganglion.studio.server import check_extra, listening, origins, prepare_server, runs_folder


def test_it_listens_to_this_machine_only_and_at_a_free_port() -> None:
    first = listening("127.0.0.1", None)
    second = listening("127.0.0.1", None)
    try:
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
        assert first.getsockname()[1] != second.getsockname()[1]
    finally:
        first.close()
        second.close()


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RunError, match=r"port \d+ of 127.0.0.1 cannot be used .*--port"):
            listening("127.0.0.1", taken.getsockname()[1])


def test_a_host_that_is_none_is_said() -> None:
    with pytest.raises(RunError, match="no address of this machine"):
        listening("no such host", None)


@pytest.mark.parametrize("password", [None, ""])
def test_other_machines_need_a_password(tmp_path: Path, password: str | None) -> None:
    with pytest.raises(RunError, match="--password"):
        prepare_server(tmp_path, None, "0.0.0.0", password, tmp_path / "cache")


def test_on_this_machine_two_names_are_its_own() -> None:
    assert origins(None, 7860).names == {"127.0.0.1", "localhost"}
    assert not origins(None, 7860).any_address
    assert origins("box.lan", 7860).allow("box.lan:7860")


def test_a_file_in_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        runs_folder(tmp_path / "file")


def test_a_runs_own_folder_opens_that_run(tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "recipe.yaml").write_text("")
    assert runs_folder(tmp_path / "runs" / "mine") == (tmp_path / "runs", "mine")
    assert runs_folder(tmp_path / "new") == (tmp_path / "new", "")


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganglion.studio.server.find_spec", lambda name: None)
    with pytest.raises(DeviceError, match=r"pip install 'ganglion\[studio\]'"):
        check_extra()
