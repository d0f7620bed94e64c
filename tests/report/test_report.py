from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.errors import RunError
from ganglion.report.figures import write_figures
from ganglion.report.report import LIMIT, write_report


class Page(HTMLParser):
    """Headings, texts, and where anything is loaded from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.loaded: list[str] = []
        self.words: list[str] = []
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self._hidden = tag in ("script", "style")
        if tag == "section":
            self.sections.append(named.get("id") or "")
        self.loaded += [value or "" for key, value in attributes if key in ("src", "href")]

    def handle_endtag(self, _tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def page(digits_run: ganglion.Run, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(digits_run, out, cache, quiet=True) == out
    assert out.stat().st_size <= LIMIT
    return Page(out.read_text(encoding="utf-8"))


def test_a_report_has_every_part(page: Page) -> None:
    assert page.sections == ["verdict", "timeline", "vitals", "latent", "recipe"]


def test_a_report_loads_nothing(page: Page) -> None:
    assert page.loaded
    assert all(place.startswith("data:image/webp;base64,") for place in page.loaded)


def test_a_report_says_what_was_run_and_what_differs(page: Page, digits_run: ganglion.Run) -> None:
    text = " ".join(page.words)
    assert "recipe fast" in text
    assert "24.0 kimg" in text
    assert "generator.width" in text
    assert "Samples and their nearest real images" in text
    assert ganglion.diagnose(digits_run.path).headline.lower() in text.lower()
    best = digits_run.best_of(digits_run.records())
    assert f"best checkpoint: score {best['frechet']:,.3g}, relative distance {best['relative_distance']:,.3g}" in text


def test_the_best_snapshot_is_marked(digits_run: ganglion.Run, cache: Path, tmp_path: Path) -> None:
    text = write_report(digits_run, tmp_path / "r.html", cache, quiet=True).read_text(encoding="utf-8")
    shown = json.loads(re.search(r"const SNAPSHOTS = (\[.*?\]);", text).group(1))  # type: ignore[union-attr]
    assert [one["step"] for one in shown if one["best"]] == [digits_run.best_step]
    assert all(
        text.count(one[kind]) == 1 for one in shown for kind in ("fixed", "fresh")
    )  # the budget counts them once
    assert [one["step"] for one in shown] == sorted(int(path.stem) for path in digits_run.fixed_samples.glob("*.png"))


def test_what_comes_from_outside_is_escaped(digits_run: ganglion.Run, cache: Path, tmp_path: Path) -> None:
    run = tmp_path / "<script>alert(1)<"
    shutil.copytree(digits_run.path, run)
    facts = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    (run / "environment.json").write_text(json.dumps(facts | {"command": "</script><b>bold</b>"}), encoding="utf-8")
    text = write_report(run, None, cache, quiet=True).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold" in text


def test_a_run_whose_images_and_checkpoints_are_gone_still_has_a_report(
    digits_run: ganglion.Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(digits_run.path, run)
    shutil.rmtree(run / "checkpoints")
    text = (run / "recipe.yaml").read_text(encoding="utf-8")
    (run / "recipe.yaml").write_text(text.replace("source: digits", "source: gone/away"), encoding="utf-8")
    page = Page(write_report(run, None, tmp_path / "empty", quiet=True).read_text(encoding="utf-8"))
    words = " ".join(page.words)
    assert "images are not available" in words
    assert "No images of latent space" in words
    assert page.sections == ["verdict", "timeline", "vitals", "latent", "recipe"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_figure_is_written_as_a_file(digits_run: ganglion.Run, cache: Path, tmp_path: Path) -> None:
    written = write_figures(digits_run.path, tmp_path, "svg", cache)
    assert {path.suffix for path in written} == {".svg", ".png"}
    assert {"loss.svg", "logits.svg", "walks.png", "nearest.png"} <= {path.name for path in written}
    assert all(path.stat().st_size > 500 for path in written)


def test_a_report_full_of_noise_stays_within_its_limit(digits_run: ganglion.Run, cache: Path, tmp_path: Path) -> None:
    run, random = tmp_path / "run", np.random.default_rng(0)
    shutil.copytree(digits_run.path, run)
    for kind in ("fixed", "fresh"):
        for step in range(1, 13):
            noise = random.integers(0, 256, (680, 680, 3), np.uint8)
            Image.fromarray(noise).save(run / "samples" / kind / f"{step:08d}.png")
    text = write_report(run, None, cache, quiet=True).read_bytes()
    assert 0.7 * LIMIT < len(text) <= LIMIT
