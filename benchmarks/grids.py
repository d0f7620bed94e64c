"""Several grids of samples, each under its title, on one page: the pictures of docs/recipes.md.

    python benchmarks/grids.py --out recipes.png --columns 4 "fast=results/fast-4min-0.png" "dcgan=results/dcgan-4min-0.png"

Grids of smaller images are enlarged, so that all are of about one size.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TITLE, GAP, COLOURS = 20, 12, 128


def page(grids: list[tuple[str, Path]], columns: int) -> Image.Image:
    """Row by row, each enlarged by a whole factor; few colours keep the file small."""
    pictures = [(title, Image.open(path).convert("RGB")) for title, path in grids]
    largest = max(picture.width for _, picture in pictures)
    pictures = [(title, _enlarged(picture, round(largest / picture.width))) for title, picture in pictures]
    width, height = (max(picture.size[axis] for _, picture in pictures) + GAP for axis in (0, 1))
    height += TITLE
    columns = min(columns, len(pictures))
    whole = Image.new("RGB", (columns * width - GAP, math.ceil(len(pictures) / columns) * height - GAP), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(size=14)
    for i, (title, picture) in enumerate(pictures):
        left, top = i % columns * width, i // columns * height
        draw.text((left + 2, top), title, "black", font)
        whole.paste(picture, (left, top + TITLE))
    return whole.quantize(COLOURS)


def _enlarged(picture: Image.Image, times: int) -> Image.Image:
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grids", nargs="+", metavar="TITLE=PNG")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    titled = [grid.partition("=") for grid in asked.grids]
    page([(title, Path(path)) for title, _, path in titled], asked.columns).save(asked.out, optimize=True)


if __name__ == "__main__":
    main()
