from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from ganglion.vitals.scalars import copied, separation
from ganglion.vitals.step_stats import StepStats, clip_share


def test_one_reading_has_losses_by_part_judgement_gradients_and_updates() -> None:
    g, d = nn.Linear(2, 2), nn.Linear(2, 1)
    stats = StepStats(g, d)
    stats.begin(1, closely=True)
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 1.5])
    stats.logits_seen(real, fake, separation(real, fake)).keep()
    stats.losses("d", {"adversarial": torch.tensor(0.5), "r1": torch.tensor(0.25)}, torch.tensor(0.75)).keep()
    d(torch.ones(3, 2)).sum().backward()
    stats.d.after_backward()
    torch.optim.SGD(d.parameters(), 0.1).step()
    stats.d.after_step()
    found = stats.read()
    assert (found["loss_d"], found["loss_d_adversarial"], found["loss_d_r1"]) == (0.75, 0.5, 0.25)
    assert found["separation"] == 0.75
    assert found["logit_real"] == 1.5
    assert found["update_d"] > 0
    assert "grad_g" not in found
    json.dumps(found, allow_nan=False)


def test_updates_are_measured_in_the_steps_that_are_looked_at_closely() -> None:
    g = nn.Linear(2, 2)
    stats, optimizer = StepStats(g, nn.Linear(1, 1)), torch.optim.SGD(g.parameters(), 0.1)
    for closely in (True, False):
        stats.begin(1, closely)
        g(torch.ones(3, 2)).sum().backward()
        stats.g.after_backward()
        optimizer.step()
        stats.g.after_step()
        assert ("update_g" in stats.read()) == closely


def test_what_is_not_finite_has_no_key_and_the_first_of_it_is_named() -> None:
    stats = StepStats(nn.Linear(1, 1), nn.Linear(1, 1))
    for step, loss in enumerate([1.0, float("inf"), float("nan")], start=5):
        stats.begin(step, closely=True)
        stats.losses("g", {}, torch.tensor(loss)).keep()
        stats.logits_seen(torch.tensor([loss]), torch.tensor([0.0]), torch.tensor(0.5)).keep()
    found = stats.read()
    assert found["non_finite"] == {"step": 6, "tensor": "loss of the generator"}
    assert "loss_g" not in found
    assert "logit_real" not in found
    json.dumps(found, allow_nan=False)


def test_readings_that_are_written_over_after_they_were_copied_read_as_before() -> None:
    d = nn.Linear(2, 1)
    stats, optimizer, found = StepStats(nn.Linear(2, 2), d), torch.optim.SGD(d.parameters(), 0.1), []
    stats.begin(1, closely=True)
    d(torch.ones(3, 2)).sum().backward()
    readings = [stats.losses("d", {"r1": torch.tensor(0.25)}, torch.tensor(0.75)), *stats.d.gradient()]
    logits = torch.tensor([[1.0, 2.0]]), torch.tensor([[-1.0, 1.5], [0.0, 0.5]])
    readings.append(stats.logits_seen(*logits, torch.tensor(1.0)))
    optimizer.step()
    readings += stats.d.update()
    assert stats.read() == {}, "nothing is kept before it is asked for"
    for over in (False, True):
        kept = copied(readings)
        for tensor in (tensor for reading in readings for tensor in reading.values):
            assert not over or tensor.fill_(7.0) is tensor
        for reading in kept:
            reading.keep()
        found.append(stats.read())
    assert found[0] == found[1]
    assert {"loss_d", "loss_d_r1", "separation", "logit_real", "grad_d", "update_d", "first_gradient_d"} <= set(
        found[0]
    )


def test_the_clip_share_is_that_of_weights_at_the_bound() -> None:
    net = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.01, -0.01, 0.005, 0.0]]))
    assert clip_share(net, 0.01) == pytest.approx(0.5)
