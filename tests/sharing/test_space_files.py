"""The page of a Space runs here, from the files that the Hub got, and draws what Ganglion draws."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import ganglion
from ganglion.errors import HubError
from ganglion.latent.directions import sefa_directions
from ganglion.sharing.public_recipe import public_recipe
from ganglion.sharing.push import ABOUT_SPACE
from ganglion.sharing.space_files import space_files
from local_hub import LocalHub
from shared_runs import PLANTED, with_private_names
from untrained_models import untrained_model

NAME = "anna/digits"
DRAW = """
import json, sys
import numpy as np
found = {}
for name, calls in json.loads(sys.argv[1]).items():
    space = {"__name__": "app", "__file__": f"{name}/app.py"}
    exec(compile(open(f"{name}/app.py", encoding="utf-8").read(), f"{name}/app.py", "exec"), space)
    for i, (function, inputs) in enumerate(calls):
        found[f"{name}{i}"] = space[function](*inputs)
np.savez(sys.argv[2], **found)
"""
"""Calls functions of pages as their controls do."""
STILL = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}


def test_every_file_is_told_what_it_is_and_the_settings_are_those_of_a_space(hub: LocalHub) -> None:
    model = untrained_model(given="classes")
    files = space_files(NAME, model, public_recipe(model.recipe), "mit")
    assert files.keys() == ABOUT_SPACE.keys()
    settings = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert (settings["sdk"], settings["app_file"], settings["license"], settings["models"]) == (
        "gradio", "app.py", "mit", [NAME],
    )  # fmt: skip
    assert "/home/anna" not in files["generator.onnx"].decode("latin-1")


def test_the_page_is_formatted_as_all_code_here(tmp_path: Path) -> None:
    page = Path(ganglion.__file__).parent / "sharing" / "space" / "app.py.txt"
    config = Path(__file__).parents[2] / "pyproject.toml"
    (tmp_path / "app.py").write_bytes(page.read_bytes())
    for check in (["check"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *check, "--no-cache", "--config", str(config), "app.py"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


MODELS = {
    "classes": {"given": "classes", "channels": 1},
    "attributes": {"given": "attributes"},
    "sphere": {"latent__prior": "sphere", "channels": 4},
    "wide": {"latent__prior": "uniform", "size": "16x32", "channels": 5},
}  # fmt: skip
CHOSEN: dict[str, list[object]] = {"classes": ["dog"], "attributes": ["yes", 55, "dark"]}
LABELS: dict[str, object] = {"classes": "dog", "attributes": "smiling=1,age=55,hair=dark"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What pages draw: by name and number of the call. All in one process, since Gradio takes seconds to import."""
    folder = tmp_path_factory.mktemp("spaces")
    calls = {}
    for name, asked in MODELS.items():
        model, chosen, still = untrained_model(**asked), CHOSEN.get(name, []), [0.0] * 6
        (folder / name).mkdir()
        for file, content in space_files(NAME, model, public_recipe(model.recipe), "mit").items():
            (folder / name / file).write_bytes(content)
        calls[name] = [
            ("single", [7, 0.5, 1, 0.0, *still, *chosen]),
            ("grid", [7, 1.0, *chosen]),
            ("single", [7, 1.0, 1, 0.0, 2.0, *still[1:], *chosen]),
            ("single", [7, 1.0, 9, 1.0, *still, *chosen]),
        ]
    words = [sys.executable, "-c", DRAW, json.dumps(calls), "out.npz"]
    done = subprocess.run(words, cwd=folder, env=os.environ | STILL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(folder / "out.npz"))


@pytest.mark.parametrize("name", MODELS)
def test_a_page_draws_what_ganglion_draws(drawn: dict[str, np.ndarray], name: str) -> None:
    model, label = untrained_model(**MODELS[name]), LABELS.get(name)
    _equal(drawn[f"{name}0"], model.sample(1, seed=7, truncation=0.5, label=label), name, 1)  # type: ignore[arg-type]
    _equal(drawn[f"{name}1"], model.sample(36, seed=7, label=label), name, 6)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODELS)
def test_sliders_move_along_directions_and_to_the_other_seed(drawn: dict[str, np.ndarray], name: str) -> None:
    model = untrained_model(**MODELS[name])
    labels = model.labels(1, label=LABELS.get(name))  # type: ignore[arg-type]
    z, step = model.latents(1, 7), 2.0 * sefa_directions(model, 6).vectors[:1].float()
    at = model.latent.dim**0.5 * (z + step) / (z + step).norm() if name == "sphere" else z + step
    _equal(drawn[f"{name}2"], model.pixels(at, labels), name, 1)
    _equal(drawn[f"{name}3"], model.pixels(model.latents(1, 9), labels), name, 1)
    assert np.abs(drawn[f"{name}2"].astype(int) - drawn[f"{name}3"].astype(int)).max() > 2


