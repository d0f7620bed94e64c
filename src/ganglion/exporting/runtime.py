"""onnxruntime-web, which runs a network in a browser: two files of its npm package, of one version, known by their hashes."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ganglion.errors import ExportError, StorageError
from ganglion.platform.files import cache_folder, write_atomically

__all__ = ["FILES", "MODULE", "NAME", "VERSION", "WASM", "archive_url", "runtime_files"]

NAME, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""SHA-512 of the package as published, as in a package-lock.json."""
MODULE, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
FILES = {
    MODULE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""SHA-256 by name, in the package's folder dist."""
TIMEOUT_SEC = 60
BY_HAND = f"run npm pack {NAME}@{VERSION} where there is a network, and give the file with --runtime FILE.tgz"


def archive_url(environment: Mapping[str, str] = os.environ) -> str:
    """Of the package; npm's own variable names another registry."""
    registry = environment.get("npm_config_registry") or "https://registry.npmjs.org"
    return f"{registry.rstrip('/')}/{NAME}/-/{NAME}-{VERSION}.tgz"


def fetched(url: str) -> bytes:
    """33 MB. Raises ExportError."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SEC) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ExportError(f"{NAME} {VERSION} cannot be downloaded from {url} ({reason}): {BY_HAND}") from None
    return content


def runtime_files(
    given: Path | None = None, cache: Path | None = None, fetch: Callable[[str], bytes] = fetched
) -> dict[str, bytes]:
    """The FILES by name: from `given`, the package's folder, its dist or its .tgz; else from the cache, or npm.

    Raises ExportError where they are not there or are others.
    """
    if given is not None:
        return _from_archive(given.read_bytes(), str(given)) if given.is_file() else _from_folder(given)
    kept = (cache or cache_folder()) / f"{NAME}-{VERSION}"
    with suppress(ExportError):
        return _from_folder(kept)
    url = archive_url()
    content = fetch(url)
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != INTEGRITY:
        raise ExportError(
            f"the download from {url} does not have the hash of {NAME} {VERSION}; it was discarded: {BY_HAND}"
        )
    files = _from_archive(content, url)
    with suppress(StorageError):  # a cache that cannot be written
        for name, file in files.items():
            write_atomically(kept / name, file)
    return files


def _from_folder(folder: Path) -> dict[str, bytes]:
    for place in (folder, folder / "dist", folder / "package" / "dist"):
        if all((place / name).is_file() for name in FILES):
            return {name: _checked(name, (place / name).read_bytes(), str(place / name)) for name in FILES}
    raise ExportError(f"{folder} does not hold {' and '.join(FILES)} of {NAME} {VERSION}: {BY_HAND}")


def _from_archive(content: bytes, origin: str) -> dict[str, bytes]:
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for name in FILES:
                member = archive.extractfile(f"package/dist/{name}")
                found[name] = _checked(name, member.read() if member else b"", origin)
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise ExportError(f"{origin} is not the package {NAME} {VERSION} ({error}): {BY_HAND}") from None
    return found


def _checked(name: str, content: bytes, origin: str) -> bytes:
    if hashlib.sha256(content).hexdigest() != FILES[name]:
        raise ExportError(f"{origin}: {name} is not that of {NAME} {VERSION} (its hash differs): {BY_HAND}")
    return content
