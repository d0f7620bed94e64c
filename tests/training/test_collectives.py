"""What two processes tell each other: values, layers that compare the images of a batch, and the messages of a step."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from two_processes import IMAGES, Learnt, layer_result


def test_collectives_agree(learnt: Learnt) -> None:
    expected = {
        "clock": (1 / 3, True), "first": "mine", "mean": [1.5, 2.5], "minimum": [5, 4],
        "logits": [[0.0, 10.0, 1.0, 11.0], [0.0, 5.0, 0.0, 6.0]], "averaged": [[[1.5] * 3] * 2, 2.0], "buffers": [2.0, 3.0],
        "gathered": [[0.0], [1.0]],
    }  # fmt: skip
    for found in learnt:
        assert {key: plain(value) for key, value in found["collectives"].items()} == expected


def plain(value: object) -> object:
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.tolist() if isinstance(value, Tensor) else value


@pytest.mark.parametrize("name", IMAGES)
def test_a_layer_over_processes_is_that_of_the_whole_batch_and_so_are_its_gradients_gradients(
    learnt: Learnt, name: str
) -> None:
    whole, shares = layer_result(name), [found["layers"][name] for found in learnt]
    for key, value in whole.items():
        if key.startswith("weight"):  # each process has the gradient of what came of its own images
            torch.testing.assert_close(shares[0][key] + shares[1][key], value)
        elif key.startswith("buffer"):
            torch.testing.assert_close(shares[0][key], value)
            assert torch.equal(shares[0][key], shares[1][key])
        else:
            joined = torch.empty_like(value)
            joined[0::2], joined[1::2] = (share[key] for share in shares)
            torch.testing.assert_close(joined, value)


def test_what_is_not_finite_in_one_process_ends_all_at_the_same_step_with_the_same_words(learnt: Learnt) -> None:
    first, second = (found["not finite"] for found in learnt)
    assert first == second
    assert "at step 2: first the loss of the discriminator;" in first


# Messages

STEP = 1
"""The second step, after which there is no tick."""
MESSAGES = {
    "critic": 6,  # two updates of D: logits and gradients; G's gradients; the clock
    "r3gan": 4,
    "dcgan": 14,  # and one each way for every pass through a batch norm: two in G, one in D, which sees three batches
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_step_sends_sums_of_tensors_and_no_objects(learnt: Learnt, name: str) -> None:
    for found in learnt:
        sent = [(kind, types) for step, kind, types in found["messages"][name] if step == STEP]
        assert {kind for kind, _ in sent} == {"allreduce_"}
        assert {types for _, types in sent} <= {(torch.float32,), (torch.float64,)}
        assert len(sent) == MESSAGES[name], Counter(sent)


def test_objects_are_sent_at_ticks_alone(learnt: Learnt) -> None:
    """An object is sent as bytes: the count above would see one."""
    last = [(kind, types) for step, kind, types in learnt[0]["messages"]["critic"] if step == 3]
    assert any(torch.uint8 in types for _, types in last)
