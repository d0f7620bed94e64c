"""Who may talk to the studio, and about what: an ASGI layer around all of it.

The server answers to its own origin only, to the few calls of Gradio that the pages need, and to no file but uploads.
A browser is told, by a content security policy, to load nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

__all__ = ["POLICY", "Guard", "Origins"]


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = "; ".join([
    "default-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:", "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:", "media-src 'self' data: blob:", "font-src 'self' data:", "connect-src 'self' data: blob:",
    "worker-src 'self' blob:", "object-src 'none'", "base-uri 'self'", "form-action 'self'", "frame-ancestors 'none'",
])  # fmt: skip
"""Vega compiles expressions and Gradio has inline scripts: both need 'unsafe-' something, though never from elsewhere."""
HEADERS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "x-frame-options": "DENY",
    "referrer-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
}  # fmt: skip

GRADIO = "/gradio_api/"
CALLS = re.compile(
    r"(queue/(join|data)|run/\w+|cancel|reset|upload|upload_progress|heartbeat/\w+|startup-events|theme\.css|app_id|info"
    r"|component_server)/?"
)
"""What pages need of Gradio's interface. The rest (proxies, deep links, run history, monitoring, code editing) is closed."""
CLOSED = re.compile(
    r"/(monitoring|svelte|login|logout|custom_component|mcp|docs|redoc|openapi\.json|pwa_icon|dev)(/.*)?"
)
JUDGED = re.compile(r"(queue/join|run/\w+|component_server)/?")
HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(:(?P<port>\d{1,5}))?")
LARGEST_CALL = 2**25  # bytes of a call's JSON; images are uploaded
WRONG_PASSWORD_SEC = 1.0


@dataclass(frozen=True)
class Origins:
    """Values of the Host header to which a server on `port` answers, so that no foreign name can be pointed at it."""

    port: int
    names: frozenset[str] = frozenset({"127.0.0.1", "localhost"})
    any_address: bool = False
    """Also to any IP address: an address cannot be pointed elsewhere, as a name can (DNS rebinding)."""

    def allow(self, host: str) -> bool:
        parts = HOST.fullmatch(host)
        if parts is None or int(parts["port"] or 80) != self.port:  # browsers leave 80 out
            return False
        name = parts["name"]
        return name.lower() in self.names or (self.any_address and _is_address(name.strip("[]")))


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


class Guard:
    """The layer. `uploads` is the only folder from which Gradio may read or serve a file."""

    def __init__(self, app: App, origins: Origins, uploads: Path, password: str | None = None) -> None:
        self._app, self._origins, self._uploads, self._password = app, origins, uploads, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page uses a web socket
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        if refusal := self._refusal(scope, headers):
            await _answer(send, *refusal)
            return
        if self._password is not None and not self._knows_password(headers.get("authorization", "")):
            if "authorization" in headers:
                await asyncio.sleep(WRONG_PASSWORD_SEC)
            await _answer(
                send, 401, "This studio has a password.", {"www-authenticate": 'Basic realm="Ganglion studio"'}
            )
            return
        if scope["method"] == "POST" and JUDGED.fullmatch(scope["path"].removeprefix(GRADIO)):
            body = await _body(receive)
            if body is None or any(not self._is_upload(path) for path in files_named(body)):
                await _answer(send, 403, "A file that was not uploaded here is not read.")
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, _with_headers(send, scope["path"]))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host, origin, path = headers.get("host", ""), headers.get("origin"), scope["path"]
        if not self._origins.allow(host):
            return 421, f"This server answers to its own address only, not to {host!r}."
        if origin is not None and origin != f"{scope.get('scheme', 'http')}://{host}":
            return 403, "Another site may not call this server."
        site, navigates = headers.get("sec-fetch-site", "same-origin"), headers.get("sec-fetch-mode") == "navigate"
        if site in ("cross-site", "same-site") and not (navigates and scope["method"] == "GET"):
            return 403, "Another site may not use what this server holds."
        if path.startswith(f"{GRADIO}file="):
            named = path.partition("file=")[2]  # as it stands and decoded once more, whichever Gradio takes
            return (
                None
                if self._is_upload(named) and self._is_upload(unquote(named))
                else (403, "This file is not served.")
            )
        if path.startswith(GRADIO):
            return None if CALLS.fullmatch(path.removeprefix(GRADIO)) else (404, "There is no such page.")
        return (404, "There is no such page.") if CLOSED.fullmatch(path) else None

    def _is_upload(self, path: str) -> bool:
        """Whether a path leads into the folder of uploads, links and .. followed."""
        try:
            return "\0" not in path and Path(path).resolve().is_relative_to(self._uploads.resolve())
        except (OSError, ValueError, RuntimeError):
            return False

    def _knows_password(self, header: str) -> bool:
        kind, _, coded = header.partition(" ")
        try:
            given = base64.b64decode(coded, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return False
        return kind.lower() == "basic" and hmac.compare_digest(given, (self._password or "").encode())


def files_named(body: bytes) -> Iterator[str]:
    """Paths, and addresses to load from, of the files that a call of Gradio names; `//` of what cannot be read as JSON."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        yield "//"
        return
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "path" in one and ("meta" in one or "orig_name" in one or "url" in one):
                yield str(one["path"])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a request; None where it is too large or its sender has gone."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST_CALL:
            return None
        if not message.get("more_body"):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _with_headers(send: Send, path: str) -> Send:
    """Adds our headers. Pages and calls are not kept by the browser; Gradio's own files, whose names change, are."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {key.lower() for key, _ in message["headers"]}
            added = HEADERS if path.startswith("/assets/") else HEADERS | {"cache-control": "no-store"}
            message["headers"] = [
                *message["headers"],
                *((key.encode(), value.encode()) for key, value in added.items() if key.encode() not in names),
            ]
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    body = text.encode()
    named = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))} | HEADERS | (headers or {})
    coded = [(key.encode(), value.encode()) for key, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": coded})
    await send({"type": "http.response.body", "body": body})
