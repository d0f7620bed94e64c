"""The library huggingface_hub, loaded when first used, and its errors as sentences.

Address, cache and access token are the library's own: HF_ENDPOINT, HF_HUB_CACHE, HF_TOKEN or `hf auth login`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganglion.errors import HubError, StorageError

__all__ = ["TOKENS", "address", "hub_errors", "library", "page", "unreached"]

LONGEST = 200  # characters of a server's message
TOKENS = "https://huggingface.co/settings/tokens"
UNREACHED = {
    "ConnectError", "ConnectTimeout", "ConnectionError", "OfflineModeIsEnabled", "PoolTimeout", "ProxyError", "ReadError",
    "ReadTimeout", "RemoteProtocolError", "SSLError", "Timeout", "TimeoutException", "WriteError", "WriteTimeout",
}  # fmt: skip
"""Names of exceptions of the HTTP clients that the library's versions use: requests, httpx, httpx2."""


def library() -> Any:
    """huggingface_hub. Raises HubError where it is not installed."""
    try:
        import huggingface_hub
        from huggingface_hub.utils import disable_progress_bars
    except ImportError:
        raise HubError("models on the Hugging Face Hub need the extra 'hub': pip install 'ganglion[hub]'") from None
    if not sys.stderr.isatty():
        disable_progress_bars()
    return huggingface_hub


def address() -> str:
    """Where the Hub is: HF_ENDPOINT, or https://huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def page(repository: str, kind: str = "model") -> str:
    """The page of a repository; `kind` is model or space."""
    return f"{address()}/{'spaces/' if kind == 'space' else ''}{repository}"


@contextmanager
def hub_errors(doing: str, repository: str, revision: str | None = None) -> Iterator[None]:
    """Raises HubError, or StorageError for a disk, in the place of whatever the library raises. `doing`: `be loaded`."""
    try:
        yield
    except (HubError, StorageError):
        raise
    except Exception as error:  # the library passes on errors of its HTTP clients, parsers and the file system
        cause = _innermost(error)
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            raise StorageError(
                f"the Hub's cache cannot be written ({cause.strerror}): free some space, or name another folder in HF_HUB_CACHE"
            ) from None
        raise HubError(f"{repository} cannot {doing}: {_reason(cause, repository, revision)}") from None


def unreached(error: BaseException) -> bool:
    """Whether the Hub did not answer, or answered that it cannot at the moment."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return bool(_kinds(error) & UNREACHED) or (status is not None and status >= 500)


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _innermost(error: BaseException) -> BaseException:
    """What went wrong on the way, where the library says only which file it happened to."""
    while isinstance(error, RuntimeError | FileNotFoundError | ValueError) and error.__cause__ is not None:
        if type(error).__name__ not in ("RuntimeError", "LocalEntryNotFoundError", "ValueError"):
            break
        error = error.__cause__
    return error


def _reason(error: BaseException, repository: str, revision: str | None) -> str:
    kinds = _kinds(error)
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = _one_line(getattr(error, "server_message", None) or "")
    if "GatedRepoError" in kinds:
        return f"its owner gives access on request: ask for it on {page(repository)}, then hf auth login"
    if "RevisionNotFoundError" in kinds:
        return f"it has no revision {revision or 'main'}; {page(repository)}/commits/main lists its commits"
    if "EntryNotFoundError" in kinds and "LocalEntryNotFoundError" not in kinds:
        return f"it is not a model that ganglion push has sent: a file is missing from {page(repository)}"
    if status == 401 and "invalid" in said.lower():
        return f"the Hub does not know the access token ({said}): make one on {TOKENS}, then hf auth login"
    if "RepositoryNotFoundError" in kinds:
        return (
            f"there is none of this name on {address()}, or it is private: check the name, or log in with an access token "
            "that may read it: hf auth login"
        )
    if status in (401, 403):
        return (
            f"the access token has no right to do that{f' ({said})' if said else ''}: make one with write access to "
            f"{repository} on {TOKENS}, then hf auth login"
        )
    if kinds & UNREACHED:
        return (
            f"{address()} cannot be reached ({_one_line(str(error)) or type(error).__name__}): try again with a network"
        )
    if status is not None:
        what_to_do = "try again later" if status >= 429 else f"see {page(repository)}"
        return f"the Hub answered {status}{f' ({said})' if said else ''}: {what_to_do}"
    return f"{type(error).__name__}: {_one_line(str(error))}"


def _one_line(text: str) -> str:
    """Without control characters, which a server could send to a terminal."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:LONGEST]
