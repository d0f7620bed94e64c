"""Known logs, a fourth set: see `made_logs`."""

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
    "namespace head",
    "log.txt",
    [
        "Namespace(batch_size=64, lr=0.0002, epochs=25, ngf=64, ndf=64, nz=100, d_steps=1, gan_mode='vanilla')",
        "cuda: True, 2 GPUs, seed 1234",
        "Generator has 3,576,704 parameters",
        "Discriminator has 2,765,568 parameters",
    ]
    + [f"[{e}/3][{b}/100] Loss_D: {d(s):.4f} Loss_G: {g(s):.4f}" for e, b, s in E],
    S,
    loss_d=d,
    loss_g=g,
    kimg=lambda t: t * 64 / 1000,
)
known(
    "step of total percent",
    "log.txt",
    [f"Step {s}/600 ({s / 6:.1f}%) D loss {d(s):.4f} G loss {g(s):.4f} ETA 0:01:00" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "zero padded",
    "log.txt",
    [f"Epoch {e + 1:03d} | Step {b:04d}/0100 | D {d(s):.4f} | G {g(s):.4f}" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "units behind counters",
    "log.txt",
    [f"{e + 1}/3 epochs, {b}/100 batches: D loss {d(s):.4f} G loss {g(s):.4f}" for e, b, s in E1],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "epoch dashes",
    "log.txt",
    [f"Epoch {e}/30 - Loss D: {d(e):.4f} - Loss G: {g(e):.4f} - Time: 12.34s" for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "epoch averages after batches",
    "log.txt",
    [
        x
        for e, b, s in E1
        for x in (
            [f"Epoch [{e + 1}/3] Batch [{b}/100] D_loss: {d(s):.4f} G_loss: {g(s):.4f}"]
            + ([f"Epoch {e + 1} finished. Average D_loss: 9.1, average G_loss: 8.2, time 12.1s"] if b == 100 else [])
        )
    ],
    S1,
    loss_d=d,
    loss_g=g,
)
known(
    "fractional epochs",
    "log.txt",
    [f"epoch: {s / 100:.2f}, D: {d(s):.4f}, G: {g(s):.4f}" for s in R],
    range(1, 31),
    loss_d=[d(s) for s in R],
    unit="row",
)
known(
    "csv with time first",
    "log.csv",
    ["timestamp,epoch,global_step,loss/D,loss/G,lr"]
    + [f"2023-01-01 10:00:{i:02d},{s // 100},{s},{d(s):.5f},{g(s):.5f},0.0002" for i, s in enumerate(R)],
    R,
    loss_d=d,
    loss_g=g,
    lr_d=[0.0002] * 30,
)
known(
    "deep jsonl",
    "log.jsonl",
    [
        json.dumps({"global_step": s, "train": {"D": {"loss": d(s), "acc": 0.7}, "G": {"loss": g(s)}}, "time": 1.0})
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
    accuracy_d=[0.7] * 30,
)
known(
    "json behind a prefix",
    "log.txt",
    [
        f"2023-01-01 10:00:00 INFO metrics {json.dumps({'step': s, 'loss_D': round(d(s), 5), 'loss_G': round(g(s), 5)})}"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "yaml documents",
    "log.yaml",
    [x for s in R for x in (f"step: {s}", f"d_loss: {d(s):.5f}", f"g_loss: {g(s):.5f}", "---")],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "x and y",
    "log.txt",
    [
        f"Iteration [{s:5d}/ 6000] | d_X_loss: {d(s):.4f} | d_Y_loss: {d(s) + 1:.4f} | g_total_loss: {approach(s):.4f}"
        for s in R
    ],
    R,
    loss_d=d,
)
known(
    "errD parts",
    "log.txt",
    [f"iter {s} errD {dr(s) + df(s):.4f} errD_real {dr(s):.4f} errD_fake {df(s):.4f} errG {g(s):.4f}" for s in R],
    R,
    loss_d=lambda t: dr(t) + df(t),
    loss_d_real=dr,
    loss_d_fake=df,
    loss_g=g,
)
known(
    "slashes as names",
    "log.jsonl",
    [
        json.dumps(
            {
                "step": s,
                "loss_D/real": dr(s),
                "loss_D/fake": df(s),
                "loss_D/total": dr(s) + df(s),
                "loss_G/adv": g(s),
                "loss_G/l1": approach(s),
                "loss_G/total": g(s) + approach(s),
            }
        )
        for s in R
    ],
    R,
    loss_d=lambda t: dr(t) + df(t),
    loss_g=g,
    loss_g_total=lambda t: g(t) + approach(t),
)
known(
    "accuracies",
    "log.txt",
    [
        f">{s} loss_real={dr(s):.3f}, loss_fake={df(s):.3f} acc_real={80 + s % 10}%, acc_fake={70 - s % 10}% g={g(s):.3f}"
        for s in R
    ],
    R,
    accuracy_real=lambda t: (80 + t % 10) / 100,
    loss_d_real=dr,
    loss_g=g,
)
known(
    "mlm 2",
    "log.txt",
    [f">{e}, {b}/100, d=[{dr(s):.3f},{df(s):.3f}] g={g(s):.3f}" for e, b, s in steps_of(3, 100, 1, 1)],
    [s for _, _, s in steps_of(3, 100, 1, 1)],
    loss_g=g,
)
known(
    "float steps",
    "log.txt",
    [f"step: {float(s)} loss_D: {d(s):.4f} loss_G: {g(s):.4f}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "nan with sign",
    "log.txt",
    [
        f"step {s}: D_loss: {'+nan' if s >= 300 else format(d(s), '+.4f')}, G_loss: {'inf' if s >= 300 else format(g(s), '+.4f')}"
        for s in R
    ],
    R,
    says=["non-finite, since step 300"],
)
known(
    "values on next lines",
    "log.txt",
    [
        x
        for e in EP
        for x in (
            f"===== Epoch {e} =====",
            f"Generator loss     : {g(e):.4f}",
            f"Discriminator loss : {d(e):.4f}",
            "Elapsed            : 00:00:12",
        )
    ],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "tab separated no header words",
    "log.txt",
    [f"Epoch\t{e}\tD\t{d(e):.4f}\tG\t{g(e):.4f}" for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "adversarial naming",
    "log.txt",
    [
        f"iter {s} | adv_loss: {g(s):.4f} | disc_loss: {d(s):.4f} | rec_loss: {approach(s):.4f} | kl_loss: 0.0123"
        for s in R
    ],
    R,
    loss_d=d,
    loss_g=g,
    loss_g_reconstruction=approach,
)
known(
    "critic updates",
    "log.txt",
    [f"gen_iterations: {s} | Loss_C: {-d(s):.4f} | Loss_G: {g(s):.4f} | GP: {dr(s):.4f}" for s in R],
    R,
    loss_d=lambda t: -d(t),
    loss_g=g,
    loss_d_wgan_gp=dr,
)
known(
    "wandb two runs",
    "export.csv",
    ['"Step","gan-a - d_loss","gan-b - d_loss","gan-a - g_loss","gan-b - g_loss"']
    + [f"{s},{d(s)},{d(s) + 1},{g(s)},{g(s) + 1}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
    says=["2 runs side by side (gan-a, gan-b): gan-a was taken"],
)
known(
    "kaggle notebook prints",
    "log.txt",
    [f"Epoch:{e}/30.. Gen loss:{g(e):.3f}.. Disc loss:{d(e):.3f}.. Time taken: 12.3 sec.." for e in EP],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "verbose sentence",
    "log.txt",
    [f"After {s} iterations the generator loss was {g(s):.4f} and the discriminator loss was {d(s):.4f}." for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "colon without space",
    "log.txt",
    [f"step:{s},d_loss:{d(s):.4f},g_loss:{g(s):.4f},lr:2e-4" for s in R],
    R,
    loss_d=d,
    loss_g=g,
    lr_g=[2e-4] * 30,
)
known("semicolons", "log.txt", [f"it={s};LD={d(s):.4f};LG={g(s):.4f};" for s in R], R, loss_d=d, loss_g=g)
known("arrow lines", "log.txt", [f"{s:>6} -> D {d(s):.4f}  G {g(s):.4f}" for s in R], R, loss_d=d, loss_g=g)
known(
    "real and fake words",
    "log.txt",
    [
        f"[{s}] D real: {pr(s):.3f}, D fake: {pf(s):.3f}, D loss: {-math.log(pr(s)) - math.log(1 - pf(s)):.3f}, G loss: {-math.log(pf(s)):.3f}"
        for s in R
    ],
    R,
    d_real=pr,
    d_fake=pf,
)
known(
    "gradient norms",
    "log.txt",
    [
        f"step {s} loss_d {d(s):.4f} loss_g {g(s):.4f} grad_norm_d {approach(s):.3f} grad_norm_g {approach(s) / 2:.3f}"
        for s in R
    ],
    R,
    grad_d=approach,
    grad_g=lambda t: approach(t) / 2,
)
known("interval of fid only", "fid.txt", [f"{s} {fid(s):.4f}" for s in R], R, fid=fid)
known(
    "fid csv",
    "fid.csv",
    ["kimg,fid50k_full"] + [f"{s},{fid(s):.4f}" for s in R],
    [s * 1000 for s in R],
    fid=[fid(s) for s in R],
    unit="image",
)
known(
    "trainer log with eval",
    "log.txt",
    [
        x
        for s in R
        for x in (
            [f"{{'loss_G': {g(s):.4f}, 'loss_D': {d(s):.4f}, 'epoch': {s / 100:.2f}, 'step': {s}}}"]
            + (
                [f"{{'eval_fid': {fid(s):.3f}, 'eval_runtime': 12.3, 'epoch': {s / 100:.2f}, 'step': {s}}}"]
                if s % 100 == 0
                else []
            )
        )
    ],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "multi scale D",
    "log.txt",
    [f"iter {s}: D_loss {d(s):.4f} D_loss_0 {dr(s):.4f} D_loss_1 {df(s):.4f} G_loss {g(s):.4f}" for s in R],
    R,
    loss_d=d,
    loss_g=g,
)
known(
    "ascii box",
    "log.txt",
    ["+-------+--------+--------+", "| Epoch | Loss_D | Loss_G |", "+=======+========+========+"]
    + [x for e in EP for x in (f"| {e:5d} | {d(e):.4f} | {g(e):.4f} |", "+-------+--------+--------+")],
    EP,
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
