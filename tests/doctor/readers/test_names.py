from __future__ import annotations

import pytest

from ganglion.doctor.readers.names import Name, named, tells
from ganglion.doctor.readers.vocabulary import KINDS, PLAYERS, SIDES

D, G = Name("d", "loss"), Name("g", "loss")


@pytest.mark.parametrize("name", ["Loss_D", "loss/D", "train/d_loss", "Loss/D/loss", "errD", "Discriminator Loss", "dis/loss",
                                  "lossD", "critic_loss", "c_loss", "netD_loss", "L_D", "the discriminator loss"])  # fmt: skip
def test_names_of_ds_loss(name: str) -> None:
    assert named(name) == D


@pytest.mark.parametrize(
    "name", ["Loss_G", "loss/G", "g_loss", "Loss/G/loss", "errG", "Generator Loss", "gen/loss", "lossG", "GLoss"]
)
def test_names_of_gs_loss(name: str) -> None:
    assert named(name) == G


@pytest.mark.parametrize(
    ("name", "term"),
    [("G_GAN", "adversarial"), ("l_g_gan", "adversarial"), ("gen_adv", "adversarial"), ("G_L1", "l1"), ("l_g_pix", "pixel"),
     ("Gen Loss Total", "total"), ("G_VGG", "perceptual"), ("g_loss_cycle", "cycle"), ("G/loss_rec", "reconstruction"),
     ("loss_disc_fake_g", "adversarial"), ("G_mse_gan_loss", "adversarial"), ("G_GAN_Feat", "fm")],
)  # fmt: skip
def test_terms_of_gs_loss_are_told_apart(name: str, term: str) -> None:
    assert (named(name).player, named(name).term) == ("g", term)


@pytest.mark.parametrize(("name", "side"), [("D(x)", "real"), ("D(G(z))", "fake"), ("D(G(z1))", "fake"), ("d_x", "real"),
                                            ("D_G_z1", "fake"), ("D(real)", "real"), ("D(fake)", "fake")])  # fmt: skip
def test_what_d_says_of_images(name: str, side: str) -> None:
    assert named(name) == Name("d", "opinion", side)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Loss/scores/real", "score"), ("Loss/signs/fake", "sign"), ("real_prob", "probability"), ("D_logits_real", "logit"),
     ("d_acc_real", "accuracy"), ("FID score", "fid"), ("fid50k_full", "fid"), ("grad_norm_g", "grad"), ("lr_d", "lr"),
     ("Wasserstein distance", "distance"), ("sec/iter", "time"), ("gradient penalty", "loss"), ("IS_mean", "inception")],
)  # fmt: skip
def test_kinds_of_numbers(name: str, kind: str) -> None:
    assert named(name).kind == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [("step", "step"), ("Steps", "step"), ("itr", "step"), ("global_step", "step"), ("trainer/global_step", "step"),
     ("batches_done", "step"), ("Epoch", "epoch"), ("Train Epoch", "epoch"), ("第1轮 Epoch", "epoch"), ("batch_idx", "batch"),
     ("cur_nimg", "images"), ("Progress/kimg", "kimg"), ("tick", "tick"), ("it", "step")],
)  # fmt: skip
def test_counters(name: str, kind: str) -> None:
    assert named(name) == Name(kind=kind)


@pytest.mark.parametrize("name", ["batch_size", "steps_per_epoch", "n_critic", "sec/tick", "d_steps", "D_step", "lr_step",
                                  "time per step", "d_loss_epoch", "max_epoch"])  # fmt: skip
def test_names_with_a_counters_word_that_count_nothing(name: str) -> None:
    assert named(name).kind not in ("step", "epoch", "batch")


@pytest.mark.parametrize(("name", "statistic"), [("g_loss_epoch", "mean"), ("run - D_loss__MIN", "min"), ("Best FID", "best"),
                                                 ("D_loss std", "std"), ("lambda_ds", "weight")])  # fmt: skip
def test_statistics_of_values_are_no_values(name: str, statistic: str) -> None:
    assert named(name).statistic == statistic


def test_a_heading_says_what_a_name_leaves_open() -> None:
    assert named("loss", "D") == D
    assert named("acc", "D loss") == Name("d", "accuracy")
    assert named("real", "D loss") == Name("d", "loss", "real")
    assert named("adv", "G loss").term == "adversarial"
    assert named("step", "FID score") == Name(kind="step")


def test_levels_of_loggers_are_no_headings() -> None:
    assert not any(map(tells, ("INFO", "root", "Elapsed", "main")))
    assert all(map(tells, ("D", "Generator", "val", "Accuracy")))


def test_no_word_is_of_a_player_and_of_a_side() -> None:
    assert not PLAYERS.keys() & SIDES.keys()
    assert not SIDES.keys() & KINDS.keys()
