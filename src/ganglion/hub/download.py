"""The files of a model from the Hub, all of one commit, with the hashes that its repository states.

They are kept in the library's cache; without a network the newest commit that is there is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion.errors import HubError
from ganglion.hub.checksums import SUMS, parse_checksums, wrong_files
from ganglion.hub.client import address, hub_errors, library, unreached
from ganglion.hub.names import HubModel

__all__ = ["Downloaded", "download"]

COMMIT = "[0-9a-f]{40}"


@dataclass(frozen=True)
class Downloaded:
    """Files of one commit."""

    model: HubModel
    """With the commit as its revision."""
    files: dict[str, Path]
    """Where they are in the cache, by their names."""


def download(model: HubModel, names: Sequence[str], optional: Sequence[str] = ()) -> Downloaded:
    """The files `names`, and those of `optional` that the repository has. No other file of it is fetched.

    Raises HubError where one is missing or has another hash than SHA256SUMS says, and where the Hub refuses or cannot be
    reached; StorageError where the cache cannot be written.
    """
    hub = library()
    with hub_errors("be loaded", model.repository, model.revision):
        offline = _only_cached(hub, model)
        listed = _fetched(hub, model.repository, SUMS, model.revision, offline)
        pinned = HubModel(model.repository, listed.parent.name)  # the cache keeps a file under snapshots/COMMIT/
        sums = _read(listed, model)
        chosen = [*names, *(name for name in optional if name in sums)]

        def fetched(name: str, **how: bool) -> Path:
            return _fetched(hub, model.repository, name, pinned.revision, offline, **how)

        files = {name: fetched(name) for name in chosen}
        for name in [] if offline else wrong_files(files, sums):  # damaged on the disk, perhaps
            files[name] = fetched(name, again=True)
        if wrong := wrong_files(files, sums):
            raise HubError(
                f"{pinned} is not loaded: the hash of {wrong[0]} is not the one in its {SUMS}, so the file was changed or "
                "damaged after it was sent; name another revision, hf:OWNER/NAME@REVISION, or tell its owner"
            )
    return Downloaded(pinned, files)


def _only_cached(hub: Any, model: HubModel) -> bool:
    """Whether the Hub does not answer and its files are in the cache. Raises the library's errors where there are none.

    The library itself would try for half a minute.
    """
    in_cache = isinstance(hub.try_to_load_from_cache(model.repository, SUMS, revision=model.revision), str)
    if in_cache and model.revision and re.fullmatch(COMMIT, model.revision):
        return False  # what is in the cache of a commit is taken from there, without a request
    try:
        hub.HfApi(endpoint=address(), library_name="ganglion").repo_info(model.repository, revision=model.revision)
    except Exception as error:  # of the library's HTTP client, which differs by its version
        if in_cache and unreached(error):
            return True
        raise
    return False


def _fetched(hub: Any, repository: str, name: str, revision: str | None, offline: bool, again: bool = False) -> Path:
    fetch = hub.hf_hub_download
    return Path(fetch(
        repository, name, revision=revision, endpoint=address(), local_files_only=offline, force_download=again,
        library_name="ganglion",
    ))  # fmt: skip


def _read(path: Path, model: HubModel) -> dict[str, str]:
    try:
        return parse_checksums(path.read_bytes())
    except ValueError as error:
        raise HubError(f"{model} is not loaded: {error}; it is not a model that ganglion push has sent") from None
