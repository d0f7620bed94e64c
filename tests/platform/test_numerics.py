import os

import pytest
import torch

from ganglion.errors import DeviceError
from ganglion.platform.numerics import CUBLAS, reproducible, side_stream, training_numerics

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
"""Settings are the process's: what a CUDA device is computed with can be seen without one."""
EXACT, FAST = (True, False, False, False), (False, True, True, True)


def kernels():
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


def settings():
    filling = torch.utils.deterministic.fill_uninitialized_memory
    return kernels(), torch.are_deterministic_algorithms_enabled(), filling, os.environ.get(CUBLAS)


def test_reproducible_turns_off_whatever_may_differ_from_run_to_run():
    with reproducible():
        assert kernels() == EXACT


@pytest.mark.parametrize("context", [
    reproducible, lambda: training_numerics(CPU, False), lambda: training_numerics(CPU, True),
    lambda: training_numerics(CUDA, False), lambda: training_numerics(CUDA, True),
])  # fmt: skip
def test_the_processs_settings_are_put_back_also_after_an_exception(context):
    before = settings()
    with context():
        pass
    assert settings() == before
    with pytest.raises(ZeroDivisionError), context():
        raise ZeroDivisionError
    assert settings() == before
    assert before[0] not in (EXACT, FAST)  # or the claim would be empty


def test_reproducible_may_be_nested():
    before = settings()
    with reproducible():
        with reproducible():
            pass
        assert kernels() == EXACT
    assert settings() == before


@pytest.mark.parametrize("deterministic", [False, True])
def test_on_a_cpu_a_training_computes_the_same_whatever_is_asked(deterministic):
    with training_numerics(CPU, deterministic):
        assert kernels() == EXACT
        assert not torch.are_deterministic_algorithms_enabled()


def test_on_a_cuda_device_a_training_takes_tf32_and_the_fastest_algorithms():
    with training_numerics(CUDA, deterministic=False):
        assert kernels() == FAST
        assert not torch.are_deterministic_algorithms_enabled()


def test_a_deterministic_training_on_a_cuda_device_allows_only_kernels_that_repeat_their_bits():
    with training_numerics(CUDA, deterministic=True):
        assert kernels() == EXACT
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ[CUBLAS] == ":4096:8"


def test_a_setting_of_cublas_that_the_user_made_is_kept(monkeypatch):
    monkeypatch.setenv(CUBLAS, ":16:8")
    with training_numerics(CUDA, deterministic=True):
        assert os.environ[CUBLAS] == ":16:8"
    assert os.environ[CUBLAS] == ":16:8"


def test_an_operation_that_cannot_be_repeated_is_named_with_what_to_do():
    said = "put_ does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms(True)'"
    with pytest.raises(DeviceError, match="no deterministic CUDA kernel for put_; leave the option out"):  # noqa: SIM117
        with training_numerics(CUDA, deterministic=True):
            torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))  # PyTorch refuses it on a CPU as well
    with pytest.raises(RuntimeError, match="other"), training_numerics(CUDA, deterministic=True):
        raise RuntimeError("other", said[:5])


def test_a_cpu_has_no_streams():
    with side_stream(CPU):
        assert torch.zeros(1) == 0
