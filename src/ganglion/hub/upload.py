"""Files to a repository of the Hub, in one commit: all of them are there afterwards, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ganglion.errors import HubError
from ganglion.hub.client import TOKENS, address, hub_errors, library, page

__all__ = ["Kind", "Sent", "Target", "logged_in", "send"]

Kind = Literal["model", "space"]


@dataclass(frozen=True)
class Target:
    """Where files go."""

    repository: str
    """OWNER/NAME."""
    kind: Kind = "model"
    private: bool = False
    """Whether a repository that is not there yet is made private; one that is there must be private then."""
    branch: str | None = None
    """None: main. One that is not there is made from main."""


@dataclass(frozen=True)
class Sent:
    """A commit."""

    target: Target
    commit: str
    private: bool
    """Whether the repository is private."""


def logged_in() -> None:
    """Raises HubError where there is no access token: before any work is done."""
    if not library().get_token():
        raise HubError(
            "sending a model needs an access token of the Hub with the right to write: make one on "
            f"{TOKENS}, then run hf auth login, or set HF_TOKEN"
        )


def send(target: Target, files: Mapping[str, bytes], message: str) -> Sent:
    """Makes the repository where there is none, and adds or replaces `files` in one commit. Raises HubError."""
    logged_in()
    hub = library()
    api = hub.HfApi(endpoint=address(), library_name="ganglion")
    with hub_errors("be written", target.repository, target.branch):
        private = _prepared(hub, api, target)
        if target.branch not in (None, "main"):
            api.create_branch(target.repository, branch=target.branch, repo_type=target.kind, exist_ok=True)
        additions = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
        done = api.create_commit(
            target.repository, additions, commit_message=message, repo_type=target.kind, revision=target.branch
        )
    return Sent(target, str(done.oid), private)


def _prepared(hub: Any, api: Any, target: Target) -> bool:
    """Makes the repository unless it is there; whether it is private. Raises HubError for a public one where it must not be."""
    sdk = {"space_sdk": "gradio"} if target.kind == "space" else {}
    try:
        found = api.repo_info(target.repository, repo_type=target.kind)
    except hub.errors.GatedRepoError:
        raise
    except hub.errors.RepositoryNotFoundError:
        api.create_repo(target.repository, repo_type=target.kind, private=target.private, exist_ok=True, **sdk)
        return target.private
    if target.private and not found.private:
        raise HubError(
            f"{page(target.repository, target.kind)} is there already and is public, so nothing was sent: make it private in "
            "its settings, choose another name, or leave --private out"
        )
    return bool(found.private)
