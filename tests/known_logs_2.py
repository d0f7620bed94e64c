"""Known logs, a second set: see `made_logs`."""

from __future__ import annotations

import json
import math

from made_logs import approach, d, df, dr, fid, g, known, pf, pr, steps_of

E = steps_of(3, 100, 10)
S = [s for _, _, s in E]
E1 = steps_of(3, 100, 10, 10)
S1 = [s for _, _, s in E1]
R = list(range(0, 600, 20))
known(
    "rvc",
    "train.log",
    [
        x
        for i in range(1, 30)
        for x in (
            f"INFO:My-Model:Train Epoch: {i + 1} [{i}%]",
            f"INFO:My-Model:[{i * 200}, {9.99e-5 - i * 1e-8}]",
            f"INFO:My-Model:loss_disc={d(i):.3f}, loss_gen={g(i):.3f}, loss_fm={approach(i):.3f},loss_mel={approach(i):.3f}, loss_kl=1.270",
            f"INFO:My-Model:====> Epoch: {i + 1} [2023-06-11 08:52:05] | (1:32:29.395655)",
        )
    ],
    [i * 200 for i in range(1, 30)],
    loss_d=[d(i) for i in range(1, 30)],
    loss_g=[g(i) for i in range(1, 30)],
    loss_g_fm=[approach(i) for i in range(1, 30)],
)
known(
    "stylegan2-ada tf",
    "log.txt",
    [
        x
        for t in range(30)
        for x in (
            [
                f"tick {t:<5d} kimg {t * 4.1:<8.1f} time 1d 06h {t:02d}m   sec/tick 71.0    sec/kimg 17.34   maintenance 274.4  gpumem 8.9   augment 6.521"
            ]
            + (
                [f"network-snapshot-{int(t * 4.1):06d}        time 4m 26s       fid50k_full {fid(t * 50):.4f}"]
                if t % 5 == 0
                else []
            )
        )
    ],
    [round(t * 4100) for t in range(0, 30, 5)],
    fid=[fid(t * 50) for t in range(0, 30, 5)],
    unit="image",
)
known(
    "icgan numbered jsonl",
    "log.txt",
    [
        f"  {i} "
        + json.dumps(
            {
                "itr": i * 1251,
                "IS_mean": 15 + i * 0.1,
                "IS_std": 0.2,
                "FID": round(fid(i * 20), 5),
                "_stamp": 1640169646.6 + i,
            }
        )
        for i in range(1, 30)
    ],
    [i * 1251 for i in range(1, 30)],
    fid=[fid(i * 20) for i in range(1, 30)],
)
known(
    "coqui",
    "log.txt",
    [
        x
        for i in range(1, 30)
        for x in (
            f"\x1b[1m   --> STEP: {i * 10}/352 -- GLOBAL_STEP: {244000 + i * 10}\x1b[0m",
            f"     | > D_mse_gan_loss: {d(i):.5f}  (0.35471)",
            f"     | > G_gen_loss: {approach(i):.5f}  (15.96176)",
            f"     | > G_adv_loss: {g(i):.5f}  (0.00000)",
            "     | > current_lr_0: 0.00010 ",
            "     | > step_time: 0.29070  (0.29190)",
        )
    ],
    [244000 + i * 10 for i in range(1, 30)],
    loss_d=[d(i) for i in range(1, 30)],
    loss_g=[g(i) for i in range(1, 30)],
)
known(
    "tunit",
    "log.txt",
    [f"Epoch: [{e}/200] [{b}/100] MODE[SEMI] Avg Loss: D[{d(s):.2f}] G[{g(s):.2f}] C[2.61]" for e, b, s in E],
    S,
    loss_d=d,
    loss_g=g,
)
known(
    "ct-gan table",
    "log.txt",
    ["D_loss       acc     G_loss"]
    + [f"{d(i):.6f} | {50 + i} | {g(i):.6f} | 2 days,   12:04:{i:02d}.416641" for i in range(30)],
    range(1, 31),
    loss_d=[d(i) for i in range(30)],
    loss_g=[g(i) for i in range(30)],
    unit="row",
)
known(
    "acgan keras",
    "log.txt",
    [f"{i} [D loss: {d(i):f}, acc.: {50 + i % 20:.2f}%, op_acc: 54.69%] [G loss: {g(i):f}]" for i in range(60)],
    range(60),
    loss_d=d,
    loss_g=g,
    accuracy_d=lambda t: (50 + t % 20) / 100,
)
known(
    "cyclegan keras",
    "log.txt",
    [
        f"[Epoch {e}/3] [Batch {b}/100] [D loss: {d(s):f}, acc:  25%] [G loss: {approach(s) + 3:05f}, adv: {g(s):05f}, recon: {approach(s) / 10:05f}, id: {approach(s) / 9:05f}] time: 0:00:{b // 10:02d}.3123 "
        for e, b, s in E
    ],
    S,
    loss_d=d,
    loss_g=g,
    loss_g_total=lambda t: approach(t) + 3,
    loss_g_reconstruction=lambda t: approach(t) / 10,
)
known(
    "lightning csv epoch/step",
    "metrics.csv",
    ["d_loss_epoch,d_loss_step,epoch,g_loss_epoch,g_loss_step,step"]
    + [
        x
        for e, b, s in E
        for x in (
            [f",{d(s)},{e},,,{s}", f",,{e},,{g(s)},{s}"] + ([f"0.91,,{e},0.72,,{e * 100 + 99}"] if b == 90 else [])
        )
    ],
    S,
    loss_d=d,
    loss_g=g,
)
known(
    "detectron",
    "log.txt",
    [
        f"[03/12 10:00:00 d2.utils.events]:  eta: 0:10:11  iter: {s}  total_loss: {approach(s):.4f}  loss_d: {d(s):.4f}  loss_g_adv: {g(s):.4f}  time: 0.1234  data_time: 0.0012  lr: 0.0002  max_mem: 1234M"
        for s in range(19, 800, 20)
    ],
    range(19, 800, 20),
    loss_d=d,
    loss_g=g,
)
known(
    "notebook",
    "train.ipynb",
    json.dumps(
        {
            "nbformat": 4,
            "metadata": {},
            "cells": [
                {
                    "cell_type": "code",
                    "source": ["train()"],
                    "outputs": [
                        {
                            "output_type": "stream",
                            "name": "stdout",
                            "text": [
                                f"[{e}/3][{b}/100]\tLoss_D: {d(s):.4f}\tLoss_G: {g(s):.4f}\tD(x): {pr(s):.4f}\tD(G(z)): {pf(s):.4f} / 0.1000\n"
                                for e, b, s in E
                            ],
                        }
                    ],
                }
            ],
        }
    ),
    S,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
)
known(
    "torch7",
    "log.txt",
    [
        f"Epoch: [{e + 1}][{b:8d} / {100:8d}]\t Time: 0.123  DataTime: 0.001    Err_G: {g(s):.4f}  Err_D: {d(s):.4f}"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "torch7 pix2pix",
    "log.txt",
    [
        f"Epoch: [{e + 1}][{b:8d} / {100:8d}]\t Time: 0.123  DataTime: 0.001    Err_G: {g(s):.4f}  Err_D: {d(s):.4f}  ErrL1: {approach(s):.4f}"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    loss_g_l1=approach,
)
known(
    "jax",
    "log.txt",
    [
        f"I0102 10:11:12.123456 140000000 train.py:45] step: {s}, metrics: {{'d_loss': Array({d(s):.5f}, dtype=float32), 'g_loss': Array({g(s):.5f}, dtype=float32)}}"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "flux",
    "log.txt",
    [f"[ Info: Train step {s}, Discriminator loss = {d(s):.6f}, Generator loss = {g(s):.6f}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "libtorch",
    "log.txt",
    "\r".join(f"[{e + 1:2d}/3][{b:3d}/100] D_loss: {d(s):.4f} | G_loss: {g(s):.4f}" for e, b, s in E1),
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "wiseodd",
    "log.txt",
    [
        x
        for s in range(0, 30000, 1000)
        for x in (f"Iter: {s}", f"D loss: {d(s / 1000):.4}", f"G_loss: {g(s / 1000):.4}", "")
    ],
    range(0, 30000, 1000),
    loss_d=lambda t: d(t / 1000),
    loss_g=lambda t: g(t / 1000),
)
known(
    "wiseodd wgan",
    "log.txt",
    [f"Iter-{s}; D_loss: {-d(s):.4}; G_loss: {g(s):.4}" for s in range(0, 3000, 100)],
    range(0, 3000, 100),
    loss_d=lambda t: -d(t),
    loss_g=g,
)
known(
    "fastai html",
    "train.ipynb",
    json.dumps(
        {
            "nbformat": 4,
            "cells": [
                {
                    "cell_type": "code",
                    "outputs": [
                        {
                            "output_type": "display_data",
                            "data": {
                                "text/html": [
                                    '<table border="1" class="dataframe">\n  <thead>\n    <tr style="text-align: left;">\n      <th>epoch</th>\n      <th>train_loss</th>\n      <th>valid_loss</th>\n      <th>gen_loss</th>\n      <th>disc_loss</th>\n      <th>time</th>\n    </tr>\n  </thead>\n  <tbody>\n'
                                ]
                                + [
                                    f"    <tr>\n      <td>{e}</td>\n      <td>{approach(e):.6f}</td>\n      <td>#na#</td>\n      <td>{g(e):.6f}</td>\n      <td>{d(e):.6f}</td>\n      <td>00:12</td>\n    </tr>\n"
                                    for e in range(30)
                                ]
                                + ["  </tbody>\n</table>"],
                                "text/plain": ["<IPython.core.display.HTML object>"],
                            },
                        }
                    ],
                }
            ],
        }
    ),
    range(30),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "ignite",
    "log.txt",
    [
        f"2021-01-01 10:00:00,123 ignite INFO: Epoch[{e + 1}] Iteration[{b}/100] errD: {d(s):.4f}, errG: {g(s):.4f}, D_x: {pr(s):.4f}, D_G_z1: {pf(s):.4f}"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
)
known(
    "rich table",
    "log.txt",
    ["┏━━━━━━━┳━━━━━━━━┳━━━━━━━━┓", "┃ Epoch ┃ D Loss ┃ G Loss ┃", "┡━━━━━━━╇━━━━━━━━╇━━━━━━━━┩"]
    + [f"│ {e:5d} │ {d(e):.4f} │ {g(e):.4f} │" for e in range(1, 31)]
    + ["└───────┴────────┴────────┘"],
    range(1, 31),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "chinese",
    "log.txt",
    [f"第{e}轮 Epoch：{e}，loss_D：{d(e):.4f}，loss_G：{g(e):.4f}" for e in range(1, 31)],
    range(1, 31),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "decimal commas",
    "log.txt",
    [f"Schritt {s}: Epoch 1 iteration {s} Verlust loss_D: {d(s):.4f} loss_G: {g(s):.4f}".replace(".", ",") for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "csv semicolon windows",
    "training.csv",
    (
        "\ufeffIteration;Loss D;Loss G;D(x)\r\n"
        + "".join(f"{s};{d(s):.5f};{g(s):.5f};{pr(s):.5f}\r\n".replace(".", ",") for s in R)
    ).encode("utf-8"),
    R,
    loss_d=d,
    loss_g=g,
    d_real=pr,
)
known(
    "utf16 powershell",
    "log.txt",
    (
        "\n".join(
            f"Epoch [{e + 1}/3], Step [{b}/100], d_loss: {d(s):.4f}, g_loss: {g(s):.4f}, D(x): {pr(s):.2f}, D(G(z)): {pf(s):.2f}"
            for e, b, s in E1
        )
        + "\n"
    ).encode("utf-16"),
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "neptune/aim long csv",
    "metrics.csv",
    ["name,step,value,timestamp"]
    + [
        f"{n},{s},{f(s)},2023-01-0{1 + s // 100} 10:00:00"
        for n, f in (("train/generator_loss", g), ("train/discriminator_loss", d))
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "keras history pickle-like txt",
    "history.txt",
    [str({"d_loss": [round(d(i), 5) for i in range(40)], "g_loss": [round(g(i), 5) for i in range(40)]})],
    range(1, 41),
    loss_d=[d(i) for i in range(40)],
    loss_g=[g(i) for i in range(40)],
    unit="row",
)
known(
    "pandas to_string",
    "log.txt",
    ["     step    d_loss    g_loss"] + [f"{i:<4d} {s:4d}  {d(s):.6f}  {g(s):.6f}" for i, s in enumerate(R)],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "sacred",
    "metrics.json",
    json.dumps(
        {
            "d_loss": {"steps": R, "timestamps": ["2020"] * len(R), "values": [d(s) for s in R]},
            "g_loss": {"steps": R, "timestamps": ["2020"] * len(R), "values": [g(s) for s in R]},
        }
    ),
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "pretty json objects",
    "log.json",
    "\n".join(
        json.dumps(
            {
                "iteration": s,
                "losses": {"discriminator": {"total": d(s)}, "generator": {"adversarial": g(s), "l1": approach(s)}},
            },
            indent=2,
        )
        for s in R
    ),
    R,
    loss_d=d,
    loss_g=g,
    loss_g_l1=approach,
)
known(
    "bracket epochs then step words",
    "log.txt",
    [
        f"[epoch {e + 1:03d}] step {b}/100 | D: real {dr(s):.4f} fake {df(s):.4f} total {dr(s) + df(s):.4f} | G: adv {g(s):.4f} rec {approach(s):.4f}"
        for e, b, s in E
    ],
    S,
    loss_d=lambda t: dr(t) + df(t),
    loss_g=g,
    loss_d_real=dr,
    loss_d_fake=df,
    loss_g_reconstruction=approach,
)
known(
    "two runs",
    "log.txt",
    [f"step {s} d_loss {d(s + r):.4f} g_loss {g(s + r):.4f}" for r in (0, 7) for s in R],
    R,
    loss_d=lambda t: d(t + 7),
    loss_g=lambda t: g(t + 7),
    says=["2 runs"],
)
known(
    "resumed",
    "log.txt",
    [
        f"step {s} d_loss {d(s + r):.4f} g_loss {g(s + r):.4f}"
        for r, ss in ((0, range(0, 320, 20)), (7, range(200, 600, 20)))
        for s in ss
    ],
    R,
    loss_d=[d(s + (7 if s >= 200 else 0)) for s in R],
    says=["goes back"],
)
known(
    "wasserstein words",
    "log.txt",
    [
        f"Iteration: {s}, critic loss: {-d(s) * 2:.4f}, generator loss: {g(s):.4f}, gradient penalty: {dr(s):.4f}, Wasserstein distance: {d(s) * 2:.4f}"
        for s in R
    ],
    R,
    loss_d=lambda t: -2 * d(t),
    loss_g=g,
    loss_d_wgan_gp=dr,
    earth_mover=lambda t: 2 * d(t),
    says=["probably wasserstein"],
)
known(
    "real_score logits",
    "log.txt",
    [
        f"iter {s} d_loss {d(s):.4f} g_loss {g(s):.4f} real_score {3.7 + math.sin(s):.4f} fake_score {-2 + math.sin(s):.4f}"
        for s in R
    ],
    R,
    loss_d=d,
    logit_real=lambda t: 3.7 + math.sin(t),
    logit_fake=lambda t: -2 + math.sin(t),
    absent=("d_real",),
)
