"""The plots of docs/field-guide: a failing run, from the stored records, with a healthy one in gray.

    python benchmarks/field_guide.py

Reads tests/doctor/records (benchmarks/clinic.py --store writes them) and writes docs/field-guide/images, one image per code.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from PIL import Image

from ganglion.doctor.examine import examine
from ganglion.doctor.findings import RULES

ROOT = Path(__file__).parents[1]
RECORDS, IMAGES = ROOT / "tests" / "doctor" / "records", ROOT / "docs" / "field-guide" / "images"
WELL, WELL_WGAN = "healthy-dcgan", "healthy-wgan"

TITLES = {
    "separation": "AUC of D's logits", "distance": "SWD to the data / floor", "diversity": "diversity / reals'",
    "contrast": "contrast / reals'", "fine": "fine detail / reals'", "duplicates": "near-duplicate samples",
    "grad_g_first": "gradient, G's first layer", "grad_d": "gradient of D", "update_g": "update / weight, G",
    "update_d": "update / weight, D", "weight_g": "weight norm of G", "weight_d": "weight norm of D", "loss_g": "loss of G",
    "loss_d": "loss of D", "logit_real": "D's mean logit, real", "logit_fake": "D's mean logit, fake",
    "saturation": "saturated pixels", "train_eval": "train vs eval mode", "held_out": "AUC, training over held-out",
    "nearest": "nearer than held-out reals", "clip_share": "weights at the clip bound", "z_response": "response to z",
    "separation_framed": "AUC, border of reals", "pull_g_fake": "sign of G's gradient", "pull_d_fake": "sign of D's gradient",
    "unzeroed_d": "old gradients in D's updates", "eval_mode_g": "G in eval mode",
    "moves_d_with_g": "D's weights in G's optimiser", "real_high": "maximum of reals", "fake_high": "maximum of fakes",
}  # fmt: skip
LOG = {"grad_g_first", "grad_d", "update_g", "update_d", "weight_g", "weight_d", "distance"}

SHOWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "non-finite": ("non-finite", ("loss_d", "loss_g", "weight_d")),
    "optimizer-crosstalk": ("optimizer-crosstalk", ("moves_d_with_g", "loss_g", "distance")),
    "gradients-not-zeroed": ("gradients-not-zeroed", ("unzeroed_d", "grad_d", "distance")),
    "labels-swapped": ("labels-swapped", ("pull_g_fake", "pull_d_fake", "distance")),
    "eval-mode": ("eval-mode", ("eval_mode_g", "train_eval", "distance")),
    "range-mismatch": ("range-255", ("real_high", "fake_high", "separation")),
    "padding-shortcut": ("padding-shortcut", ("separation", "separation_framed", "distance")),
    "loss-clamped": ("loss-clamped", ("loss_g", "grad_g_first", "distance")),
    "latent-ignored": ("latent-ignored", ("z_response", "diversity", "distance")),
    "batchnorm-mismatch": ("batchnorm-mismatch", ("train_eval", "distance", "contrast")),
    "late-collapse": ("late-collapse", ("distance", "diversity", "weight_g")),
    "bad-initialization": ("bad-initialization", ("fine", "saturation", "distance")),
    "exploding-gradient": ("exploding-gradient", ("logit_real", "grad_d", "distance")),
    "learning-rate-too-high": ("learning-rate-too-high", ("update_g", "weight_g", "distance")),
    "learning-rate-too-low": ("learning-rate-too-low", ("update_g", "update_d", "distance")),
    "clip-saturation": ("clip-saturation", ("clip_share", "separation", "distance")),
    "capacity-imbalance": ("capacity-imbalance", ("separation", "grad_g_first", "distance")),
    "generator-wins": ("generator-wins", ("separation", "update_d", "distance")),
    "blank-collapse": ("blank-collapse", ("contrast", "diversity", "distance")),
    "noise-collapse": ("noise-collapse", ("fine", "saturation", "distance")),
    "mode-collapse": ("mode-collapse", ("diversity", "contrast", "distance")),
    "partial-collapse": ("partial-collapse", ("duplicates", "diversity", "distance")),
    "vanishing-generator-gradient": ("vanishing-generator-gradient", ("grad_g_first", "update_g", "distance")),
    "discriminator-wins": ("discriminator-wins", ("separation", "update_g", "distance")),
    "discriminator-overfitting": ("discriminator-overfitting", ("held_out", "separation", "distance")),
    "memorization": ("memorization", ("nearest", "held_out", "distance")),
    "growing-oscillation": ("growing-oscillation", ("distance", "loss_g", "weight_g")),
    "oscillation": ("oscillation", ("distance", "loss_g", "diversity")),
    "stalled": ("stalled", ("distance", "separation", "update_g")),
    "non-convergence": ("non-convergence", ("distance", "diversity", "update_g")),
}
"""By code: the stored run, and the plots of its page."""


def stored(name: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(gzip.decompress((RECORDS / f"{name}.json.gz").read_bytes()))
    return tree


def value(record: dict[str, Any], key: str) -> float | None:
    if key == "distance":
        return record["swd"] / record["swd_floor"] if "swd" in record else None
    if key in ("real_high", "fake_high"):
        span = record.get(f"range_{key.removesuffix('_high')}")
        return span[1] if span else None
    return record.get(key)


def points(records: list[dict[str, Any]], key: str) -> list[dict[str, float]]:
    found = [(record["kimg"], value(record, key)) for record in records]
    return [{"kimg": kimg, "value": number} for kimg, number in found if number is not None]


def picture(code: str) -> alt.HConcatChart:
    name, keys = SHOWN[code]
    sick, well = stored(name), stored(WELL_WGAN if name.startswith("clip") else WELL)
    finding = next(f for f in examine(sick["records"], sick["own_run"]).findings if f.code == code)
    since = next(r["kimg"] for r in sick["records"] if r["step"] >= finding.since_step)
    last = sick["records"][-1]["kimg"]
    return alt.hconcat(*(one(sick, well, key, since, last) for key in keys)).configure_view(stroke=None)


def one(sick: dict[str, Any], well: dict[str, Any], key: str, since: float, last: float) -> alt.LayerChart:
    ours = points(sick["records"], key)
    theirs = [point for point in points(well["records"], key) if point["kimg"] <= last]
    positive = all(point["value"] > 0 for point in ours + theirs)
    scale = alt.Scale(type="log") if key in LOG and positive else alt.Scale(zero=False)
    x = alt.X("kimg:Q", title="thousand images", scale=alt.Scale(domain=[0, last]))
    y = alt.Y("value:Q", title=None, scale=scale)
    healthy = alt.Chart(alt.Data(values=theirs)).mark_line(color="#b0b0b0", strokeWidth=2).encode(x=x, y=y)
    line = alt.Chart(alt.Data(values=ours)).mark_line(color="#c03028", strokeWidth=2).encode(x=x, y=y)
    raised = (
        alt.Chart(alt.Data(values=[{"kimg": since}])).mark_rule(strokeDash=[4, 3], color="#606060").encode(x="kimg:Q")
    )
    return alt.layer(healthy, raised, line).properties(width=210, height=140, title=TITLES[key])


def main() -> None:
    assert SHOWN.keys() == RULES.keys()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", nargs="+", choices=list(SHOWN), default=list(SHOWN))
    parser.add_argument("--out", type=Path, default=IMAGES)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for code in asked.codes:
        png = vl_convert.vegalite_to_png(picture(code).to_dict(), scale=1.5)
        with Image.open(
            io.BytesIO(png)
        ) as image:  # a palette of 32 colours is a quarter of the size, and looks the same
            image.convert("RGB").quantize(32).save(asked.out / f"{code}.png", optimize=True)
        print(code, (asked.out / f"{code}.png").stat().st_size)


if __name__ == "__main__":
    main()
