from __future__ import annotations

import math
import random

import pytest

from ganglion.doctor.readers.names import ALIASES, MOST_RECORDS, in_order, key_of, record_of, with_separation


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Loss_D", "loss_d"), ("loss/D", "loss_d"), ("train/d_loss", "loss_d"), ("Loss/D/loss", "loss_d"), ("errD", "loss_d"),
        ("Discriminator Loss", "loss_d"), ("Loss/G/loss", "loss_g"), ("G loss", "loss_g"), ("D(x)", "d_real"),
        ("D(G(z))", "d_fake"), ("Loss/scores/real", "logit_real"), ("Metrics/fid50k_full", "fid"), ("gp", "loss_d_wgan_gp"),
        ("Progress/kimg", "kimg"), ("something else", "something_else"),
    ],
)  # fmt: skip
def test_other_peoples_names_are_known(name: str, key: str) -> None:
    assert key_of(name) == key


def test_no_alias_means_two_things() -> None:
    every = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(every) == len(set(every))
    assert all(key_of(alias) == key for key, aliases in ALIASES.items() for alias in aliases)


def test_words_and_truths_are_no_numbers() -> None:
    assert record_of({"loss_d": "0.5", "note": "fine", "flag": True, "empty": "", "none": None}) == {"loss_d": 0.5}


def test_a_loss_that_is_not_finite_is_told_and_a_score_that_was_not_computed_is_not() -> None:
    assert record_of({"fid": "nan", "lr_g": "inf", "step": "3"}) == {"step": 3.0}
    assert record_of({"errD": "nan", "fid": "nan"}) == {"non_finite": {"tensor": "loss of the discriminator"}}
    assert record_of({"cycle loss": "inf"}) == {"non_finite": {"tensor": "cycle loss"}}


def test_separation_is_that_of_two_normal_distributions() -> None:
    numbers = random.Random(0)
    real, fake = ([numbers.gauss(m, s) for _ in range(1000)] for m, s in ((1.0, 2.0), (-0.5, 1.0)))
    record = with_separation({"logit_real": 1.0, "logit_real_std": 2.0, "logit_fake": -0.5, "logit_fake_std": 1.0})
    counted = sum(r > f for r in real for f in fake) / 1e6
    assert record["separation"] == pytest.approx(counted, abs=0.02)


def test_signs_become_accuracies() -> None:
    record = with_separation({"sign_real": 0.5, "sign_fake": -0.5})
    assert record == {"accuracy_real": 0.75, "accuracy_fake": 0.75}
    assert math.isclose(with_separation({"sign_fake": 1.0})["accuracy_fake"], 0)


def test_rows_of_one_step_become_one_record() -> None:
    assert in_order([{"step": 5, "loss_d": 1.0}, {"step": 5, "loss_g": 2.0}]) == [
        {"step": 5, "loss_d": 1.0, "loss_g": 2.0}
    ]


def test_a_log_that_starts_over_keeps_its_last_life() -> None:
    rows = [{"step": step, "life": life} for life, steps in ((1.0, (1, 2, 3, 4)), (2.0, (3, 4, 5))) for step in steps]
    assert [(r["step"], r["life"]) for r in in_order(rows)] == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]


def test_a_long_log_becomes_means_and_loses_no_bad_number() -> None:
    rows = [{"step": i, "loss_d": float(i % 2)} for i in range(1, 10_001)]
    rows[4321]["non_finite"] = {"tensor": "loss of the generator"}  # type: ignore[assignment]
    records = in_order(rows)
    assert len(records) == MOST_RECORDS
    assert records[-1]["step"] == 10_000
    assert sum(r["loss_d"] for r in records) / len(records) == pytest.approx(0.5, abs=0.02)
    assert [r["non_finite"] for r in records if "non_finite" in r] == [
        {"step": 4322, "tensor": "loss of the generator"}
    ]


def test_nothing_is_nothing() -> None:
    assert in_order([]) == []
