"""Known logs, a third set: see `made_logs`."""

from __future__ import annotations

import json
import math

from made_logs import d, df, dr, fid, g, known, pf, pr, steps_of

E = steps_of(3, 100, 10)
S = [s for _, _, s in E]
E1 = steps_of(3, 100, 10, 10)
S1 = [s for _, _, s in E1]
R = list(range(0, 600, 20))
known(
    "espnet dicts",
    "train.log",
    [
        f"2021-08-12 10:00:00,123 (gan_trainer:202) INFO: {{'step': {s}, 'discriminator_loss': tensor([{dr(s) + df(s):.4f}], device='cuda:0'), 'discriminator_real_loss': tensor([{dr(s):.4f}], device='cuda:0'), 'discriminator_fake_loss': tensor([{df(s):.4f}], device='cuda:0'), 'generator_adv_loss': tensor([{g(s):.4f}], device='cuda:0')}}"
        for s in R
    ],
    R,
    loss_d=lambda t: dr(t) + df(t),
    loss_d_real=dr,
    loss_d_fake=df,
    loss_g=g,
)
known(
    "wavernn braces",
    "log.txt",
    "\r".join(
        f"{{| Epoch: {e + 1} ({b}/100) | D Loss: {d(s):.4f} | G Loss: {g(s):.4f} | 2.3 steps/s | Step: {s // 1000}k | }}"
        for e, b, s in E1
    ),
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "percent epochs",
    "log.txt",
    [f"Train Epoch: {e} [{b * 64}/6400 ({b}%)]\tLoss_D: {d(s):.6f}\tLoss_G: {g(s):.6f}" for e, b, s in E],
    [e * 6400 + b * 64 for e, b, s in E],
    loss_d=[d(s) for s in S],
    loss_g=[g(s) for s in S],
)
known(
    "iteration of",
    "log.txt",
    [f"Epoch {e + 1} of 3, iteration {b} of 100: discriminator {d(s):.4f}, generator {g(s):.4f}" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "dollar table",
    "out.txt",
    ["Epoch | Loss D | Loss G | D(x) | D(G(z))"]
    + [f"{e:5d} | {d(e):6.4f} | {g(e):6.4f} | {pr(e):.3f} | {pf(e):.3f}" for e in range(1, 31)],
    range(1, 31),
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
    unit="epoch",
)
known(
    "val lines between",
    "log.txt",
    [
        x
        for e in range(1, 21)
        for x in (
            f"Epoch {e} train: D_loss {d(e):.4f} G_loss {g(e):.4f}",
            f"Epoch {e} val: D_loss {d(e) + 3:.4f} G_loss {g(e) + 3:.4f}",
        )
    ],
    range(1, 21),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "gan mode keras val",
    "log.txt",
    [
        x
        for e in range(1, 21)
        for x in (
            f"Epoch {e}/20",
            f"50/50 - 5s - 100ms/step - d_loss: {d(e * 50):.4f} - g_loss: {g(e * 50):.4f} - val_d_loss: 9.0000 - val_g_loss: 8.0000",
        )
    ],
    [e * 50 for e in range(1, 21)],
    loss_d=d,
    loss_g=g,
)
known(
    "json array numbers as text",
    "metrics.json",
    json.dumps([{"step": str(s), "D_loss": f"{d(s):.5f}", "G_loss": f"{g(s):.5f}"} for s in R]),
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "dict of dicts",
    "log.json",
    json.dumps({str(s): {"d_loss": d(s), "g_loss": g(s)} for s in R}),
    R,
    loss_d=d,
    loss_g=g,
    unit="row",
)
known(
    "history wrapped",
    "history.json",
    json.dumps(
        {
            "params": {"epochs": 40},
            "history": {"discriminator_loss": [d(i) for i in range(40)], "generator_loss": [g(i) for i in range(40)]},
        }
    ),
    range(1, 41),
    loss_d=[d(i) for i in range(40)],
    loss_g=[g(i) for i in range(40)],
    unit="row",
)
known(
    "iter keyed lists",
    "losses.json",
    json.dumps({"iterations": R, "loss_D": [d(s) for s in R], "loss_G": [g(s) for s in R]}),
    R,
    loss_d=d,
    loss_g=g,
)
known("tsv", "log.tsv", ["iter\terrD\terrG"] + [f"{s}\t{d(s):.4f}\t{g(s):.4f}" for s in R], R, loss_d=d, loss_g=g)
known(
    "csv with comment and quotes",
    "log.csv",
    ["# run 17, lr 0.0002", '"epoch","batch","disc loss","gen loss"']
    + [f'{e},{b},"{d(s):.4f}","{g(s):.4f}"' for e, b, s in E],
    S,
    loss_d=d,
    loss_g=g,
)
known(
    "csv epochs only",
    "history.csv",
    ["epoch,d_loss,g_loss,d_acc"] + [f"{e},{d(e):.5f},{g(e):.5f},{pr(e):.4f}" for e in range(40)],
    range(40),
    loss_d=d,
    loss_g=g,
    accuracy_d=pr,
    unit="epoch",
)
known(
    "pandas index csv",
    "df.csv",
    [",D loss,G loss"] + [f"{i},{d(i):.5f},{g(i):.5f}" for i in range(40)],
    range(40),
    loss_d=d,
    loss_g=g,
    unit="row",
)
known(
    "network column",
    "long.csv",
    ["step,network,loss"] + [x for s in R for x in (f"{s},D,{d(s):.4f}", f"{s},G,{g(s):.4f}")],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "lsgan signs",
    "log.txt",
    [f"step: {s} loss_D: {0.02 + 0.01 * math.sin(s):.4f} loss_G: {0.9 + 0.05 * math.cos(s):.4f}" for s in R],
    R,
    loss_d=lambda t: 0.02 + 0.01 * math.sin(t),
    says=["least-squares"],
)
known(
    "hinge signs",
    "log.txt",
    [f"step: {s} loss_D: {0.8 + 0.1 * math.sin(s):.4f} loss_G: {0.4 * math.cos(s):.4f}" for s in R],
    R,
    loss_g=lambda t: 0.4 * math.cos(t),
    says=["probably hinge"],
)
known(
    "relativistic zero",
    "log.txt",
    [f"Elapsed [8:37:01.056768] batch: {s * 10}  d_loss: 0.000000  g_loss: {15 + 5 * math.sin(s):.6f}" for s in R],
    [s * 10 for s in R],
    loss_d=[0.0] * len(R),
    absent=("d_real",),
)
known(
    "critic wording",
    "log.txt",
    [
        f"[{s}] critic_real: {3 + math.sin(s):.4f} critic_fake: {-1 + math.sin(s):.4f} gp: {dr(s):.4f} loss_critic: {-4 + 10 * dr(s):.4f} loss_gen: {1 - math.sin(s):.4f}"
        for s in R
    ],
    R,
    logit_real=lambda t: 3 + math.sin(t),
    logit_fake=lambda t: -1 + math.sin(t),
    loss_d_wgan_gp=dr,
    loss_d=lambda t: -4 + 10 * dr(t),
    loss_g=lambda t: 1 - math.sin(t),
)
known(
    "D real probabilities by loss",
    "log.txt",
    [
        f"iter {s}: D_real {pr(s):.4f} D_fake {pf(s):.4f} D_loss {-math.log(pr(s)) - math.log(1 - pf(s)):.4f} G_loss {-math.log(pf(s)):.4f}"
        for s in R
    ],
    R,
    d_real=pr,
    d_fake=pf,
    absent=("loss_d_real",),
)
known(
    "D real halves by sum",
    "log.txt",
    [f"iter {s}: D_real {dr(s):.4f} D_fake {df(s):.4f} D_loss {dr(s) + df(s):.4f} G_loss {g(s):.4f}" for s in R],
    R,
    loss_d_real=dr,
    loss_d_fake=df,
    absent=("d_real",),
)
known(
    "logger thread prefix",
    "log.txt",
    [
        f"[2023-05-05 10:00:{s % 60:02d}] [MainThread] [INFO] [train.py:88] >>> epoch=1 iter={s} lossD={d(s):.4f} lossG={g(s):.4f}"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "rank prefix",
    "log.txt",
    [f"[rank0]: step {s} | d_loss {d(s):.4f} | g_loss {g(s):.4f} | mem 11.2GB | 345 img/s" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "kilo steps",
    "log.txt",
    [f"step {s}k: D loss {d(s):.4f}, G loss {g(s):.4f}" for s in range(1, 40)],
    [1000 * s for s in range(1, 40)],
    loss_d=[d(s) for s in range(1, 40)],
)
known(
    "nan later",
    "log.txt",
    [
        f"step {s}: d_loss {d(s) if s < 300 else float('nan'):.4f} g_loss {g(s) if s < 300 else float('nan'):.4f}"
        for s in R
    ],
    R,
    says=["non-finite"],
)
known(
    "ema and raw fid",
    "log.txt",
    [
        x
        for s in R
        for x in (f"step {s} d_loss={d(s):.3f} g_loss={g(s):.3f}", f"step {s} fid={fid(s):.2f} best_fid=20.00")
    ],
    R,
    fid=fid,
    loss_d=d,
)
known(
    "weights and biases summary style",
    "output.log",
    [f"wandb: step {s} train/loss_discriminator {d(s):.5f} train/loss_generator {g(s):.5f}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "numpy floats",
    "log.txt",
    [
        f"Iter {s} [np.float32({d(s):.5f}), np.float32({g(s):.5f})] D_loss=np.float64({d(s):.5f}), G_loss=np.float64({g(s):.5f})"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "kimg progress",
    "log.txt",
    [f"kimg {s / 10:.1f}  loss_D {d(s):.4f}  loss_G {g(s):.4f}" for s in R],
    [s * 100 for s in R],
    loss_d=[d(s) for s in R],
    unit="image",
)
known(
    "nested brackets",
    "log.txt",
    [
        f"Epoch [{e + 1}/3] Batch [{b}/100] Loss D: [{d(s):.4f}] (real: {dr(s):.4f}, fake: {df(s):.4f}), Loss G: [{g(s):.4f}]"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    loss_d_real=dr,
    loss_d_fake=df,
)
known(
    "training step counted from banner",
    "log.txt",
    ["Starting training for 3 epochs with batch_size 32", "Dataset: 3200 images"]
    + [f"Ep {e + 1} It {b} Ld {d(s):.3f} Lg {g(s):.3f}" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known("unicode bullets", "log.txt", [f"• step {s} → D: {d(s):.4f} · G: {g(s):.4f}" for s in R], R, loss_d=d, loss_g=g)
known(
    "interleaved other numbers",
    "log.txt",
    [
        x
        for s in R
        for x in (
            "Loading batch took 0.23 s, 12 workers",
            f"it {s}: loss_d {d(s):.4f}, loss_g {g(s):.4f}",
            f"saved samples/{s:06d}.png in 0.3s",
        )
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "keras 3 batches",
    "log.txt",
    [
        x
        for e in range(3)
        for x in (
            f"Epoch {e + 1}/3",
            "\r".join(
                f"\x1b[1m{b}/100\x1b[0m \x1b[32m━━━━━━\x1b[0m\x1b[37m━━━━\x1b[0m \x1b[1m{b // 10}s\x1b[0m 11ms/step - d_loss: {d(e * 100 + b):.4f} - g_loss: {g(e * 100 + b):.4f}"
                for b in range(10, 110, 10)
            ),
        )
    ],
    S1,
    loss_d=d,
    loss_g=g,
)
