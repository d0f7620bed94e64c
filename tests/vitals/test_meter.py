import numpy as np
import pytest
import torch

from ganglion.vitals.meter import Meter


def test_means_equal_those_of_numpy():
    values = np.random.default_rng(0).normal(3, 2, (500, 2))
    meter = Meter()
    for loss, logit in values:
        meter.add(loss=torch.tensor(loss), logit=torch.tensor(logit))
    assert meter.read() == pytest.approx(dict(zip(("loss", "logit"), values.mean(0), strict=True)), rel=1e-5)  # float32


def test_reading_starts_anew():
    meter = Meter()
    meter.add(loss=torch.tensor(100.0))
    meter.read()
    assert meter.read() == {}
    meter.add(loss=torch.tensor(2.0))
    assert meter.read() == {"loss": 2.0}


def test_there_is_one_entry_for_each_name_in_the_order_in_which_they_came():
    meter = Meter()
    for step in range(3):
        meter.add(b=torch.tensor(step), a=torch.tensor(2 * step))
    assert list(meter.read().items()) == [("b", 1.0), ("a", 2.0)]


def test_means_are_plain_floats():
    meter = Meter()
    meter.add(loss=torch.tensor(1, dtype=torch.int64), half=torch.tensor(0.5, dtype=torch.bfloat16))
    assert {name: type(mean) for name, mean in meter.read().items()} == {"loss": float, "half": float}


def test_what_was_added_is_neither_changed_nor_followed():
    meter, loss = Meter(), torch.tensor(1.0)
    meter.add(loss=loss)
    meter.add(loss=loss)
    assert loss.item() == 1
    loss.fill_(50)
    assert meter.read() == {"loss": 1.0}


def test_no_graph_is_kept_alive():
    meter, weight = Meter(), torch.tensor(2.0, requires_grad=True)
    for _ in range(2):
        meter.add(loss=weight.square())
    assert not meter._sums["loss"].requires_grad


def test_small_bf16_values_are_added_up_in_float32():
    meter = Meter()
    for _ in range(1000):
        meter.add(loss=torch.tensor(1.0, dtype=torch.bfloat16))  # a bf16 sum would stop at 256
    assert meter.read() == {"loss": 1.0}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_shows_in_the_mean(bad):
    meter = Meter()
    meter.add(loss=torch.tensor(1.0))
    meter.add(loss=torch.tensor(bad))
    assert not np.isfinite(meter.read()["loss"])


def test_a_value_that_is_there_at_some_steps_is_a_mean_over_those():
    meter = Meter()
    for step in range(8):
        meter.add(always=torch.tensor(float(step)))
        if step % 4 == 0:
            meter.add(lazily=torch.tensor(10.0 + step))
    assert meter.read() == {"always": 3.5, "lazily": 12.0}
