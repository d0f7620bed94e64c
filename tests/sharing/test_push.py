from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

import ganglion
from ganglion.errors import CheckpointError, HubError, RunError
from ganglion.hub.checksums import SUMS, checksums
from ganglion.sharing.push import Push
from local_hub import LocalHub
from shared_runs import PLANTED, with_private_names

NAME = "anna/digits"
SENT = {"README.md", "generator.safetensors", "recipe.yaml", "samples.png", SUMS}


@pytest.fixture
def run(tiny_run: ganglion.Run, tmp_path: Path) -> ganglion.Run:
    return with_private_names(tiny_run, tmp_path)


def push(run: ganglion.Run, cache: Path, **how: object) -> Push:
    return ganglion.push(run, NAME, "mit", cache=cache, **how)  # type: ignore[arg-type]


def test_the_model_that_is_loaded_draws_what_the_run_draws(hub: LocalHub, tiny_run: ganglion.Run, cache: Path) -> None:
    sent = push(tiny_run, cache)
    expected, model = ganglion.load(tiny_run), ganglion.load(sent.name)
    assert np.array_equal(model.sample(20, seed=3), expected.sample(20, seed=3))
    assert model.origin == f"hf:{NAME}@{hub.model(NAME).branches['main']}" == sent.name


def test_the_named_files_are_sent_and_no_other(hub: LocalHub, run: ganglion.Run, cache: Path) -> None:
    push(run, cache)
    files = {name: content for name, content in hub.model(NAME).files().items() if name != ".gitattributes"}
    assert files.keys() == SENT
    sums = files.pop(SUMS)
    del files["README.md"]  # its owner may change it
    assert sums == checksums(files)


def test_no_private_name_leaves_the_machine(hub: LocalHub, run: ganglion.Run, cache: Path) -> None:
    push(run, cache)
    lines = [line for body in hub.received for line in body.splitlines() if line.startswith(b'{"key": "file"')]
    texts = [base64.b64decode(json.loads(line)["value"]["content"]) for line in lines]
    everything = [*hub.received, *hub.model(NAME).files().values(), "\n".join(hub.requests).encode(), *texts]
    assert len(texts) >= 3
    assert sum(map(len, everything)) > 20_000
    for word in (*PLANTED, str(run.path), str(Path.home()) + "/", "optimizer.step", "/home", "/srv"):
        assert [content for content in everything if word.encode().lower() in content.lower()] == [], word


def test_the_names_are_really_in_the_run_that_is_searched_for_them(run: ganglion.Run) -> None:
    held = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert [word for word in PLANTED if word.encode() not in held] == []


def test_a_dry_run_makes_no_request_and_tells_sizes_and_what_is_left_out(
    hub: LocalHub, run: ganglion.Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    found = ganglion.push(run, NAME, cache=cache, dry_run=True)
    assert hub.requests == []
    assert found.commit is None
    assert found.files.keys() == SENT
    text = found.text()
    assert f"Would be sent to {hub.address}/{NAME} (public, branch main), in one commit:" in text
    assert "generator.safetensors" in text
    assert "kB  averaged weights of G, checkpoint 0" in text
    assert "Left out of the recipe: where the images are, the local copy of the data set" in text


def test_what_a_dry_run_shows_is_what_is_sent(hub: LocalHub, run: ganglion.Run, cache: Path, tmp_path: Path) -> None:
    shown = push(run, cache, dry_run=True, out=tmp_path / "out")
    sent = push(run, cache)
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert shown.files == sent.files == {name: len(content) for name, content in written.items()}
    assert written.items() <= hub.model(NAME).files().items()


def test_a_folder_with_other_files_is_not_written_into(run: ganglion.Run, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(HubError, match="holds other files: name a new folder with --out"):
        push(run, cache, dry_run=True, out=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".README.md.0a1b2c3d").touch()  # of a push that was killed
    push(run, cache, dry_run=True, out=tmp_path / "begun")
    assert (tmp_path / "begun" / "README.md").exists()


def test_a_branch_and_a_checkpoint_can_be_chosen(hub: LocalHub, tiny_run: ganglion.Run, cache: Path) -> None:
    step = tiny_run.steps_saved()[0]
    push(tiny_run, cache, branch="early", checkpoint=step)
    early = ganglion.load(f"hf:{NAME}@early")
    assert np.array_equal(early.sample(5), ganglion.load(tiny_run, step).sample(5))
    assert hub.model(NAME).files("main").keys() == {".gitattributes"}


def test_what_is_wrong_is_said_before_a_request(hub: LocalHub, tiny_run: ganglion.Run, tmp_path: Path) -> None:
    with pytest.raises(HubError, match="expected OWNER/NAME"):
        ganglion.push(tiny_run, "digits", "mit")
    with pytest.raises(HubError, match="a licence is missing"):
        ganglion.push(tiny_run, NAME)
    with pytest.raises(HubError, match="a revision is a branch"):
        ganglion.push(tiny_run, NAME, "mit", branch="../x")
    with pytest.raises(RunError, match="is not a run"):
        ganglion.push(tmp_path, NAME, "mit")
    with pytest.raises(CheckpointError, match="there is no checkpoint '7'"):
        ganglion.push(tiny_run, NAME, "mit", checkpoint="7")
    assert hub.requests == []
