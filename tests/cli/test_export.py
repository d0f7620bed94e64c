"""`ganglion export` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.cli import export as cli
from ganglion.exporting.onnx_file import OPSET


def test_the_opset_in_the_help_is_the_one_that_is_written() -> None:
    assert cli.OPSET == OPSET


def test_files_are_written_and_the_difference_from_pytorch_is_told(command, tiny_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    onnx, single = tmp_path / "g.onnx", tmp_path / "g.safetensors"
    done = command("export", tiny_run.path, "--onnx", onnx, "--safetensors", single, "--discriminator")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{onnx} (")
    assert "ONNX opset 18, generator, z (N, 8), truncation (1) to images uint8 (N, 16, 16, 1)" in lines[0]
    assert "largest difference from PyTorch over 64 latents: " in lines[1]
    assert "g-discriminator.onnx" in lines[2]
    assert lines[4].startswith(f"{single} (")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g-discriminator.onnx", "g.onnx", "g.safetensors"]


def test_other_commands_take_the_single_file_in_place_of_a_run(command, tiny_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    single = tmp_path / "g.safetensors"
    assert command("export", tiny_run.path, "--safetensors", single).code == 0
    done = command("sample", single, "--n", "4", "--seed", "2")
    assert done.code == 0
    page = np.asarray(Image.open(tmp_path / "g" / "samples" / "seed-2.png"))
    assert np.array_equal(page[2:18, 2:18], ganglion.load(tiny_run).sample(1, seed=2)[0, ..., 0])
    assert command("interpolate", single, "--seeds", "1,2", "--frames", "3").code == 0
    assert (tmp_path / "g" / "latent" / "interpolation.png").is_file()


WRONG = {
    "nothing asked for": ((), 1, "nothing to write: name a file, such as --onnx generator.onnx"),
    "another ending": (("--onnx", "g.txt"), 2, "expected a file that ends in .onnx"),
    "another output": (("--onnx", "g.onnx", "--output", "jpeg"), 2, "uint8 or float; got 'jpeg'"),
    "a script alone": (("--script", "s.py"), 1, "give --onnx FILE.onnx too"),
    "a runtime alone": (("--onnx", "g.onnx", "--runtime", "x"), 2, "belongs to --web"),
    "no such runtime": (("--web", "page", "--runtime", "no.tgz"), 1, "no.tgz does not hold"),
    "an opset of long ago": (("--onnx", "g.onnx", "--opset", "1"), 1, "opset 1"),
    "no such checkpoint": (("--safetensors", "g.safetensors", "--checkpoint", "5"), 1, "no checkpoint '5'"),
    "a file that is there": (("--safetensors", "there.safetensors"), 1, "already there"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_named_with_what_to_do_and_nothing_is_written(
    case: str, command, tiny_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.safetensors").write_text("mine")
    words, code, said = WRONG[case]
    done = command("export", tiny_run.path, *words)
    assert done.code == code
    assert said in done.said
    assert [path.name for path in tmp_path.iterdir()] == ["there.safetensors"]
    assert (tmp_path / "there.safetensors").read_text() == "mine"


@pytest.mark.parametrize(
    ("place", "said"), [("none", "is not a run"), ("none.safetensors", "there is no file"), (".", "is not a run")]
)
def test_what_is_no_run_is_named(place: str, said: str, command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = command("export", tmp_path / place, "--safetensors", tmp_path / "g.safetensors")
    assert (done.code, said in done.said) == (1, True)
