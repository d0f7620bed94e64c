"""The model card: README.md of a model on the Hub, in Markdown, with the metadata by which the Hub finds it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from ganglion.data.hub import NAMED
from ganglion.recipe.schema import Recipe
from ganglion.sharing.facts import RunFacts

__all__ = ["CARD", "SHEET", "model_card"]

CARD, SHEET = "README.md", "samples.png"
MOST_CLASSES = 30
SOURCES = {"digits": "scikit-learn's handwritten digits"} | {
    name: f"[{hub}](https://huggingface.co/datasets/{hub})" for name, hub in NAMED.items()
}
COLOURS = {1: "gray", 3: "RGB", 4: "RGBA"}
FEATURES = {
    "inception": "FID's Inception network: comparable with published scores at equal numbers of images and resizing",
    "squeezenet": "SqueezeNet 1.1, trained on ImageNet: not the network of FID",
    "learned": "a network trained on a third of the real images: comparable on this data set only",
    "random": "random convolutions: for ranking only",
    "pixels": "mean colours of areas: colour and layout only",
    "torchscript": "a network of the publisher's own",
    "timm": "a network of timm",
    "hf": "a network from the Hugging Face Hub",
}
"""By the part of an extractor's name before the colon; what follows it may be the name of a file."""


def model_card(repository: str, facts: RunFacts, licence: str | None, samples: int) -> str:
    """The card of `repository`, OWNER/NAME, with a sheet of `samples` random samples. `licence` None: not chosen yet."""
    parts = [
        f"# {repository.partition('/')[2]}",
        f"A generative adversarial network, trained with Ganglion. Its generator draws {_kind(facts.recipe)}.",
        f"![{samples} random samples]({SHEET})",
        f"{samples} random samples (seed 0), not selected.",
        f"## How to use it\n\n{_use(repository, facts.recipe)}",
        f"## Training images\n\n{_data(facts)}",
        f"## Training\n\n{_training(facts)}",
        f"## State of the training\n\n{_verdict(facts)}",
        f"## Scores\n\n{_scores(facts)}",
        f"## Licence\n\n{_licence(licence)}",
    ]
    return f"---\n{_metadata(facts.recipe, licence)}---\n\n" + "\n\n".join(parts) + "\n"


def _metadata(recipe: Recipe, licence: str | None) -> str:
    """No scores: the Hub lists them beside those of other features and numbers of images, with which they do not compare."""
    found: dict[str, Any] = {
        "license": licence or "unknown", "library_name": "ganglion", "pipeline_tag": "unconditional-image-generation",
        "tags": ["gan", "ganglion", "image-generation"],
    }  # fmt: skip
    if recipe.data.source in NAMED:
        found["datasets"] = [NAMED[recipe.data.source]]
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True)


def _kind(recipe: Recipe) -> str:
    channels = recipe.data.channels or 0
    height, width = recipe.data.size or (0, 0)
    of = " with chosen attributes" if recipe.data.conditions else ""
    if recipe.data.classes and not of:
        of = f" of {len(recipe.data.classes)} classes"
    return f"{COLOURS.get(channels, f'{channels}-channel')} images of {height}x{width} pixels{of}"


def _use(repository: str, recipe: Recipe) -> str:
    height, width = recipe.data.size or (0, 0)
    own = recipe.generator.family == "custom"
    lines = [
        "With Ganglion and its extra `hub` installed:", "", "```python", "import ganglion", "",
        f'model = ganglion.load("hf:{repository}"{", generator=G" if own else ""})',
        f"images = model.sample(16, seed=0)  # uint8 (16, {height}, {width}, {recipe.data.channels})",
    ]  # fmt: skip
    if label := _example(recipe):
        lines.append(f"chosen = model.sample(16, seed=0, label={label!r})")
    lines += ["```", ""]
    if own:
        lines += [
            "The generator is a network of its author's own, a `torch.nn.Module` G. Its code is not part of this repository, "
            "and Ganglion takes none from a download.", "",
        ]  # fmt: skip
    else:
        lines += ["In a shell:", "", "```", f"ganglion sample hf:{repository} --n 64 --out samples.png", "```", ""]
    lines.append(
        f"`hf:{repository}@COMMIT` pins a commit. `generator.safetensors` holds the weights as plain tensors, `recipe.yaml` "
        "every setting of the training, `SHA256SUMS` the hashes that are checked on loading."
    )
    return "\n".join(lines)


