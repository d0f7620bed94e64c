"""Samples drawn by several processes are those of one, bit for bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.data.pixels import to_uint8
from ganglion.errors import RunError
from ganglion.latent.shares import PIECE, drawn_over_processes
from ganglion.networks.custom import run_file
from ganglion.networks.sampling import CHUNK

CPU = torch.device("cpu")


def test_two_processes_draw_the_pixels_of_one(tiny_run: ganglion.Run) -> None:
    model, n = ganglion.load(tiny_run), 2 * PIECE + CHUNK + 3
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as in each process: on a CPU kernels may round otherwise with more
    try:
        one = model.sample(n, seed=5, truncation=0.7)
    finally:
        torch.set_num_threads(before)
    two = model.sample(n, seed=5, truncation=0.7, devices=2)
    assert two.shape == one.shape == (n, 16, 16, 1)
    assert np.array_equal(one, two)
    assert len(np.unique(one.reshape(n, -1), axis=0)) > n // 2


FILE = b"""
from torch import nn
class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 256)
    def forward(self, z):
        return self.layer(z).tanh().unflatten(1, (1, 16, 16))
def generator(recipe): return Own()
def discriminator(recipe): return nn.Linear(1, 1)
"""


def test_processes_know_the_classes_of_a_file_of_networks() -> None:
    network = run_file(Path("nets.py"), FILE).generator(None).eval()
    z = torch.randn(3 * PIECE, 2)
    drawn = list(drawn_over_processes(network, z, None, CPU, 2))
    assert [len(piece) for piece in drawn] == 3 * [PIECE]
    assert np.abs(np.concatenate(drawn).astype(int) - to_uint8(network(z)).numpy().astype(int)).max() <= 1


def test_a_network_that_cannot_be_sent_is_told_in_a_sentence() -> None:
    network = nn.Sequential(nn.Linear(2, 2)).eval()
    network.hidden = lambda x: x  # type: ignore[assignment]
    with pytest.raises(RunError, match="cannot be pickled"):
        next(drawn_over_processes(network, torch.zeros(2 * PIECE, 2), None, CPU, 2))


class Killed(nn.Module):
    """Its process is killed as it draws, as by a system that runs out of memory."""

    def forward(self, z: Tensor) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return z


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_is_told_in_a_sentence() -> None:
    drawing: Iterator[object] = drawn_over_processes(Killed().eval(), torch.zeros(PIECE + 1, 2), None, CPU, 2)
    with pytest.raises(RunError, match="a process that drew samples ended without an error message"):
        next(drawing)
