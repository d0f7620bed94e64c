"""Text of what a new run took over from another one: the facts of its `start.json`, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["start_text"]

MOST_PARTS = 8
MOST_CHANGES = 8


def start_text(facts: Mapping[str, Any]) -> str:
    """One line each for checkpoint, networks, optimisers and statistics; images, classes and recipe only if they differ."""
    networks, optimizers = facts["networks"], facts["optimizers"]
    lines = [
        f"Starting from {facts['run']}, step {facts['step']:,} ({facts['images'] / 1000:,.1f} kimg); this run counts from 0",
        _network("G", networks["generator"]),
        _network("D", networks["discriminator"]),
        "  averaged weights: as G",
        f"  optimisers: G's state {optimizers['generator']}; D's state {optimizers['discriminator']}",
        f"  running means of D's logits: {facts['running_statistics']}",
    ]
    if facts["images_differ"]:
        lines.append("  images: not those of the other run")
    if facts["classes"]["new"] or facts["classes"]["left_behind"]:
        lines.append(f"  classes: {_classes(facts['classes'])}")
    if changed := facts["recipe_changes"]:
        more = f"; and {len(changed) - MOST_CHANGES} more" if len(changed) > MOST_CHANGES else ""
        lines.append(f"  recipe, other run -> this run: {'; '.join(changed[:MOST_CHANGES])}{more}")
    return "\n".join(lines)


def _network(name: str, facts: Mapping[str, Any]) -> str:
    """`G: 90 of 100 weights taken over; new: blocks.0 (10)`."""
    if "other_family" in facts:
        here, there = facts["other_family"]
        return f"  {name}: nothing taken over: family {here} here, {there} in the other run"
    told = [f"{facts['taken_over']:,} of {facts['weights']:,} weights taken over", facts["blocks"]]
    told += [
        f"{words}: {_parts(facts[key])}"
        for words, key in (("new", "new"), ("new in part", "partly_new"), ("left behind", "left_behind"))
        if facts[key]
    ]
    return f"  {name}: {'; '.join(text for text in told if text)}"


def _parts(counts: Mapping[str, int]) -> str:
    shown = [f"{part} ({count:,})" for part, count in list(counts.items())[:MOST_PARTS]]
    rest = list(counts.values())[MOST_PARTS:]
    return ", ".join(shown) + (f", {len(rest)} more parts ({sum(rest):,})" if rest else "")


def _classes(classes: Mapping[str, list[str]]) -> str:
    told = [f"{len(classes['known'])} of the same name"]
    told += [
        f"{words}: {', '.join(classes[key][:MOST_PARTS])}{', ...' if len(classes[key]) > MOST_PARTS else ''}"
        for words, key in (("new", "new"), ("left out", "left_behind"))
        if classes[key]
    ]
    return "; ".join(told)
