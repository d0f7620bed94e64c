"""Known logs, a sixth set: see `made_logs`."""

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
    "7 a",
    "log.txt",
    [
        f"[Train] epoch {e + 1}/3 | batch {b}/100 | lossD={d(s):.4f} | lossG={g(s):.4f} | Dx={pr(s):.3f} | DGz={pf(s):.3f}"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
)
known(
    "7 b",
    "log.txt",
    [f"Epoch: {e} \t Discriminator Loss: {d(e):.6f} \t Generator Loss: {g(e):.6f}" for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known("7 c", "log.txt", [f"Iter: {s}\tLoss: D {d(s):.3f} G {g(s):.3f}\tTime: 0.123" for s in R], R, loss_d=d, loss_g=g)
known("7 d", "log.txt", [f"{s}/600, D_loss: {d(s):.4f}, G_loss: {g(s):.4f}" for s in R], R, loss_d=d, loss_g=g)
known(
    "7 e",
    "log.csv",
    ["Iteration,Discriminator,Generator,Score"] + [f"{s},{d(s):.4f},{g(s):.4f},{fid(s):.3f}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "7 f",
    "log.txt",
    [
        f"[{e + 1:2d}/{3:2d}] [{b:4d}/{100:4d}]  d_total_loss: {d(s):.4f}  g_total_loss: {g(s):.4f}  d(x): {pr(s):.2f}  d(G(z)): {pf(s):.2f}"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
)
known(
    "7 g",
    "log.jsonl",
    [
        json.dumps({"epoch": e, "avg_D_loss": d(e), "avg_G_loss": g(e), "fid": fid(e * 10) if e % 5 == 0 else None})
        for e in EP
    ],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "7 h",
    "log.txt",
    [
        x
        for e in EP
        for x in (
            f"Epoch #{e}:",
            f"\tDiscriminator: loss={d(e):.4f}, accuracy={pr(e):.2%}",
            f"\tGenerator: loss={g(e):.4f}",
        )
    ],
    EP,
    loss_d=d,
    loss_g=g,
    accuracy_d=pr,
    unit="epoch",
)
known(
    "7 i",
    "log.txt",
    [
        f"Training... step {s:>6d}: disc_real={dr(s):.4f} disc_fake={df(s):.4f} disc_loss={dr(s) + df(s):.4f} gen_loss={g(s):.4f}"
        for s in R
    ],
    R,
    loss_d=lambda t: dr(t) + df(t),
    loss_d_real=dr,
    loss_g=g,
    absent=("d_real",),
)
known("7 j", "log.txt", [f"GPU0 {s} it, netD: {d(s):.4f}, netG: {g(s):.4f}" for s in R], R, loss_d=d, loss_g=g)
known(
    "7 k",
    "log.txt",
    [f"2023-05-01T12:00:{i:02d}.123456Z {s} d={d(s):.4f} g={g(s):.4f}" for i, s in enumerate(R)],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "7 l",
    "log.txt",
    [f"Epoch {e + 1} - {b * 32}/3200 images: D {d(s):.4f} / G {g(s):.4f}" for e, b, s in E1],
    [e * 3200 + b * 32 for e, b, s in E1],
    loss_d=[d(s) for s in S1],
    loss_g=[g(s) for s in S1],
)
known(
    "7 m",
    "log.txt",
    [
        f"step={s} loss/D={d(s):.4f} loss/G={g(s):.4f} D/real={3 + math.sin(s):.3f} D/fake={-2 + math.sin(s):.3f}"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
    logit_real=lambda t: 3 + math.sin(t),
    logit_fake=lambda t: -2 + math.sin(t),
)
known(
    "7 n",
    "results.json",
    json.dumps(
        {
            "G_losses": [g(i) for i in range(50)],
            "D_losses": [d(i) for i in range(50)],
            "config": {"lr": 0.0002, "batch_size": 64},
        }
    ),
    range(1, 51),
    loss_d=[d(i) for i in range(50)],
    loss_g=[g(i) for i in range(50)],
    unit="row",
)
known(
    "7 o",
    "log.txt",
    [
        f"train | epoch {e + 1:3d} | {b:5d}/  100 batches | lr 0.0002 | ms/batch 12.34 | d loss {d(s):5.3f} | g loss {g(s):5.3f}"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    lr_g=[0.0002] * 30,
)
known(
    "7 p",
    "log.txt",
    [
        f"Epoch [{e}/30], d_loss: {d(e):.4f}, g_loss: {g(e):.4f}, real_score: {pr(e):.2f}, fake_score: {pf(e):.2f}"
        for e in EP
    ],
    EP,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
    unit="epoch",
)
known("7 q", "log.txt", [f"D_loss: {d(s):.4f} G_loss: {g(s):.4f} (iter {s})" for s in R], R, loss_d=d, loss_g=g)
known("7 r", "log.txt", [f"errD={d(s):.4f} errG={g(s):.4f} @ step {s}" for s in R], R, loss_d=d, loss_g=g)
known(
    "7 s",
    "log.txt",
    [
        f"* Epoch: [{e + 1:2d}/ 3] [{b:4d}/ 100] time: 12.3 d_loss: {d(s):.8f}, g_loss: {g(s):.8f}, FID: {fid(s):.2f} [best 20.00 @ 1]"
        for e, b, s in E1
    ],
    S1,
    loss_d=d,
    loss_g=g,
    fid=fid,
)
known(
    "7 t",
    "log.txt",
    [
        f"Step {s} | Critic loss: {-d(s):.4f} | Gen loss: {g(s):.4f} | Wasserstein: {d(s):.4f} | GP: {dr(s):.4f} | GradNorm: {approach(s):.2f}"
        for s in R
    ],
    R,
    loss_d=lambda t: -d(t),
    loss_g=g,
    earth_mover=d,
    loss_d_wgan_gp=dr,
)
known(
    "7 u",
    "log.txt",
    [f"[Train] E{e:02d} B{b:04d} lossD={d(s):.3f} lossG={g(s):.3f}" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "7 v",
    "log.txt",
    [
        f"\x1b[32miter\x1b[0m \x1b[1m[{s}]\x1b[0m \x1b[31mD loss\x1b[0m: {d(s):.3f} \x1b[34mG loss\x1b[0m: {g(s):.3f}\x1b[0m"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "7 w",
    "log.txt",
    [f"G_step [{s}/3000], D_step [{5 * s}/15000], d_loss: {d(s):.4f}, g_loss: {g(s):.4f}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
