"""Names of models on the Hub: `hf:OWNER/NAME`, or `hf:OWNER/NAME@REVISION` for a branch, tag or commit of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePath

from ganglion.errors import HubError

__all__ = ["HubModel", "checked_repository", "checked_revision", "hub_model", "is_hub_model"]

PREFIX = "hf:"
LONGEST = 96
PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
REVISION = r"[A-Za-z0-9_][A-Za-z0-9._+/-]*"


@dataclass(frozen=True)
class HubModel:
    """A model on the Hub."""

    repository: str
    """OWNER/NAME."""
    revision: str | None = None
    """A branch, tag or commit; None: the newest commit of the main branch."""

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}{f'@{self.revision}' if self.revision else ''}"

    @property
    def name(self) -> str:
        """NAME without its owner."""
        return self.repository.partition("/")[2]


def is_hub_model(name: str | os.PathLike[str]) -> bool:
    """Whether `name` begins with `hf:`, and is not the column of a data set, `hf:OWNER/NAME:column`."""
    text = _text(name)
    return text.startswith(PREFIX) and ":" not in text.removeprefix(PREFIX)


def hub_model(name: str | os.PathLike[str]) -> HubModel:
    """The model that `hf:OWNER/NAME[@REVISION]` names. Raises HubError for any other text."""
    repository, at, revision = _text(name).removeprefix(PREFIX).partition("@")
    return HubModel(checked_repository(repository, f"{PREFIX}OWNER/NAME"), checked_revision(revision) if at else None)


def checked_repository(name: str, expected: str = "OWNER/NAME") -> str:
    """The name of a repository as it is. Raises HubError where the Hub has no such names.

    The rules are those of `validate_repo_id` in huggingface_hub 2.4, for names with an owner.
    """
    found = re.fullmatch(f"{PART}/{PART}", name)
    if not found or len(name) > LONGEST or "--" in name or ".." in name or name.endswith(".git"):
        raise HubError(
            f"expected {expected}, such as {expected.replace('OWNER/NAME', 'anna/flowers')}: letters, digits, '-', '_' and "
            f"'.', at most {LONGEST} in all, without '--' and '..'; got {name[: LONGEST + 20]!r}"
        )
    return name


def checked_revision(revision: str) -> str:
    """A branch, tag or commit as it is. Raises HubError for a text that git does not take as one."""
    if (
        not re.fullmatch(REVISION, revision)
        or ".." in revision
        or "//" in revision
        or revision.endswith(("/", ".lock"))
    ):
        raise HubError(
            f"a revision is a branch, a tag or a commit's hash, such as main or 1a2b3c4; got {revision[:80]!r}"
        )
    return revision


def _text(name: str | os.PathLike[str]) -> str:
    """As it was typed: a path of Windows has other separators."""
    return name.as_posix() if isinstance(name, PurePath) else os.fspath(name)
