"""The GPU benchmark runs on a CPU, tiny, so that nothing in it is untried but CUDA itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

import gpu
from operations import Operations
from step_profile import Counted, Phases


def test_all_of_it_runs_and_is_written_between_the_marks_of_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Speed\n\n<!-- gpu:begin -->\nnot run yet\n<!-- gpu:end -->\n\nThe end.\n")
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--quick", "--write", str(page)])
    gpu.main()
    text = page.read_text()
    assert text.startswith("# Speed\n\n<!-- gpu:begin -->\n")
    assert text.endswith("\n<!-- gpu:end -->\n\nThe end.\n")
    assert "not run yet" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ") and "16x16" in line]
    assert [row.split()[1] for row in rows] == [*gpu.RECIPES, "sngan"]
    assert len({row.count("|") for row in [*rows, gpu.HEAD.splitlines()[0]]}) == 1
    assert "ends with the same bits: True" in text
    assert "32 M images takes" in text
    assert text.splitlines()[4] in capsys.readouterr().out


def test_operations_are_counted_through_a_gradient_penalty() -> None:
    layer, x = nn.Linear(3, 5, bias=False), torch.ones(2, 3, requires_grad=True)
    with Operations() as counter:
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
    product = 2 * 2 * 3 * 5
    assert counter.total % product == 0
    assert counter.total >= 5 * product  # forward, its gradient, and the gradients of both


def test_the_operations_of_a_grouped_convolution_are_those_of_its_groups_also_phase_by_phase() -> None:
    x, weight = torch.ones(2, 32, 8, 8, requires_grad=True), torch.ones(32, 2, 3, 3, requires_grad=True)
    found = Phases()
    with Operations() as counter, Counted(found):
        conv2d(x, weight, padding=1, groups=16).sum().backward()
    once = 2 * 2 * 8 * 8 * 32 * 2 * 3 * 3  # forward, the gradient for the input, that for the weight
    assert counter.total == sum(found.operations.values()) == 3 * once
