"""Known logs, a first set: see `made_logs`."""

from __future__ import annotations

import json

from made_logs import approach, d, df, dr, fid, g, known, pf, pr, steps_of

E10 = steps_of(3, 100, 10, 10)
E = steps_of(3, 100, 10)
S = [s for _, _, s in E]

known(
    "stylegan2-ada ticks and metrics",
    "log.txt",
    [
        x
        for t in range(12)
        for x in (
            f"tick {t:<5d} kimg {t * 4.0:<8.1f} time {t * 32}s          sec/tick 9.3     sec/kimg 2332.07 maintenance 22.3   cpumem 3.33   gpumem 11.27  augment 0.000",
            "Evaluating metrics...",
            json.dumps(
                {
                    "results": {"fid50k_full": round(fid(t * 100), 4)},
                    "metric": "fid50k_full",
                    "total_time": 12.3,
                    "total_time_str": "12s",
                    "num_gpus": 1,
                    "snapshot_pkl": f"network-snapshot-{t * 4:06d}.pkl",
                    "timestamp": 1600000000.5 + t,
                }
            ),
        )
    ],
    [t * 4000 for t in range(12)],
    fid=[round(fid(t * 100), 4) for t in range(12)],
    unit="image",
)
known(
    "hifigan",
    "log.txt",
    [
        f"Steps : {s}, Gen Loss Total : {approach(s) + g(s):.3f}, Mel-Spec. Error : {approach(s) / 45:.3f}, s/b : 0.321"
        for s in range(0, 500, 5)
    ],
    range(0, 500, 5),
    loss_g_total=lambda t: approach(t) + g(t),
    absent=("loss_d", "loss_g"),
    says=["no loss of D"],
)
known(
    "stylegan2-pytorch",
    "out.log",
    [f"G: {g(s):.2f} | D: {d(s):.2f} | GP: {approach(s):.2f} | PL: 0.01 | CR: 0.00 | Q: 0.02" for s in range(30)],
    range(1, 31),
    loss_d=[d(s) for s in range(30)],
    loss_g=[g(s) for s in range(30)],
    loss_d_wgan_gp=[approach(s) for s in range(30)],
    unit="row",
)
known(
    "mimicry",
    "log.txt",
    [
        x
        for e, b, s in E
        for x in (
            f"INFO: [Epoch {e + 1}/3][Global Step: {s}/300]",
            f"| D(G(z)): {pf(s):.4f}",
            f"| D(x): {pr(s):.4f}",
            f"| errD: {d(s):.4f}",
            f"| errG: {g(s):.4f}",
            "| lr_D: 0.0002",
            "| lr_G: 0.0002",
            "| (2.1034 steps/s)",
        )
    ],
    S,
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
)
known(
    "studiogan",
    "log.txt",
    [
        x
        for s in range(100, 3100, 100)
        for x in (
            [
                f"2021-06-01 10:00:{s // 100:02d} INFO > Step: {s} Progress: {s / 1000:.1f}% Elapsed: 0:01:23 Gen_loss: {g(s):.4f} Dis_loss: {d(s):.4f} Cls_loss: N/A Topk: N/A ada_p: N/A"
            ]
            + (
                [
                    f"2021-06-01 10:00:01 INFO > FID score (Step: {s}, Using train moments): {fid(s):.4f}",
                    "2021-06-01 10:00:01 INFO > Best FID score (Step: 1000, Using train moments): 3.2",
                ]
                if s % 1000 == 0
                else []
            )
        )
    ],
    range(100, 3100, 100),
    loss_d=d,
    loss_g=g,
)
known(
    "mmgen",
    "20220601.log",
    [
        f"2022-06-01 10:00:00,123 - mmgen - INFO - Iter [{s}/300000]  lr_generator: 2.000e-04 lr_discriminator: 1.000e-04, eta: 1 day, 2:03:04, time: 0.327, data_time: 0.008, memory: 4567, loss_disc_fake: {df(s):.4f}, loss_disc_real: {dr(s):.4f}, loss_disc_fake_g: {g(s):.4f}, loss: {d(s) + g(s):.4f}"
        for s in range(100, 4000, 100)
    ],
    range(100, 4000, 100),
    loss_d_real=dr,
    loss_d_fake=df,
    loss_g=g,
    loss_d=lambda t: dr(t) + df(t),
)
known(
    "paddlegan",
    "log.txt",
    [
        f"[12/01 10:00:{b % 60:02d}] ppgan.engine.trainer INFO: Epoch: {e + 1}/3, iter: {b}/100 lr: 2.000e-04 D_fake_loss: {df(s):.3f} D_real_loss: {dr(s):.3f} D_loss: {(df(s) + dr(s)) / 2:.3f} G_adv_loss: {g(s):.3f} G_L1_loss: {approach(s):.3f} batch_cost: 0.10 sec reader_cost: 0.001 sec ips: 10.3 images/s eta: 1:02:03"
        for e, b, s in E
    ],
    S,
    loss_d=lambda t: (df(t) + dr(t)) / 2,
    loss_g=g,
    loss_g_l1=approach,
)
known(
    "chainer printreport",
    "out.txt",
    ["epoch       iteration   gen/loss    dis/loss  "]
    + [f"\x1b[J{e:<10d}  {s:<10d}  {g(s):<10.6g}  {d(s):<10.6g}" for e, b, s in E if b],
    [s for _, b, s in E if b],
    loss_d=d,
    loss_g=g,
)
known(
    "chainer log",
    "log",
    json.dumps(
        [{"gen/loss": g(s), "dis/loss": d(s), "epoch": e, "iteration": s, "elapsed_time": 1.5 * s} for e, b, s in E],
        indent=4,
    ),
    S,
    loss_d=d,
    loss_g=g,
)
known(
    "gluon",
    "train.log",
    [
        f"INFO:root:discriminator loss = {d(s):f}, generator loss = {g(s):f}, binary training acc = 0.612345 at iter {b} epoch {e}"
        for e, b, s in E
    ],
    S,
    loss_d=d,
    loss_g=g,
)
known(
    "improved wgan",
    "log.txt",
    [
        f"iter {s}\ttime\t0.1234\ttrain disc cost\t{-d(s) * 3:.6f}\tdev disc cost\t{-d(s + 5) * 3:.6f}"
        for s in range(99, 3000, 100)
    ],
    range(99, 3000, 100),
    loss_d=lambda t: -3 * d(t),
)
known(
    "affinelayer pix2pix",
    "log.txt",
    [
        x
        for e, b, s in E
        for x in (
            f"progress  epoch {e + 1}  step {b}  image/sec 5.3  remaining 100m",
            f"discrim_loss {d(s):.6f}",
            f"gen_loss_GAN {g(s):.6f}",
            f"gen_loss_L1 {approach(s):.6f}",
        )
    ],
    S,
    loss_d=d,
    loss_g=g,
    loss_g_l1=approach,
)
known(
    "arjovsky wgan",
    "log.txt",
    [
        f"[{e}/25][{b}/100][{s}] Loss_D: {-d(s):f} Loss_G: {g(s):f} Loss_D_real: {-dr(s):f} Loss_D_fake {df(s):f}"
        for e, b, s in E
    ],
    S,
    loss_d=lambda t: -d(t),
    loss_g=g,
    loss_d_real=lambda t: -dr(t),
    loss_d_fake=df,
)
known(
    "srgan tqdm",
    "log.txt",
    "\r".join(
        f"[{e}/3] Loss_D: {d(s):.4f} Loss_G: {g(s):.4f} D(x): {pr(s):.4f} D(G(z)): {pf(s):.4f}: {b}%|{'█' * (b // 10)}{' ' * (10 - b // 10)}| {b}/100 [01:00<00:30,  4.12it/s]"
        for e, b, s in [(e + 1, b + 10, s + 10) for e, b, s in E]
    ),
    [s + 10 for s in S],
    loss_d=d,
    loss_g=g,
    d_real=pr,
    d_fake=pf,
)
known(
    "stargan",
    "log.txt",
    [
        f"Elapsed [0:00:{s % 60:02d}], Iteration [{s}/200000], D/loss_real: {-dr(s):.4f}, D/loss_fake: {df(s):.4f}, D/loss_cls: 2.1, D/loss_gp: 0.03, G/loss_fake: {-g(s):.4f}, G/loss_rec: {approach(s):.4f}, G/loss_cls: 2.5"
        for s in range(10, 600, 10)
    ],
    range(10, 600, 10),
    loss_d_real=lambda t: -dr(t),
    loss_d_fake=df,
    loss_g=lambda t: -g(t),
    loss_g_reconstruction=approach,
)
known(
    "starganv2",
    "log.txt",
    [
        f"Elapsed time [0:00:{s % 60:02d}], Iteration [{s}/100000], D/latent_real: [{dr(s):.4f}] D/latent_fake: [{df(s):.4f}] D/latent_reg: [0.0123] G/latent_adv: [{g(s):.4f}] G/latent_sty: [0.2] G/lambda_ds: [2.0000]"
        for s in range(10, 600, 10)
    ],
    range(10, 600, 10),
    loss_g=g,
    loss_d=lambda t: dr(t) + df(t),
)
known(
    "pix2pixhd",
    "loss_log.txt",
    ["================ Training Loss (Fri Dec  1 10:00:00 2017) ================"]
    + [
        f"(epoch: {e + 1}, iters: {b}, time: 0.512) G_GAN: {g(s):.3f} G_GAN_Feat: {approach(s):.3f} G_VGG: 5.012 D_real: {dr(s):.3f} D_fake: {df(s):.3f} "
        for e, b, s in E10
        if b
    ],
    [s for e, b, s in E10 if b],
    loss_g=g,
    loss_d_real=dr,
    loss_d_fake=df,
    loss_g_fm=approach,
    absent=("d_real", "logit_real"),
)
known(
    "lightning bar",
    "log.txt",
    "\r".join(
        f"Epoch {e}:  {b}%|{'#' * (b // 10)}{' ' * (10 - b // 10)}| {b}/100 [00:12<00:00, 17.4it/s, loss=0.912, v_num=0, g_loss={g(s):.3f}, d_loss={d(s):.3f}]"
        for e, b, s in E10
        if b
    ),
    [s for e, b, s in E10 if b],
    loss_d=d,
    loss_g=g,
)
known(
    "trainer dicts",
    "log.txt",
    [
        str(
            {
                "loss_d": round(d(s), 4),
                "loss_g": round(g(s), 4),
                "learning_rate": 1e-4,
                "epoch": round(s / 100, 2),
                "step": s,
            }
        )
        for s in range(10, 300, 10)
    ],
    range(10, 300, 10),
    loss_d=d,
    loss_g=g,
)
known(
    "loguru",
    "log.txt",
    [
        f"2023-01-02 10:11:12.345 | INFO     | __main__:train:123 - step={s} d_loss={d(s):.5f} g_loss={g(s):.5f}"
        for s in range(0, 300, 10)
    ],
    range(0, 300, 10),
    loss_d=d,
    loss_g=g,
)
known(
    "wandb csv",
    "wandb_export.csv",
    [
        '"Step","run-1 - D_loss","run-1 - D_loss__MIN","run-1 - D_loss__MAX","run-1 - G_loss","run-1 - G_loss__MIN","run-1 - G_loss__MAX"'
    ]
    + [f'"{s}","{d(s)}","{d(s) - 1}","{d(s) + 1}","{g(s)}","{g(s) - 1}","{g(s) + 1}"' for s in range(0, 300, 10)],
    range(0, 300, 10),
    loss_d=d,
    loss_g=g,
)
known(
    "tf2 dcgan epochs",
    "log.txt",
    [
        x
        for e in range(1, 41)
        for x in (f"Epoch {e}, gen_loss={g(e):.4f},disc_loss={d(e):.4f}", f"Time for epoch {e} is 12.345 sec")
    ],
    range(1, 41),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "parallelwavegan",
    "train.log",
    [
        x
        for s in range(100, 4000, 100)
        for x in (
            f"2020-02-22 10:00:00,123 (train:500) INFO: (Steps: {s}) train/adversarial_loss = {g(s):.4f}.",
            f"2020-02-22 10:00:00,123 (train:500) INFO: (Steps: {s}) train/spectral_convergence_loss = 0.5.",
            f"2020-02-22 10:00:00,123 (train:500) INFO: (Steps: {s}) train/real_loss = {dr(s):.4f}.",
            f"2020-02-22 10:00:00,123 (train:500) INFO: (Steps: {s}) train/fake_loss = {df(s):.4f}.",
            f"2020-02-22 10:00:00,123 (train:500) INFO: (Steps: {s}) train/discriminator_loss = {dr(s) + df(s):.4f}.",
        )
    ],
    range(100, 4000, 100),
    loss_g=g,
    loss_d=lambda t: dr(t) + df(t),
    loss_d_real=dr,
)
known(
    "epoch words",
    "log.txt",
    [f"Epoch: {e} Discriminator Loss: {d(e):.4f} Generator Loss: {g(e):.4f}" for e in range(40)],
    range(40),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "blocks of lines",
    "log.txt",
    [
        x
        for e in range(1, 31)
        for x in (f"Epoch {e}/30", "----------", f"D loss: {d(e):.4f}", f"G loss: {g(e):.4f}", "")
    ],
    range(1, 31),
    loss_d=d,
    loss_g=g,
    unit="epoch",
)
known(
    "lines of each network",
    "log.txt",
    [x for s in range(0, 300, 10) for x in (f"D | step {s} | loss {d(s):.4f}", f"G | step {s} | loss {g(s):.4f}")],
    range(0, 300, 10),
    loss_d=d,
    loss_g=g,
)
known(
    "devnag",
    "log.txt",
    [
        f"{s}: D: {dr(s):.4f}/{df(s):.4f} G: {g(s):.4f} (Real: [3.98, 1.27], Fake: [0.1, 0.02]) "
        for s in range(0, 3000, 100)
    ],
    range(0, 3000, 100),
    loss_g=g,
)
known(
    "devnag 2",
    "log.txt",
    [
        f"Epoch {s}: D ({dr(s):.4f} real_err, {df(s):.4f} fake_err) G ({g(s):.4f} err); Real Dist ([3.98, 1.27]),  Fake Dist ([0.1, 0.02]) "
        for s in range(0, 3000, 100)
    ],
    range(0, 3000, 100),
    loss_g=g,
    loss_d=lambda t: dr(t) + df(t),
    unit="epoch",
)
known(
    "tensors",
    "log.txt",
    [
        f"iter {s:,}: loss_d=tensor({d(s):.4f}, device='cuda:0', grad_fn=<AddBackward0>) loss_g=tensor([{g(s):.4f}], device='cuda:0')"
        for s in range(0, 30000, 1000)
    ],
    range(0, 30000, 1000),
    loss_d=d,
    loss_g=g,
)
known(
    "line numbers",
    "log.txt",
    [
        f"{i:6d}\tEpoch {e} Batch {b}/100 Loss_D: {d(s):.4f} Loss_G: {g(s):.4f}"
        for i, (e, b, s) in enumerate(E10, start=1)
    ],
    [s for _, _, s in E10],
    loss_d=d,
    loss_g=g,
)
known(
    "markdown",
    "log.md",
    ["| step | D loss | G loss | FID |", "|---:|---:|---:|---:|"]
    + [f"| {s} | {d(s):.4f} | {g(s):.4f} | {fid(s):.2f} |" for s in range(0, 300, 10)],
    range(0, 300, 10),
    loss_d=d,
    loss_g=g,
    fid=fid,
)
known(
    "baselines boxes",
    "log.txt",
    [
        x
        for s in range(0, 300, 10)
        for x in (
            "-------------------------",
            f"| discriminator_loss | {d(s):.3f} |",
            f"| generator_loss     | {g(s):.3f} |",
            f"| global_step        | {s}     |",
            "-------------------------",
        )
    ],
    range(0, 300, 10),
    loss_d=d,
    loss_g=g,
)
known(
    "lists",
    "losses.txt",
    [
        "G_losses = [" + ", ".join(f"{g(i):.4f}" for i in range(50)) + "]",
        "D_losses = [" + ", ".join(f"{d(i):.4f}" for i in range(50)) + "]",
    ],
    range(1, 51),
    loss_d=[d(i) for i in range(50)],
    loss_g=[g(i) for i in range(50)],
    unit="row",
)
known(
    "comet",
    "metrics.json",
    json.dumps(
        [
            {
                "metricName": n,
                "metricValue": str(f(s)),
                "timestamp": 1600000000000 + s,
                "step": s,
                "epoch": None,
                "runContext": None,
            }
            for n, f in (("d_loss", d), ("g_loss", g))
            for s in range(0, 300, 10)
        ]
    ),
    range(0, 300, 10),
    loss_d=d,
    loss_g=g,
)
known(
    "trainer_state",
    "trainer_state.json",
    json.dumps(
        {
            "best_metric": None,
            "global_step": 290,
            "log_history": [{"epoch": s / 100, "d_loss": d(s), "g_loss": g(s), "step": s} for s in range(10, 300, 10)],
        },
        indent=2,
    ),
    range(10, 300, 10),
    loss_d=d,
    loss_g=g,
)
