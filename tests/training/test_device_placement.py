"""All tensors of a step are on the training's device, and no step but one that makes a record asks for a value."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

import fake_device

if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    pytest.skip("this PyTorch has no devices written in Python", allow_module_level=True)

RECIPES = ["dcgan", "r3gan", "wgan-gp", "fast"]
"""Of each family one; dcgan with all that a step can have beside it, fast in micro-batches."""


@pytest.fixture(scope="module")
def answers(cache: Path) -> dict[str, int | str]:
    """In a process of its own, since a device once registered stays."""
    script = Path(fake_device.__file__)
    command = [sys.executable, str(script), str(cache), *RECIPES, *fake_device.SPOILED]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-2000:]
    return json.loads(found.stdout)


@pytest.mark.parametrize("name", RECIPES)
def test_the_steps_of_a_recipe_stay_on_the_device(name: str, answers: dict[str, int | str]) -> None:
    assert answers[name] == fake_device.STEPS


def test_a_step_that_asks_for_a_value_is_seen(answers: dict[str, int | str]) -> None:
    assert answers["asks"] == 0


def test_a_step_with_a_tensor_of_another_device_is_seen(answers: dict[str, int | str]) -> None:
    assert "elsewhere:0 and cpu" in str(answers["mixes"])


def test_a_step_that_copies_numbers_from_the_host_is_seen(answers: dict[str, int | str]) -> None:
    assert "empty_strided" in str(answers["copies"])
