"""The Hugging Face Hub's calls on 127.0.0.1, as far as huggingface_hub makes them to send and to load a model.

Commits are kept as files by path; what was sent can be read, and failures can be asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["LocalHub", "Repository", "local_hub"]

LARGE = (".safetensors", ".png", ".onnx")
"""Files that are sent apart from the commit (LFS)."""
TOKENS = {"may-write": "write", "may-read": "read"}
PLURALS = {"models": "model", "spaces": "space"}

Answer = tuple[int, dict[str, Any] | bytes | None, dict[str, str]]


@dataclass
class Repository:
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files by the hash of the commit."""
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    sdk: str | None = None

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return self.commits[self.branches.get(revision, revision)]

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        tree = {**(self.files(branch) if branch in self.branches else {}), **files}
        name = hashlib.sha1(f"{len(self.commits)} {sorted(tree)} {message}".encode()).hexdigest()
        self.commits[name], self.branches[branch] = tree, name
        self.messages.append(message)
        return name


@dataclass
class LocalHub:
    address: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    """By kind and OWNER/NAME."""
    large: dict[str, bytes] = field(default_factory=dict)
    """Contents by their sha256."""
    requests: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    """Bodies of all requests."""
    breaks: str = ""
    """Part of a path: such requests end without an answer."""
    refuses: dict[str, Answer] = field(default_factory=dict)
    """Answers by part of a path, in place of the right ones."""

    def model(self, name: str) -> Repository:
        return self.repositories["model", name]

    # What the Hub does with a request that is allowed

    def answer(self, method: str, path: str, body: bytes, right: str | None) -> Answer:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if path == "/api/repos/create":
            return self.create(json.loads(body), right)
        if path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        if parts[0] == "large":
            return self.keep_large(parts[1], body)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.batch(json.loads(body))
        kind, owner, name, rest = _repository_in(parts)
        found = self.repositories.get((kind, f"{owner}/{name}"))
        if found is None or (found.private and right is None):
            return _refused(404 if right else 401, "RepoNotFound", "Repository not found")
        if method == "POST" and right != "write":
            return _refused(403, "", "You don't have the rights to write")
        return self.on_repository(found, f"{owner}/{name}", rest, body)

    def on_repository(self, found: Repository, name: str, rest: list[str], body: bytes) -> Answer:
        match rest:
            case [] | ["revision", _]:
                return self.info(found, name, rest[1] if rest else "main")
            case ["preupload", _]:
                files = json.loads(body)["files"]
                modes = [{"path": f["path"], "shouldIgnore": False, "uploadMode": _mode(f["path"])} for f in files]
                return 200, {"files": modes}, {}
            case ["branch", branch]:
                known = branch in found.branches
                found.branches.setdefault(branch, found.branches["main"])
                return _refused(409, "", "Reference already exists") if known else (200, {}, {})
            case ["commit", branch]:
                return self.commit(found, name, branch, body)
            case ["resolve", revision, *file]:
                return self.resolve(found, revision, "/".join(file))
        return _refused(404, "", "no such call")

    def create(self, asked: dict[str, Any], right: str | None) -> Answer:
        if right != "write" or asked["organization"] != "anna":
            return _refused(403 if right else 401, "", "You don't have the rights to create a repository there")
        private = asked.get("private") or asked.get("visibility") == "private"
        key = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        if key in self.repositories:
            return _refused(409, "", "You already created this repo")
        self.repositories[key] = made = Repository(bool(private), sdk=asked.get("sdk"))
        made.commit(
            "main", {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit"
        )
        return 200, {"url": f"{self.address}/{key[1]}"}, {}

    def validate(self, content: str) -> Answer:
        if not content.startswith("---\n") or "license: " not in content:
            return 400, {"errors": [{"message": "no license in the metadata"}], "warnings": []}, {}
        return 200, {"errors": [], "warnings": []}, {}

    def keep_large(self, name: str, body: bytes) -> Answer:
        if hashlib.sha256(body).hexdigest() != name:
            return _refused(400, "", "the hash is wrong")
        self.large[name] = body
        return 200, {}, {}

    def batch(self, asked: dict[str, Any]) -> Answer:
        objects = [
            {"oid": one["oid"], "size": one["size"]}
            | (
                {}
                if one["oid"] in self.large
                else {"actions": {"upload": {"href": f"{self.address}/large/{one['oid']}"}}}
            )
            for one in asked["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}, {}

    def info(self, found: Repository, name: str, revision: str) -> Answer:
        sha = found.branches.get(revision, revision)
        if sha not in found.commits:
            return _refused(404, "RevisionNotFound", f"no revision {revision}")
        files = [{"rfilename": path} for path in found.files(revision)]
        tree = {"id": name, "sha": sha, "private": found.private, "tags": [], "siblings": files, "sdk": found.sdk}
        return 200, tree, {}

    def commit(self, found: Repository, name: str, branch: str, body: bytes) -> Answer:
        lines = [json.loads(line) for line in body.splitlines()]
        files: dict[str, bytes] = {}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                files[value["path"]] = self.large[value["oid"]]
        sha = found.commit(branch, files, lines[0]["value"]["summary"])
        return 200, {"commitUrl": f"{self.address}/{name}/commit/{sha}", "commitOid": sha}, {}

    def resolve(self, found: Repository, revision: str, file: str) -> Answer:
        commit = found.branches.get(revision, revision)
        if commit not in found.commits:
            return _refused(404, "RevisionNotFound", f"no revision {revision}")
        if file not in found.commits[commit]:
            return _refused(404, "EntryNotFound", f"no file {file}")
        content = found.commits[commit][file]
        etag = hashlib.sha256(content).hexdigest()
        return 200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}


def _repository_in(parts: list[str]) -> tuple[str, str, str, list[str]]:
    """Kind, owner, name and the rest of `/api/models/OWNER/NAME/...` or of `/OWNER/NAME/resolve/...`."""
    if parts[0] == "api":
        kind, parts = PLURALS.get(parts[1], ""), parts[2:]
    else:
        kind = PLURALS.get(parts[0], "model")
        parts = parts[1:] if parts[0] in PLURALS else parts
    owner, name, *rest = [*parts, "", ""][: max(2, len(parts))]
    return kind, owner, name, rest


def _mode(path: str) -> str:
    return "lfs" if path.endswith(LARGE) else "regular"


def _refused(status: int, code: str, message: str) -> Answer:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return status, {"error": message}, headers


def _handler(hub: LocalHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            path = urlsplit(self.path).path
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append(f"{self.command} {path}")
            hub.received.append(body)
            if hub.breaks and hub.breaks in path:
                self.close_connection = True
                return
            status, content, headers = self.answered(path, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def answered(self, path: str, body: bytes) -> Answer:
            for part, answer in hub.refuses.items():
                if part in path:
                    return answer
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            if token and token not in TOKENS:
                return _refused(401, "", "Invalid credentials in Authorization header")
            return hub.answer(self.command, path, body, TOKENS.get(token))

        do_GET = do_HEAD = do_POST = do_PUT = handle_one  # noqa: N815

        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

    return Handler


@contextmanager
def local_hub() -> Iterator[LocalHub]:
    """A server that runs until the block ends."""
    hub = LocalHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
