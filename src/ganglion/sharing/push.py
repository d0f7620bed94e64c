"""`ganglion.push`: a run to the Hugging Face Hub, as a model that `ganglion.load("hf:OWNER/NAME")` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from ganglion.data.prepare import cache_folder
from ganglion.errors import HubError
from ganglion.hub.client import page
from ganglion.hub.names import checked_repository, checked_revision
from ganglion.hub.upload import Sent, Target, logged_in, send
from ganglion.latent.model import Model, load
from ganglion.platform.files import intended_name, write_atomically
from ganglion.runs.folder import Run
from ganglion.sharing.contents import Contents, run_contents
from ganglion.sharing.licences import checked_licence

__all__ = ["ABOUT_SPACE", "Push", "push"]

ABOUT_SPACE = {
    "README.md": "settings of the Space",
    "app.py": "the page",
    "requirements.txt": "packages that it needs",
    "explorer.json": "directions for its sliders",
    "generator.onnx": "the generator as ONNX, compared with PyTorch",
}
"""What each file of a Space is."""


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
    space: dict[str, int] | None = None
    """Bytes of the files of the Space, by name; None without one."""
    about_space: dict[str, str] = field(default_factory=dict)
    """What each file of the Space is."""

    @property
    def name(self) -> str:
        """What `ganglion.load` takes: pinned to the commit once it is there."""
        return f"hf:{self.repository}{f'@{self.commit}' if self.commit else ''}"

    def text(self) -> str:
        """For a terminal."""
        state = "private" if self.private else "public"
        to = f"{page(self.repository)} ({state}, branch {self.branch})"
        lines = [f"Sent to {to}:" if self.commit else f"Would be sent to {to}, in one commit:"]
        lines += _listed(self.files, self.about)
        if self.space is not None:
            lines.append(f"{'Sent' if self.commit else 'And'} to the Space {page(self.repository, 'space')}:")
            lines += _listed(self.space, self.about_space)
        if self.withheld:
            lines.append(f"Left out of the recipe: {', '.join(self.withheld)}.")
        if self.commit:
            lines.append(f"Load it with: ganglion.load({self.name!r})")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "repository": self.repository, "branch": self.branch, "private": self.private, "commit": self.commit,
            "name": self.name, "files": self.files, "space": self.space,
        }  # fmt: skip


def push(
    run: str | Path | Run,
    repository: str,
    licence: str | None = None,
    *,
    private: bool = False,
    branch: str | None = None,
    checkpoint: str | int = "best",
    space: bool = False,
    dry_run: bool = False,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    generator: nn.Module | None = None,
) -> Push:
    """Sends the generator of `run` to `repository`, OWNER/NAME, in one commit; makes the repository where there is none.

    licence: an identifier of https://huggingface.co/docs/hub/repositories-licenses, such as mit; needed unless `dry_run`.
    private: a new repository is private; one that is there has to be private. branch: None: main; made where there is none.
    checkpoint: best, latest or a step. space: also a Space of the same name, a page to explore G in (extra `export`).
    dry_run: nothing is sent, and no network is needed. out: a folder for the files, those of the Space in its folder `space`.
    cache: folder of packed images, which tell how many there are.
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
    page_files = _space(repository, model, contents, chosen) if space else {}
    if out is not None:
        _write(contents.files | {f"space/{name}": content for name, content in page_files.items()}, Path(out))
    return _result(target, contents, page_files, None if dry_run else _sent(target, contents, page_files))


def _space(repository: str, model: Model, contents: Contents, licence: str | None) -> dict[str, bytes]:
    from ganglion.sharing.space_files import space_files  # PyTorch's converters take seconds to import

    return space_files(repository, model, contents.facts.recipe, licence)


def _sent(target: Target, contents: Contents, page_files: Mapping[str, bytes]) -> Sent:
    """The model, then its Space, which is private if the model is. Raises HubError."""
    message = f"Step {contents.facts.step:,} of the training"
    done = send(target, contents.files, message)
    if page_files:
        try:
            send(replace(target, kind="space", branch=None, private=done.private), page_files, message)
        except HubError as error:
            raise HubError(f"the model was sent, commit {done.commit}, but not its Space: {error}") from None
    return done


def _result(target: Target, contents: Contents, page_files: Mapping[str, bytes], sent: Sent | None) -> Push:
    return Push(
        target.repository, target.branch or "main", target.private if sent is None else sent.private,
        None if sent is None else sent.commit, _sizes(contents.files), contents.about, contents.withheld,
        _sizes(page_files) or None, {name: ABOUT_SPACE[name] for name in page_files},
    )  # fmt: skip


def _sizes(files: Mapping[str, bytes]) -> dict[str, int]:
    return {name: len(content) for name, content in files.items()}


def _listed(sizes: Mapping[str, int], about: Mapping[str, str]) -> list[str]:
    """A line for each file, and the sum."""
    lines = [f"  {name:<24}{_size(size):>10}  {about.get(name, '')}" for name, size in sizes.items()]
    return [*lines, f"  {len(sizes)} files, {_size(sum(sizes.values()))} in all"]


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    """Raises HubError for a folder with other files in it, so that none is written over."""
    ours = {name.partition("/")[0] for name in files}
    if folder.exists() and (not folder.is_dir() or {intended_name(path.name) for path in folder.iterdir()} - ours):
        raise HubError(f"{folder} holds other files: name a new folder with --out")
    for name, content in files.items():
        write_atomically(folder / name, content)


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
