"""Several grids of samples, each under its title, on one page: the pictures of docs/recipes.md.

    python benchmarks/grids.py --out recipes.png --columns 4 "fast=results/fast-4min-0.png" "dcgan=results/dcgan-4min-0.png"

Grids of smaller images are enlarged, so that all are of about one size. A PNG has few colours, which keeps it small; WebP has
all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TITLE, GAP, COLOURS = 20, 12, 128


def page(grids: list[tuple[str, Path]], columns: int, width: int | None = None) -> Image.Image:
    """Row by row, each enlarged by a whole factor, or as wide as a column of a page of `width` pixels."""
    pictures = [(title, Image.open(path).convert("RGB")) for title, path in grids]
    columns = min(columns, len(pictures))
    largest = max(picture.width for _, picture in pictures)
    cell = largest if width is None else (width + GAP) // columns - GAP
    sized = [
        (title, _enlarged(p, round(cell / p.width)) if width is None else _as_wide(p, cell)) for title, p in pictures
    ]
    rows = [sized[first : first + columns] for first in range(0, len(sized), columns)]
    cell = max(picture.width for _, picture in sized)
    heights = [max(picture.height for _, picture in row) + TITLE + GAP for row in rows]
    whole = Image.new("RGB", (columns * (cell + GAP) - GAP, sum(heights) - GAP), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(size=14)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for i, (title, picture) in enumerate(row):
            draw.text((i * (cell + GAP) + 2, top), title, "black", font)
            whole.paste(picture, (i * (cell + GAP), top + TITLE))
        top += height
    return whole


def _enlarged(picture: Image.Image, times: int) -> Image.Image:
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def _as_wide(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grids", nargs="+", metavar="TITLE=PICTURE")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--width", type=int, help="of the page in pixels; each grid is then as wide as a column")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    titled = [grid.partition("=") for grid in asked.grids]
    whole = page([(title, Path(path)) for title, _, path in titled], asked.columns, asked.width)
    (whole.quantize(COLOURS) if asked.out.suffix == ".png" else whole).save(asked.out, optimize=True, quality=60)


if __name__ == "__main__":
    main()
