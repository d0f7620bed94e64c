"""Known logs, a fifth set: see `made_logs`."""

from __future__ import annotations

import json
import math

from made_logs import approach, d, df, dr, fid, g, known, pf, pr, steps_of

E = steps_of(3, 100, 10)
S = [s for _, _, s in E]
E1 = steps_of(3, 100, 10, 10)
S1 = [s for _, _, s in E1]
R = list(range(0, 600, 20))
EP = list(range(1, 31))
known(
    "5 basicsr new",
    "train.log",
    [
        f"2021-05-05 10:00:{i % 60:02d},123 INFO: [RealE..][epoch:{s // 100:3d}, iter:{s * 100:8,d}, lr:(1.000e-04,)] [eta: 1 day, 2:03:04, time (data): 0.512 (0.012)] l_g_pix: {approach(s) / 100:.4e} l_g_percep: {approach(s) / 10:.4e} l_g_gan: {g(s):.4e} l_d_real: {dr(s):.4e} out_d_real: {2 + math.sin(s):.4e} l_d_fake: {df(s):.4e} out_d_fake: {-2 + math.sin(s):.4e} "
        for i, s in enumerate(R)
    ],
    [s * 100 for s in R],
    loss_g=[g(s) for s in R],
    logit_real=[2 + math.sin(s) for s in R],
    loss_d_real=[dr(s) for s in R],
    absent=("d_real",),
)
known(
    "5 cut",
    "loss_log.txt",
    [
        f"(epoch: {e + 1}, iters: {b}, time: 0.123, data: 0.001) G_GAN: {g(s):.3f} D_real: {dr(s):.3f} D_fake: {df(s):.3f} G: {g(s) + approach(s):.3f} NCE: {approach(s) / 2:.3f} NCE_Y: {approach(s) / 3:.3f} "
        for e, b, s in E1
    ],
    S1,
    loss_g=g,
    loss_g_total=lambda t: g(t) + approach(t),
    loss_d_real=dr,
    absent=("d_real",),
)
known(
    "5 munit csv-ish",
    "log.txt",
    [
        f"Iteration: {s:08d}/01000000 loss_dis_total {d(s):.4f} loss_gen_total {approach(s):.4f} loss_gen_adv_a {g(s):.4f} loss_gen_adv_b {g(s) + 1:.4f}"
        for s in R
    ],
    R,
    loss_d=d,
)
known(
    "5 projected gan json",
    "stats.jsonl",
    [
        json.dumps(
            {
                "Loss/G/loss": {"num": 64, "mean": g(i), "std": 0.1},
                "Loss/D/loss": {"num": 64, "mean": d(i), "std": 0.1},
                "Progress/kimg": {"num": 1, "mean": 4.0 * i, "std": 0},
                "Progress/augment": {"num": 1, "mean": 0.1, "std": 0},
                "timestamp": 1.6e9,
            }
        )
        for i in range(30)
    ],
    [4000 * i for i in range(30)],
    loss_g=[g(i) for i in range(30)],
    loss_d=[d(i) for i in range(30)],
    unit="image",
)
known(
    "5 fastgan tqdm",
    "log.txt",
    [f"GAN: loss d: {d(s):.5f}    loss g: {-g(s):.5f}" for s in R],
    range(1, 31),
    loss_d=[d(s) for s in R],
    loss_g=[-g(s) for s in R],
    unit="row",
)
known(
    "5 pytorch stylegan2 rosinality",
    "log.txt",
    "\r".join(
        f"d: {d(s):.4f}; g: {g(s):.4f}; r1: {dr(s):.4f}; path: {df(s):.4f}; mean path: 0.0123; augment: 0.0000:  {s // 10}%|{'█' * (s // 60)}| {s}/800000 [00:{s // 10:02d}<9:00:00,  1.23it/s]"
        for s in R
    ),
    R,
    loss_d=d,
    loss_g=g,
    loss_d_r1=dr,
)
known(
    "5 gansynth",
    "log.txt",
    [
        f"INFO:tensorflow:global_step/sec: 3.2\nINFO:tensorflow:discriminator_loss = {d(s):.5f}, generator_loss = {g(s):.5f}, step = {s} (31.2 sec)"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 sagan",
    "log.txt",
    [
        f"Elapsed [0:00:{i:02d}], G_step [{s}/1000000], D_step[{s}/1000000], d_out_real: {-1 + 0.1 * math.sin(s):.4f},  ave_gamma_l3: 0.0012, ave_gamma_l4: 0.0023"
        for i, s in enumerate(R)
    ],
    R,
    logit_real=lambda t: -1 + 0.1 * math.sin(t),
)
known(
    "5 dcgan paddle",
    "log.txt",
    [f"Pass: {e + 1}, Batch: {b}, D_loss: [{d(s):.6f}], G_loss: [{g(s):.6f}]" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "5 tensorlayer",
    "log.txt",
    [f"Epoch: [{e}/3] [{b}/100] time: 0.1234, d_loss: {d(s):.8f}, g_loss: {g(s):.8f} (d_vae: 0.1)" for e, b, s in E],
    S,
    loss_d=d,
    loss_g=g,
)
known(
    "5 mxnet speed",
    "log.txt",
    [
        f"INFO:root:[Epoch {e}] [{b}/100] speed: 123.4 samples/s, dloss={d(s):.4f}, gloss={g(s):.4f}, dacc={pr(s):.4f}"
        for e, b, s in E
    ],
    S,
    loss_d=d,
    loss_g=g,
    accuracy_d=pr,
)
known(
    "5 ciFAR sngan",
    "log.txt",
    [
        f"[Epoch {e + 1}/3][{b}/100] [D loss: {d(s):.4f}] [G loss: {-g(s):.4f}] [IS: 5.12 ± 0.05] [FID: {fid(s):.3f}]"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=lambda t: -g(t),
    fid=fid,
)
known(
    "5 ulog",
    "log.txt",
    [
        f'time=2023-01-01T10:00:00Z level=info msg="train" step={s} loss_discriminator={d(s):.5f} loss_generator={g(s):.5f} elapsed=12.3s'
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 gpu table noise",
    "log.txt",
    [
        x
        for s in R
        for x in (
            "| N/A   41C    P0    62W / 300W |  11234MiB / 32510MiB |     97%      Default |",
            f"step {s} | errD {d(s):.4f} | errG {g(s):.4f}",
        )
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 warnings noise",
    "log.txt",
    [
        x
        for s in R
        for x in (
            "/usr/lib/python3.8/site-packages/torch/nn/functional.py:1944: UserWarning: nn.functional.sigmoid is deprecated.",
            f"step: {s}  D: {d(s):.4f}  G: {g(s):.4f}",
        )
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 learning rate schedule",
    "log.txt",
    [
        x
        for e in EP
        for x in (
            f"learning rate {2e-4:.7f} -> {2e-4 * (1 - e / 100):.7f}",
            f"End of epoch {e} / 200 \t Time Taken: 123 sec",
            f"(epoch: {e}, iters: 100, time: 0.1, data: 0.1) G_GAN: {g(e):.3f} G_L1: {approach(e):.3f} D_real: {dr(e):.3f} D_fake: {df(e):.3f}",
        )
    ],
    EP,
    loss_g=g,
    unit="epoch",
)
known(
    "5 json with strings",
    "log.jsonl",
    [
        json.dumps({"message": f"step {s}", "level": "INFO", "data": {"step": s, "g_loss": g(s), "d_loss": d(s)}})
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 parquet-like tsv",
    "hist.tsv",
    ["\t".join(["epoch", "step", "gen_loss", "disc_loss", "fid"])]
    + [
        "\t".join(map(str, [s // 100, s, round(g(s), 5), round(d(s), 5), round(fid(s), 3) if s % 100 == 0 else ""]))
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 percent d acc list",
    "log.txt",
    [
        f"epoch {e}: D loss = {d(e):.4f} (real acc {80 + e % 10}%, fake acc {70 - e % 10}%); G loss = {g(e):.4f}"
        for e in EP
    ],
    EP,
    loss_d=d,
    loss_g=g,
    accuracy_real=lambda t: (80 + t % 10) / 100,
    unit="epoch",
)
known(
    "5 lua",
    "log.txt",
    [f"iter: {s}\tloss_D: {d(s):.4f}\tloss_G: {g(s):.4f}\tlr: 0.0002\tbatch: 64" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 capital",
    "log.txt",
    [f"EPOCH {e} :: GEN LOSS {g(e):.4f} :: DISC LOSS {d(e):.4f}" for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "5 d_loss first g later",
    "log.txt",
    [
        x
        for s in R
        for x in (
            f"step {s}: training discriminator, loss {d(s):.4f}",
            f"step {s}: training generator, loss {g(s):.4f}",
        )
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "5 inner critic loop",
    "log.txt",
    [
        x
        for s in R
        for x in (
            [f"  critic step {k}/5 loss_critic {-d(s) - k / 100:.4f}" for k in range(1, 6)]
            + [f"iteration {s} loss_gen {g(s):.4f}"]
        )
    ],
    R,
    loss_g=g,
)
known(
    "5 csv wandb history",
    "history.csv",
    ["_step,_runtime,_timestamp,G/loss_total,G/loss_adv,D/loss,D/real_score,D/fake_score"]
    + [f"{s},{s * 1.5},{1.6e9 + s},{g(s) + approach(s)},{g(s)},{d(s)},{3 + math.sin(s)},{-2 + math.sin(s)}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
    loss_g_total=lambda t: g(t) + approach(t),
    logit_real=lambda t: 3 + math.sin(t),
)
known("5 hash counters", "log.txt", [f"#{s} D={d(s):.4f} G={g(s):.4f}" for s in R], R, loss_d=d, loss_g=g)
known(
    "5 batch of in brackets",
    "log.txt",
    [f"Epoch {e + 1}, Batch ({b} of 100), Disc: {d(s):.4f}, Gen: {g(s):.4f}" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "5 spanish",
    "log.txt",
    [f"Época {e}/30 - pérdida D: {d(e):.4f} - pérdida G: {g(e):.4f}" for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "5 german csv",
    "verlauf.csv",
    ["Epoche;Verlust D;Verlust G"] + [f"{e};{d(e):.4f};{g(e):.4f}".replace(".", ",") for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)


# Shapes of public logs, with numbers of our own

known(
    "6 bar glued to names",
    "log.txt",
    [
        f"{s // 6}% {s}/600 [02:{s % 60:02d}<81:43:57,  3.27s/it]G: {g(s):.2f} | D: {d(s):.2f} | GP: {dr(s):.2f} | PL: 0.02"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
    loss_d_wgan_gp=dr,
)
known(
    "6 one a line with bars",
    "log.txt",
    [
        x
        for s in R
        for x in (
            f"[WARNING] (Step: {s}) train_adversarial_loss = {g(s):.4f}.",
            f"[WARNING] (Step: {s}) train_subband_spectral_convergence_loss = 0.9997.",
            f"[WARNING] (Step: {s}) train_gen_loss = {approach(s):.4f}.",
            f"[WARNING] (Step: {s}) train_real_loss = {dr(s):.4f}.",
            f"[WARNING] (Step: {s}) train_fake_loss = {df(s):.4f}.",
            f"[WARNING] (Step: {s}) train_dis_loss = {dr(s) + df(s):.4f}.",
            f"[train]:   5%|███████▍          | {s + 15}/4000000 [47:51<511:38:08,  2.06it/s]",
        )
    ],
    R,
    loss_g=g,
    loss_d=lambda t: dr(t) + df(t),
    loss_d_real=dr,
    loss_g_total=approach,
)
known(
    "6 bar before the logger",
    "log.txt",
    [
        f"[train]:  41%|████      | {s}/500000 [18:39:38<23:39:20,  3.47it/s]2024-04-08 13:55:13,341 (trainerGAN:333) INFO: (Steps: {s}) train/discriminator_loss = {d(s):.4f}."
        for s in R
    ],
    R,
    loss_d=d,
)
known(
    "6 average then step then bar",
    "log.txt",
    [
        f"Avg : g {g(s):.4f} d {d(s):.4f} ad 0.1000| step {s}: 100%|{'█' * 100}| 166/166 [05:01<00:00,  1.81s/it]"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "6 bar of slashes",
    "log.txt",
    "\r".join(
        f"Epoch {e}:  {b}%|{'█' * (b // 10)} | {b}/100[00:15<10:00,  7.53s/it, loss=75.8, v_num=1, generator/adv_loss={g(s):.3f}, generator/total_loss=128.0, discriminator/total={d(s):.3f}]"
        for e, b, s in E1
    ),
    S1,
    loss_d=d,
    loss_g=g,
    loss_g_total=[128.0] * 30,
)
known(
    "6 hr and sr",
    "log.txt",
    [
        f"Epoch[{e + 1:04d}/0003]({b:05d}/00100) D Loss: {d(s):.6f} G Loss: {approach(s) + 1:.6f} Content Loss: {approach(s):.6f} Adversarial Loss: {g(s):.6f} D(HR): {pr(s):.6f} D(SR1)/D(SR2): {pf(s):.6f}/{pf(s) / 2:.6f}."
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
    loss_g_perceptual=approach,
)
known(
    "6 notebook of spaces",
    "log.txt",
    [
        f"step {s:>3}  loss_d={d(s):.3f}  loss_g={g(s):.3f}  fake_mean={1.5 + 0.1 * math.sin(s):.3f}  fake_std=0.21"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
