"""`ganglion.push`: a run to the Hugging Face Hub, as a model that `ganglion.load("hf:OWNER/NAME")` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ganglion.data.prepare import cache_folder
from ganglion.errors import HubError
from ganglion.hub.client import page
from ganglion.hub.names import checked_repository, checked_revision
from ganglion.hub.upload import Sent, Target, logged_in, send
from ganglion.latent.model import load
from ganglion.platform.files import write_atomically
from ganglion.runs.folder import Run
from ganglion.sharing.contents import Contents, run_contents
from ganglion.sharing.licences import checked_licence

__all__ = ["Push", "push"]


@dataclass(frozen=True)
class Push:
    """What was sent, or with `dry_run` what would be."""

    repository: str
    branch: str
    private: bool
    """Whether the repository is, or would be, private."""
    commit: str | None
    """None where nothing was sent."""
    files: dict[str, int]
    """Bytes by the name of the file."""
    about: dict[str, str]
    """What each file is."""
    withheld: list[str]
    """What of the recipe is private and was left out."""

    @property
    def name(self) -> str:
        """What `ganglion.load` takes: pinned to the commit once it is there."""
        return f"hf:{self.repository}{f'@{self.commit}' if self.commit else ''}"

    def text(self) -> str:
        """For a terminal."""
        state = "private" if self.private else "public"
        to = f"{page(self.repository)} ({state}, branch {self.branch})"
        lines = [f"Sent to {to}:" if self.commit else f"Would be sent to {to}, in one commit:"]
        lines += [f"  {name:<24}{_size(size):>10}  {self.about.get(name, '')}" for name, size in self.files.items()]
        lines.append(f"  {len(self.files)} files, {_size(sum(self.files.values()))} in all")
        if self.withheld:
            lines.append(f"Left out of the recipe: {', '.join(self.withheld)}.")
        if self.commit:
            lines.append(f"Load it with: ganglion.load({self.name!r})")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "repository": self.repository, "branch": self.branch, "private": self.private, "commit": self.commit,
            "name": self.name, "files": self.files,
        }  # fmt: skip


def push(
    run: str | Path | Run,
    repository: str,
    licence: str | None = None,
    *,
    private: bool = False,
    branch: str | None = None,
    checkpoint: str | int = "best",
    dry_run: bool = False,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    generator: nn.Module | None = None,
) -> Push:
    """Sends the generator of `run` to `repository`, OWNER/NAME, in one commit; makes the repository where there is none.

    licence: an identifier of https://huggingface.co/docs/hub/repositories-licenses, such as mit; needed unless `dry_run`.
    private: a new repository is private; one that is there has to be private. branch: None: main; made where there is none.
    checkpoint: best, latest or a step. dry_run: nothing is sent, and no network is needed.
    out: a folder, in which the files are written as well. cache: folder of packed images, which tell how many there are.
    generator: the module that the run was trained on, if it was one of your own; its code is not sent.

    Sent are the averaged weights, the recipe without names of files and folders, random samples, a model card, the hashes, and
    for a run with attributes their values for training images. Raises RunError, HubError, StorageError.
    """
    target = Target(
        checked_repository(repository), private=private, branch=checked_revision(branch) if branch else None
    )
    chosen = None if dry_run and licence is None else checked_licence(licence)
    if not dry_run:
        logged_in()
    folder = run if isinstance(run, Run) else Run(run)
    model = load(folder, checkpoint, generator=generator)
    contents = run_contents(folder, model, repository, chosen, Path(cache) if cache else cache_folder())
    if out is not None:
        _write(contents.files, Path(out))
    sent = None if dry_run else send(target, contents.files, f"Step {contents.facts.step:,} of the training")
    return _result(target, contents, sent)


def _result(target: Target, contents: Contents, sent: Sent | None) -> Push:
    private = target.private if sent is None else sent.private
    sizes = {name: len(content) for name, content in contents.files.items()}
    commit = None if sent is None else sent.commit
    return Push(target.repository, target.branch or "main", private, commit, sizes, contents.about, contents.withheld)


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    """Raises HubError for a folder with other files in it, so that none is written over."""
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - files.keys()):
        raise HubError(f"{folder} holds other files: name a new folder with --out")
    for name, content in files.items():
        write_atomically(folder / name, content)


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
