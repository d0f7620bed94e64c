"""What is a loss, a probability, a logit; which term is G's adversarial one; and what is said where it cannot be told."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ganglion.doctor.diagnose import diagnose, log_of
from ganglion.doctor.readers.objective import objective_of
from ganglion.doctor.readers.opinions import kind_of_opinion
from ganglion.doctor.readers.records import Log, Options
from ganglion.errors import DataError

STEPS = range(0, 400, 10)


def read(folder: Path, line: str, **values: object) -> Log:
    """A log of lines of the form, in which each value is a number or a function of the step."""
    shown = [line.format(s=s, **{k: v(s) if callable(v) else v for k, v in values.items()}) for s in STEPS]
    (folder / "log.txt").write_text("\n".join(shown) + "\n")
    return log_of(folder / "log.txt")


def wave(mean: float, size: float) -> object:
    return lambda s: mean + size * math.sin(0.1 * s)


@pytest.mark.parametrize(
    ("line", "has", "lacks"),
    [
        ("step {s} D_real: 0.46 D_fake: 0.41 G_L1: 12.1 G_GAN: 0.9", {"loss_d_real", "loss_g", "loss_g_l1"}, {"d_real"}),
        ("step {s} Loss_D_real: 0.46 Loss_D_fake: 0.4 Loss_G: 0.9", {"loss_d_real", "loss_d_fake", "loss_d"}, {"d_real"}),
        ("step {s} d_loss 0.9 real_score: 3.7 fake_score: 0.5", {"logit_real", "logit_fake"}, {"d_real", "d_fake"}),
        ("step {s} d_loss 0.9 real_score: 0.7 fake_score: 0.2", {"d_real", "d_fake"}, {"logit_real"}),
        ("step {s} l_d_real 0.4 l_d_fake 0.3 out_d_real: 2.1 out_d_fake: -1.2", {"logit_real", "loss_d_real"}, {"d_real"}),
        ("step {s} d_loss 0.9 D(x): 1.7 D(G(z)): -0.4", {"logit_real", "logit_fake"}, {"d_real", "d_fake"}),
        ("step {s} d_loss 0.9 D(x): 0.7 D(G(z)): 0.4", {"d_real", "d_fake"}, {"logit_real"}),
        ("step {s} l_g_pix: 0.01 l_g_percep: 1.1 l_g_gan: 0.07 l_d_real: 0.4", {"loss_g", "loss_g_pixel"}, {"loss_g_total"}),
        ("step {s} D: 0.5 G: 9.1 adv: 0.7 cycle: 0.8", {"loss_g", "loss_g_total", "loss_g_cycle"}, set()),
        ("step {s} loss_disc=3.8, loss_gen=3.0, loss_fm=10.4,loss_mel=21.9", {"loss_d", "loss_g_mel"}, {"loss_g_total"}),
        ("step {s} d_loss 0.5 g_loss 0.7 r1: 0.02", {"loss_d_r1"}, set()),
        ("step {s} critic 0.5 gp 0.7 W_dist 3.1", {"loss_d", "loss_d_wgan_gp"}, set()),
    ],
)  # fmt: skip
def test_meaning_of_names_with_their_values_and_neighbours(
    tmp_path: Path, line: str, has: set[str], lacks: set[str]
) -> None:
    keys = read(tmp_path, line).records[-1].keys()
    assert has <= keys
    assert not lacks & keys


def test_gs_adversarial_loss_is_not_the_total(tmp_path: Path) -> None:
    log = read(tmp_path, "step {s} [G loss: 9.1, adv: 0.7, recon: 0.5, id: 0.4] [D loss: 0.6]")
    assert (log.records[0]["loss_g"], log.records[0]["loss_g_total"]) == (0.7, 9.1)


def test_a_total_without_its_adversarial_term_is_no_adversarial_loss(tmp_path: Path) -> None:
    log = read(tmp_path, "step {s} loss_G: 30.5 loss_G_L1: 20.1 loss_D: 0.5")
    assert "loss_g" not in log.records[0]
    assert any("seems to be the sum" in note for note in log.understood.notes)


def test_losses_of_two_pairs_are_two_runs_in_one(tmp_path: Path) -> None:
    log = read(tmp_path, "step {s} D_A: 0.21 G_A: 0.40 cycle_A: 1.1 D_B: 0.31 G_B: 0.50 cycle_B: 1.2")
    assert log.pairs.keys() == {"B"}
    assert (log.records[0]["loss_d"], log.records[0]["loss_g"], log.records[0]["loss_g_cycle"]) == (0.21, 0.4, 1.1)
    assert (log.pairs["B"][0]["loss_d"], log.pairs["B"][0]["loss_g"]) == (0.31, 0.5)
    assert {c.pair for c in log.understood.used() if c.taken_for == "loss_d"} == {"A", "B"}


def test_a_finding_of_the_second_pair_is_told_with_its_letter(tmp_path: Path) -> None:
    read(tmp_path, "step {s}0 D_A: 0.61 G_A: 0.70 D_B: 0.0001 G_B: 100.0")
    finding = diagnose(tmp_path / "log.txt").findings[0]
    assert finding.code == "loss-clamped"
    assert finding.why.startswith("In pair B of the networks: ")


def test_percentages_become_shares(tmp_path: Path) -> None:
    assert read(tmp_path, "{s} [D loss: 0.6, acc.: 61.33%] [G loss: 0.7]").records[0]["accuracy_d"] == pytest.approx(
        0.6133
    )


def test_what_cannot_be_told_is_said_and_not_used(tmp_path: Path) -> None:
    log = read(tmp_path, "step {s} d_loss 1.2 D_real {a:.3f} D_fake {b:.3f}", a=wave(1.4, 0.1), b=wave(1.9, 0.1))
    assert not {"d_real", "logit_real", "loss_d_real"} & log.records[0].keys()
    assert "they may be probabilities, logits or losses" in log.understood.text()


def test_one_missing_player_is_said(tmp_path: Path) -> None:
    assert any("no loss of G" in note for note in read(tmp_path, "step {s} d_loss 0.5").understood.notes)


def test_a_map_names_what_is_called_otherwise(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("".join(f"n {s} foo {0.5} bar {0.7} baz 3\n" for s in STEPS))
    with pytest.raises(DataError, match="found n, foo, bar, baz. Name them with --map"):
        log_of(tmp_path / "log.txt")
    log = log_of(tmp_path / "log.txt", Options({"loss_d": "foo", "loss_g": "bar", "step": "n"}))
    assert [(r["step"], r["loss_d"], r["loss_g"]) for r in log.records] == [(s, 0.5, 0.7) for s in STEPS]
    verdict = diagnose(tmp_path / "log.txt", map="d_loss=foo, g_loss=bar, step=n", batch=64)
    assert verdict.step == 390
    with pytest.raises(DataError, match="the log has no 'fooo'; it has n, foo, bar, baz"):
        diagnose(tmp_path / "log.txt", map="d_loss=fooo")
    with pytest.raises(DataError, match="--map expects pairs such as"):
        diagnose(tmp_path / "log.txt", map="foo")


# By numbers


def series(mean: float, size: float = 0.05) -> np.ndarray:
    return mean + size * np.sin(np.arange(50.0))


def test_ds_loss_tells_probabilities_from_halves_of_it() -> None:
    real, fake = series(0.7), series(0.3)
    assert kind_of_opinion("", real, fake, real + fake, False, False)[0] == "loss"
    assert kind_of_opinion("", real, fake, (real + fake) / 2, False, False)[0] == "loss"
    assert kind_of_opinion("", real, fake, -np.log(real) - np.log(1 - fake), False, False)[0] == "probability"
    assert kind_of_opinion("", real, fake - 1, None, False, False)[0] == "logit"


@pytest.mark.parametrize(
    ("d", "g", "name"),
    [
        (series(1.3, 0.1), series(0.8, 0.1), "logistic"), (series(-3), series(2), "wasserstein"),
        (series(0.8), series(0, 1), "hinge"),
        (series(0.02, 0.01), series(0.9), "least-squares"), (np.zeros(50), series(15, 5), "margin"),
        (series(0.002, 0.0005), series(8, 0.5), "logistic"),
    ],
)  # fmt: skip
def test_signs_and_sizes_of_losses_tell_the_objective(d: np.ndarray, g: np.ndarray, name: str) -> None:
    found = objective_of({"loss_d": d, "loss_g": g}, [])
    assert found.name == name
    assert 0.5 < found.confidence < 1


def test_names_tell_the_objective_before_sizes_do() -> None:
    d, g = series(1.3, 0.1), series(0.8, 0.1)
    assert objective_of({"loss_d": d, "loss_g": g}, ["gan_mode lsgan"]).name == "least-squares"
    assert objective_of({"loss_d": d, "loss_g": g}, ["gradient_penalty"]).name == "wasserstein"
    assert objective_of({"loss_d": d}, []).name == "unknown"


def test_ds_probabilities_tell_the_objective() -> None:
    real, fake = series(0.7), series(0.3)
    values = {"d_real": real, "d_fake": fake, "loss_g": series(1), "loss_d": -np.log(real) - np.log(1 - fake)}
    assert objective_of(values, []).name == "logistic"
    assert objective_of(values | {"loss_d": (1 - real) ** 2 + fake**2}, []).name == "least-squares"