def _equal(page: np.ndarray, images: np.ndarray, name: str, columns: int) -> None:
    """That a picture holds these images (N, H, W, C), enlarged, in `columns` columns, as far as they are shown."""
    height, width, channels = images.shape[1:]
    shown = images[..., :3] if channels == 5 else images
    page = page[..., None] if page.ndim == 2 else page
    lines = 2 if columns > 1 else 0
    tall, wide = page.shape[0] // (len(images) // columns), page.shape[1] // columns
    times = (wide - lines) // width
    assert (tall - lines, wide - lines) == (times * height, times * width)
    assert columns * times * width >= 256
    for i, image in enumerate(shown):
        top, left = i // columns * tall, i % columns * wide
        there = page[top : top + times * height : times, left : left + times * width : times]
        assert np.abs(there.astype(int) - image.astype(int)).max() <= 2, name


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The page of `folder`, served as the Hub does it; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | STILL | {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    words = [sys.executable, "app.py"]
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as program:
        try:
            yield _when_up(f"http://127.0.0.1:{port}/", program)
        finally:
            program.terminate()


def _when_up(address: str, program: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert program.poll() is None, program.stderr.read() if program.stderr else ""
        try:
            with urllib.request.urlopen(address, timeout=5):
                return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the page does not answer")


def test_a_space_that_was_sent_runs_and_draws_the_runs_images(
    hub: LocalHub, tiny_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    from huggingface_hub import hf_hub_download

    run = with_private_names(tiny_run, tmp_path)
    found = ganglion.push(run, NAME, "mit", space=True, private=True, cache=cache)
    there = hub.repositories["space", NAME]
    assert (there.sdk, there.private) == ("gradio", True)
    assert there.files().keys() - {".gitattributes"} == ABOUT_SPACE.keys() == (found.space or {}).keys()
    everything = b"".join(there.files().values()).lower()
    assert [word for word in PLANTED if word.encode() in everything] == []
    folder = Path(hf_hub_download(NAME, "app.py", repo_type="space", endpoint=hub.address)).parent
    for name in ABOUT_SPACE:
        hf_hub_download(NAME, name, repo_type="space", endpoint=hub.address)
    with served(folder) as address:
        drawn = _asked(address, "single", [5, 1.0, 1, 0.0, *[0.0] * 6])
    times = drawn.shape[0] // 16
    expected = ganglion.load(tiny_run).sample(1, seed=5)[0, ..., 0]
    assert np.abs(drawn[::times, ::times].astype(int) - expected.astype(int)).max() <= 2


def test_the_space_of_a_model_that_is_private_already_is_private_too(
    hub: LocalHub, tiny_run: ganglion.Run, cache: Path
) -> None:
    ganglion.push(tiny_run, NAME, "mit", private=True, cache=cache)
    ganglion.push(tiny_run, NAME, "mit", space=True, cache=cache)
    assert hub.repositories["space", NAME].private


def _asked(address: str, function: str, inputs: list[object]) -> np.ndarray:
    """The picture that a page draws, by the two requests that Gradio's API is."""
    call = urllib.request.Request(
        f"{address}gradio_api/call/{function}",
        json.dumps({"data": inputs}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}gradio_api/call/{function}/{event}", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    (data,) = json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))
    with urllib.request.urlopen(data["url"], timeout=60) as answer, Image.open(answer) as picture:
        return np.asarray(picture.convert("L"))


def test_a_space_that_is_refused_is_told_with_the_models_commit(
    hub: LocalHub, tiny_run: ganglion.Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganglion.sharing.space_files.space_files", lambda *_: {"README.md": b"---\nlicense: mit\n---\n"}
    )
    hub.refuses["spaces/"] = (403, b"", {"X-Error-Message": "Spaces are not allowed"})
    with pytest.raises(
        HubError, match=r"the model was sent, commit \w{40}, but not its Space: anna/digits cannot be written"
    ):
        ganglion.push(tiny_run, NAME, "mit", space=True, cache=cache)


def test_without_the_extra_nothing_is_sent(
    hub: LocalHub, tiny_run: ganglion.Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ganglion.ExportError, match=r"pip install 'ganglion\[export\]'"):
        ganglion.push(tiny_run, NAME, "mit", space=True, cache=cache)
    assert hub.repositories == {}