def _example(recipe: Recipe) -> str:
    """A value for `label`."""
    if recipe.data.conditions:
        return recipe.data.conditions[0].example
    return recipe.data.classes[0] if recipe.data.conditional and recipe.data.classes else ""


def _data(facts: RunFacts) -> str:
    data = facts.recipe.data
    held_out = f", {data.held_out_images:,} of them held out from training" if data.held_out_images else ""
    points = [
        ("Images", "their number is not known any more" if facts.images is None else f"{facts.images:,}{held_out}"),
        ("Form", f"{_kind(facts.recipe)}; fitted by {data.fit}, resized by {data.resample}"),
    ]
    if data.source:
        points.insert(0, ("Data set", SOURCES.get(data.source, f"`{data.source}`")))
    if data.conditions:
        points.append(("Attributes", _listed(column.text() for column in data.conditions)))
    elif data.conditional and data.classes:
        points.append(("Classes", _listed(data.classes)))
    if data.content:
        points.append(("Hash of pixels and labels", f"`{data.content}`"))
    return _points(points)


def _training(facts: RunFacts) -> str:
    recipe = facts.recipe
    took = "" if facts.minutes is None else f", in {facts.minutes:,.1f} minutes"
    points = [
        ("Recipe", f"{recipe.name}; all values in [recipe.yaml](recipe.yaml)"),
        ("Generator", f"{recipe.generator.family}, {facts.parameters:,} parameters; averaged weights (EMA)"),
        ("Latent", f"{recipe.latent.dim} dimensions, {recipe.latent.prior} prior"),
        ("Adversarial loss", recipe.objective.adversarial),
        ("Real images shown to D", f"{facts.images_seen:,.1f} thousand ({facts.step:,} steps){took}"),
        ("Device", f"{facts.device}; precision {recipe.training.precision}"),
    ]
    if facts.versions:
        points.append(("Versions", facts.versions))
    text = _points(points)
    if facts.differences:
        changed = [(f"`{key}`", f"`{old}`", f"`{new}`") for key, old, new in facts.differences]
        text += f"\n\nValues that differ from the preset `{recipe.name}`:\n\n"
        text += _table(("key", "preset", "this model"), changed)
    return text


def _verdict(facts: RunFacts) -> str:
    verdict = facts.verdict
    lines = [f"The diagnosis of the training says **{verdict.label}**: {verdict.headline}."]
    if verdict.forecast is not None:
        value = verdict.forecast.relative_distance
        lines.append(
            f"At its end the relative distance of the samples was {value:.2f}, where 0 is that of other real images and 1 "
            "that of a Gaussian fitted to the pixels."
        )
    for finding in verdict.findings:
        measured = "; ".join(map(str, finding.evidence))
        lines.append(f"- **{finding.code}** ({finding.severity}, since step {finding.since_step:,}). {finding.why} "
                     f"Measured: {measured}.")  # fmt: skip
    return "\n\n".join(lines)


def _scores(facts: RunFacts) -> str:
    if facts.scores is None:
        return "This checkpoint has not been evaluated: no scores are known."
    tree = facts.scores.evaluation
    kind = str(tree["features"]).partition(":")[0]
    name = str(tree["features"]) if kind == "timm" else kind
    images = "the images that it was trained on" if facts.same_images else "other images than it was trained on"
    halves = " and ".join(f"{count:,}" for count in tree["floor_images"])
    rows = [
        (one["name"], _number(one["value"], one["spread"]), _number(one["floor"]), one["better"], one["about"])
        for one in tree["scores"]
    ]
    return "\n\n".join([
        f"{tree['fake']['images']:,} samples against {tree['real']['images']:,} real images, {images}. Features: {name}, "
        f"{FEATURES.get(kind, 'not known')} (hash `{str(tree['features_hash'])[:12]}`). Seeds: {tree['seeds']}.",
        f"The floor is the same score between {halves} real images: what a perfect generator would have.",
        _table(("score", "value", "floor", "better", "what it is"), rows),
    ])  # fmt: skip


def _licence(licence: str | None) -> str:
    if licence is None:
        return "Not chosen yet."
    if licence == "other":
        return "Stated in the file LICENSE of this repository."
    return f"`{licence}`, chosen by the publisher."


def _number(value: float | None, spread: float | None = None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" + ("" if spread is None else f" ± {spread:.2g}")


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - MOST_CLASSES} more" if len(found) > MOST_CLASSES else ""
    return ", ".join(map(_plain, found[:MOST_CLASSES])) + more


def _plain(text: str) -> str:
    """On one line, without HTML, emphasis, links and code: names of classes are text."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _points(facts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
