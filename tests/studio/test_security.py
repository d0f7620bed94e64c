from __future__ import annotations

import base64
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from asgi_calls import Answer, call
from ganglion.studio.security import HEADERS, Guard, Origins, files_named


async def inner(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Says what it got: whatever comes here was let through."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"through:" + message.get("body", b"")})


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "b.png").write_bytes(b"x")
    (folder / "link").symlink_to("/etc")
    return folder


@pytest.fixture
def guard(uploads: Path) -> Guard:
    return Guard(inner, Origins(7860), uploads)


def through(answer: Answer) -> bool:
    return answer.body.startswith(b"through:")


# Hosts and origins


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860"])
def test_it_answers_to_its_own_address(guard: Guard, host: str) -> None:
    assert through(call(guard, "GET", "/", {"host": host}))


FOREIGN = ["evil.example:7860", "127.0.0.1:80", "127.0.0.1", "", "localhost", "127.0.0.1.evil.example:7860", "10.0.0.1:7860",
           "[::1]:7860", "localhost:7860.evil.example"]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_that_leads_here_gets_nothing(guard: Guard, host: str) -> None:
    answer = call(guard, "GET", "/studio/live/runs", {"host": host})
    assert answer.status == 421
    assert not through(answer)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8000", "https://127.0.0.1:7860"])
def test_another_site_cannot_call_it(guard: Guard, origin: str) -> None:
    assert call(guard, "POST", "/studio/act", {"origin": origin}).status == 403


def test_another_site_can_link_to_it_but_not_embed_or_fetch_it(guard: Guard) -> None:
    cross = {"sec-fetch-site": "cross-site"}
    assert through(call(guard, "GET", "/", cross | {"sec-fetch-mode": "navigate"}))
    assert call(guard, "GET", "/studio/thumbnail/1", cross | {"sec-fetch-mode": "no-cors"}).status == 403
    assert call(guard, "POST", "/studio/act", cross | {"sec-fetch-mode": "navigate"}).status == 403


def test_of_a_server_for_others_any_address_is_its_own_but_no_foreign_name() -> None:
    shared = Origins(9000, frozenset({"localhost", "box"}), any_address=True)
    assert all(shared.allow(host) for host in ("10.0.0.7:9000", "[fe80::1]:9000", "box:9000", "Box:9000"))
    assert not any(shared.allow(host) for host in ("evil.example:9000", "10.0.0.7:9001", "10.0.0.7.evil.example:9000"))


def test_at_port_80_the_port_is_left_out_and_the_rules_are_the_same() -> None:
    shared = Origins(80, frozenset({"localhost", "box"}), any_address=True)
    assert all(shared.allow(host) for host in ("10.0.0.7", "10.0.0.7:80", "[fe80::1]", "Box", "localhost:80"))
    assert not any(
        shared.allow(host) for host in ("evil.example", "10.0.0.7:81", "10.0.0.7.evil.example", "", "fe80::1:")
    )
    assert not any(Origins(7860).allow(host) for host in ("localhost", "127.0.0.1", "127.0.0.1:80"))


def test_every_answer_forbids_to_load_from_elsewhere(guard: Guard) -> None:
    for address in ("/", "/gradio_api/proxy=x", "/nothing"):
        answer = call(guard, "GET", address)
        assert HEADERS.items() <= answer.headers.items()
    policy = HEADERS["content-security-policy"]
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


# Files

TRICKS = [
    "/etc/passwd", "//etc/passwd", "{uploads}/../secret", "{uploads}/a/../../secret", "{uploads}/link/passwd", "~/.ssh/id_rsa",
    "file:///etc/passwd", "http://127.0.0.1:7860/x", "https://evil.example/x.png", "pyproject.toml", "..", "{uploads}\0/a",
    "C:\\Windows\\win.ini", "\\\\host\\share\\x",
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("coded", [False, True])
def test_no_file_but_an_upload_is_served(guard: Guard, uploads: Path, trick: str, coded: bool) -> None:
    (uploads.parent / "secret").write_bytes(b"s")
    path = trick.replace("{uploads}", str(uploads))
    answer = call(guard, "GET", f"/gradio_api/file={quote(quote(path, safe='') if coded else path, safe='/:')}")
    assert answer.status in (403, 404)
    assert not through(answer)


def test_an_upload_is_served(guard: Guard, uploads: Path) -> None:
    assert through(call(guard, "GET", f"/gradio_api/file={uploads}/a/b.png"))


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("where", ["queue/join", "run/predict", "component_server", "queue/join/"])
def test_no_call_makes_it_read_a_file_that_was_not_uploaded(
    guard: Guard, uploads: Path, trick: str, where: str
) -> None:
    file = {"path": trick.replace("{uploads}", str(uploads)), "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [1, {"deep": [[file]]}], "fn_index": 0}).encode()
    assert call(guard, "POST", f"/gradio_api/{where}", body=body).status == 403


def test_a_call_with_an_upload_goes_through_unchanged(guard: Guard, uploads: Path) -> None:
    file = {"path": str(uploads / "a" / "b.png"), "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [file, "a text with /etc/passwd in it"]}).encode()
    assert call(guard, "POST", "/gradio_api/queue/join", body=body).body == b"through:" + body


def test_a_body_that_is_no_json_names_a_file_that_is_none() -> None:
    assert list(files_named(b"{")) == ["//"]
    assert list(files_named(b"[" * 100_000)) == ["//"]
    assert list(files_named(b'{"path": 3, "a": "b"}')) == []


CLOSED = ["proxy=https://x.hf.space/a", "stream/1", "deep_link", "runs", "run-history/connect", "vibe-edit", "call/x",
          "process_recording", "openapi.json", "token", "file/etc/passwd", "custom_component/1/a/b/c"]  # fmt: skip


@pytest.mark.parametrize(
    "address", [*(f"/gradio_api/{name}" for name in CLOSED), "/monitoring", "/monitoring/summary", "/login"]
)
def test_what_no_page_needs_of_gradio_is_closed(guard: Guard, address: str) -> None:
    assert call(guard, "GET", address).status == 404
    assert call(guard, "POST", address).status == 404


# Password


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()}


def test_without_the_password_nothing_is_answered(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganglion.studio.security.WRONG_PASSWORD_SEC", 0.0)
    guard = Guard(inner, Origins(7860), uploads, "open: sésame")
    assert through(call(guard, "GET", "/", basic("open: sésame")))
    for headers in ({}, basic("open"), basic(""), {"authorization": "Basic ???"}, {"authorization": "Bearer x"}):
        answer = call(guard, "GET", "/studio/live/runs", headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_web_socket_is_closed(guard: Guard) -> None:
    with pytest.raises(KeyError):  # the answer is a close, which has no status
        call(_as_web_socket(guard), "GET", "/gradio_api/queue/join")


def _as_web_socket(guard: Guard) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await guard(scope | {"type": "websocket"}, receive, send)

    return app
