from typing import get_args

import pytest
import torch

from ganglion.errors import DeviceError
from ganglion.platform.devices import (
    DEVICES,
    DeviceName,
    choose_device,
    choose_precision,
    keep_freed_memory,
)
from ganglion.recipe.schema import Precision

CPU, MPS = torch.device("cpu"), torch.device("mps")
PRESENT = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
ABSENT = [name for name, there in PRESENT.items() if not there]  # no machine has both


def test_the_words_for_devices_are_those_of_the_type():
    assert get_args(DeviceName) == DEVICES


@pytest.mark.parametrize("name", ABSENT)
def test_a_device_that_is_not_there_is_refused_with_what_to_do(name):
    with pytest.raises(DeviceError, match=rf"finds no {name} device; use --device auto or --device cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "CUDA", "cuda:0", "", "tpu"])
def test_an_unknown_device_is_refused_with_those_there_are(name):
    with pytest.raises(DeviceError, match=rf"--device must be one of auto, cpu, cuda, mps; got '{name}'"):
        choose_device(name)


def test_auto_takes_the_accelerator_where_there_is_one():
    expected = next((name for name, there in PRESENT.items() if there), "cpu")
    assert choose_device("auto").type == expected


def test_the_cpu_can_always_be_chosen():
    assert choose_device("cpu") == CPU


def test_precision_auto_is_settled_as_32_or_bf16_and_the_same_each_time():
    assert choose_precision("auto", CPU) in ("32", "bf16")
    assert choose_precision("auto", CPU) == choose_precision("auto", CPU)


@pytest.mark.parametrize("asked", ["32", "bf16"])
def test_a_precision_that_is_asked_for_is_given(asked):
    assert choose_precision(asked, CPU) == asked


@pytest.mark.parametrize("asked", get_args(Precision))
def test_every_word_for_a_precision_is_settled_on_the_cpu(asked):
    assert choose_precision(asked, CPU) in set(get_args(Precision)) - {"auto"}


def test_mps_computes_in_float32_and_refuses_bf16_with_what_to_do():
    assert choose_precision("auto", MPS) == choose_precision("32", MPS) == "32"
    with pytest.raises(DeviceError, match="not reliable on mps; use --precision 32"):
        choose_precision("bf16", MPS)


# RunningStats

TRIM, MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
MIB = 2**20
INITIAL = {TRIM: 128 * 1024, MMAP: 128 * 1024}  # bytes; glibc's manual, mallopt(3)
ADAPTED = {
    TRIM: 64 * MIB,
    MMAP: 32 * MIB,
}  # where glibc's own adaptation ends: DEFAULT_MMAP_THRESHOLD_MAX, and twice it


class FakeLibc:
    """glibc as far as memory goes: its thresholds, and each time that it was trimmed, with the thresholds of then.

    `largest` is the largest threshold of mapping that it accepts: glibc before 2.35 refuses more than 32 MiB.
    """

    def __init__(self, largest: int = 2**62) -> None:
        self.largest = largest
        self.thresholds = dict(INITIAL)
        self.trimmed: list[dict[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        if parameter == MMAP and value > self.largest:
            return 0
        self.thresholds[parameter] = value
        return 1

    def malloc_trim(self, *_: int) -> int:
        self.trimmed.append(dict(self.thresholds))
        return 1


def test_memory_is_kept_while_asked_and_the_thresholds_are_lowered_before_it_is_handed_back():
    libc = FakeLibc()
    with keep_freed_memory(lambda: libc):
        assert libc.thresholds == {TRIM: 2**31 - 1, MMAP: 2**30}
        assert libc.trimmed == []
    assert libc.trimmed == [ADAPTED]
    assert libc.thresholds == ADAPTED


def test_memory_is_handed_back_after_an_exception_too():
    libc = FakeLibc()
    with pytest.raises(ZeroDivisionError), keep_freed_memory(lambda: libc):
        raise ZeroDivisionError
    assert libc.trimmed == [ADAPTED]


def test_nested_use_keeps_memory_until_the_outermost_ends():
    libc = FakeLibc()
    with keep_freed_memory(lambda: libc):
        with keep_freed_memory(lambda: libc):
            pass
        assert libc.thresholds == {TRIM: 2**31 - 1, MMAP: 2**30}
        assert libc.trimmed == []
    assert libc.trimmed == [ADAPTED]


def test_an_older_glibc_gets_the_largest_threshold_that_it_accepts():
    libc = FakeLibc(largest=2**25)
    with keep_freed_memory(lambda: libc):
        assert libc.thresholds[MMAP] == 2**25


def test_without_glibc_memory_is_left_to_the_system():
    asked = []
    with keep_freed_memory(lambda: asked.append("libc")):  # returns None
        assert asked == ["libc"]
    assert asked == ["libc"]
