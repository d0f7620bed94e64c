"""Calls of an ASGI application without a server, for tests of what it answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import unquote

__all__ = ["Answer", "call"]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(app: Any, method: str, address: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """The answer to one request; Host is 127.0.0.1:7860 unless `headers` says otherwise."""
    path, _, query = address.partition("?")
    named = {"host": "127.0.0.1:7860"} | {key.lower(): value for key, value in (headers or {}).items()}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(key.encode(), value.encode()) for key, value in named.items()],
        "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 7860),
    }  # fmt: skip
    return asyncio.run(_called(app, scope, body))


async def _called(app: Any, scope: dict[str, Any], body: bytes) -> Answer:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    headers = {key.decode().lower(): value.decode() for key, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
