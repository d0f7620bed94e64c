"""Explore and Score, used in Chromium as a person would use them."""

from __future__ import annotations

import shutil
import statistics
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.studio.kept import kept

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's Chromium"),
    pytest.mark.filterwarnings("ignore"),  # of Gradio and what it imports
]
LOOSE_MS = 1500
"""On a machine that does other things; docs/studio.md has what was measured on an idle one."""
MOVES = 12
MOVE = """async n => {
  const slider = document.querySelector('#slider-0 input[type=range]'), found = [];
  for (let i = 0; i < n; i++) {
    const before = document.querySelector('#picture img').src, started = performance.now();
    slider.value = String(i % 2 ? -3 + i / 10 : 3 - i / 10);
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    while (document.querySelector('#picture img').src === before) {
      if (performance.now() - started > 20000) throw new Error('the picture did not change');
      await new Promise(ok => setTimeout(ok, 2));
    }
    await document.querySelector('#picture img').decode();
    found.push(performance.now() - started);
    await new Promise(ok => setTimeout(ok, 20));
  }
  return found;
}"""


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, digits_run: ganglion.Run, attributes_run: Path, uniform_classes: Path
) -> Path:
    folder = tmp_path_factory.mktemp("studio") / "runs"
    folder.mkdir()
    for name, run in (("digits", digits_run.path), ("attributes", attributes_run), ("classes", uniform_classes)):
        shutil.copytree(run, folder / name)
    shutil.copytree(digits_run.path, folder / "empty")
    shutil.rmtree(folder / "empty" / "checkpoints")
    return folder


@pytest.fixture(scope="module")
def address(runs: Path, cache: Path) -> Iterator[str]:
    from ganglion.studio.server import studio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = studio(runs, browser=False, block=False, cache=cache, say=lambda text: None)
    yield server.url.rstrip("/")
    server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A tab of its own, in which no script may fail."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(60_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    opened.close()
    assert faults == []


def explore(page: Any, address: str, run: str = "digits") -> Any:
    page.goto(f"{address}/explore?run={run}")
    page.wait_for_selector("#picture img")
    page.wait_for_selector(".ends img")
    return page


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def source(page: Any, selector: str = "#picture img") -> str:
    return str(page.locator(selector).first.get_attribute("src"))


def changed(page: Any, before: str, selector: str = "#picture img") -> None:
    page.wait_for_function("([where, src]) => document.querySelector(where)?.src !== src", arg=[selector, before])


def test_a_moved_slider_shows_another_picture_soon(page: Any, address: str) -> None:
    explore(page, address)
    found = page.evaluate(MOVE, MOVES)
    sys.stdout.write(f"slider to picture: median {statistics.median(found):.0f} ms, all {[round(x) for x in found]}\n")
    assert statistics.median(found) < LOOSE_MS


def test_a_seed_is_picked_with_the_keyboard_and_back_returns(page: Any, address: str) -> None:
    explore(page, address)
    tab(page, "Seeds")
    first = source(page)
    page.locator("#seeds button").nth(5).focus()
    page.keyboard.press("Enter")
    changed(page, first)
    assert "Seed 5" in page.locator("#picture figcaption").inner_text()
    picked = source(page)
    page.locator("#back").click()
    changed(page, picked)
    assert source(page) == first


def test_two_tabs_have_states_of_their_own(page: Any, chromium: Any, address: str) -> None:
    explore(page, address)
    other = explore(chromium.new_page(), address)
    tab(other, "Seeds")
    before = source(other)
    other.locator("#seeds button").nth(3).click()
    changed(other, before)
    page.evaluate(MOVE, 1)
    assert "Seed 0" in page.locator("#picture figcaption").inner_text()
    assert "Seed 3" in other.locator("#picture figcaption").inner_text()
    other.close()


def test_a_direction_is_kept_under_a_name_that_is_no_markup_and_then_has_a_slider(
    page: Any, address: str, runs: Path
) -> None:
    explore(page, address)
    page.locator("#keep").click()
    page.wait_for_selector("#said .note.bad")
    assert "needs a name" in page.locator("#said").inner_text()
    page.evaluate(MOVE, 1)
    name = "<img src=x onerror=alert(1)>"
    page.locator("#keep-name textarea, #keep-name input").fill(name)
    page.locator("#keep").click()
    page.wait_for_selector("#said .note.good")
    found = kept(runs / "digits", 16)
    assert found is not None
    assert found.names == (name,)
    page.locator("#sets input").click()
    page.get_by_role("option", name="Kept directions").click()
    page.wait_for_function("name => document.querySelector('#slider-0').innerText.includes(name)", arg=name)
    assert page.locator("img[src=x]").count() == 0


def test_more_like_this_mix_film_and_nearest_images(page: Any, address: str) -> None:
    explore(page, address)
    tab(page, "Similar")
    before = source(page)
    page.locator("#more").click()
    page.locator("#similar button").nth(2).click()
    changed(page, before)
    assert "Variation of seed 0" in page.locator("#picture figcaption").inner_text()
    tab(page, "Mix")
    before = source(page)
    page.locator("#mix").click()
    page.wait_for_selector("#mixes img")
    changed(page, before)
    assert page.locator("#mixes img").count() == 7
    tab(page, "Film")
    page.locator("#make-film").click()
    page.wait_for_selector("#film video")
    page.wait_for_function("document.querySelector('#film video').readyState >= 2")
    tab(page, "Nearest")
    page.locator("#find-nearest").click()
    page.wait_for_selector("#nearest img")
    assert "training images" in page.locator("#nearest").inner_text()


def test_a_dropped_photo_is_searched_for_and_explored_from(page: Any, address: str, tmp_path: Path) -> None:
    explore(page, address)
    tab(page, "Photo")
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    page.locator("#photo-file input[type=file]").set_input_files(tmp_path / "broken.png")
    page.wait_for_selector("#said .note.bad")
    assert "broken.png" in page.locator("#said").inner_text()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)).save(tmp_path / "own <b>.png")
    page.locator("#photo-file button[aria-label*=lear]").first.click()
    page.locator("#photo-file input[type=file]").set_input_files(tmp_path / "own <b>.png")
    page.wait_for_selector("#photo-shown img")
    page.locator("#photo-start").click()
    page.wait_for_selector("#photo-progress [role=progressbar]")
    page.locator("#photo-stop").click()
    page.wait_for_selector("#photo-result img")
    assert "outside the generator's range" in page.locator("#photo-result").inner_text()
    page.locator("#photo-go").click()
    page.wait_for_function("document.querySelector('#picture figcaption').innerText.includes('Projection of own')")


def test_a_painted_part_is_completed(page: Any, address: str) -> None:
    explore(page, address)
    tab(page, "Paint over")
    page.locator("#paint-start").click()
    page.wait_for_selector("#said .note.bad")
    page.locator("#paint-picture").click()
    page.wait_for_selector("#editor canvas")
    page.wait_for_timeout(1500)
    box = page.locator("#editor canvas").first.bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across - 40, down)
    page.mouse.down()
    for step in range(8):
        page.mouse.move(across - 40 + 10 * step, down + 4 * (step % 2))
    page.mouse.up()
    page.wait_for_timeout(800)
    page.locator("#paint-start").click()
    page.wait_for_selector("#paint-progress [role=progressbar]")
    page.locator("#paint-stop").click()
    page.wait_for_selector("#paint-result img")
    words = page.locator("#paint-result").inner_text()
    assert "painted over" in words
    assert "proposal 1" in words


def test_a_class_and_attributes_are_asked_for(page: Any, address: str) -> None:
    explore(page, address, "classes")
    before = source(page)
    page.locator("#class input").click()
    page.get_by_role("option", name="7", exact=True).click()
    changed(page, before)
    explore(page, address, "attributes")
    before = source(page)
    page.locator("#attributes input").click()
    assert page.get_by_role("option", name="kind=<b>dog</b>", exact=True).is_visible()
    page.get_by_role("option", name="kind=cow", exact=True).click()  # seed 0 has another
    changed(page, before)


def test_a_run_is_scored_with_floors_and_its_checkpoints_as_curves(page: Any, address: str) -> None:
    page.goto(f"{address}/score?run=digits")
    page.locator("#against textarea, #against input").first.fill("no-such-folder")
    page.locator("#score-start").click()
    page.wait_for_selector("#score-progress .note.bad")
    assert "no file or folder 'no-such-folder'" in page.locator("#score-progress").inner_text()
    page.locator("#against textarea, #against input").first.fill("digits")
    page.get_by_text("More settings").click()
    page.locator("#score-samples input").fill("200")
    page.locator("#score-features input").click()
    page.get_by_role("option", name="random").click()
    page.locator("#score-start").click()
    page.wait_for_selector("#score-table table", timeout=60_000)
    words = page.locator("#score-table").inner_text()
    assert "fid" in words
    assert "floor" in words
    page.wait_for_selector("#score-bars .marks")
    page.locator("#score-checkpoint input").click()
    page.get_by_role("option", name="as curves").click()
    page.locator("#score-start").click()
    page.wait_for_function("document.querySelector('#score-table').innerText.includes('best')", timeout=60_000)
    page.wait_for_selector(".curve .marks")


@pytest.mark.parametrize("where", ["explore?run=empty", "explore?run=..%2F..%2Fetc", "explore", "score?run=gone"])
def test_a_run_that_cannot_be_explored_is_said_in_a_sentence(page: Any, address: str, where: str) -> None:
    page.goto(f"{address}/{where}")
    page.wait_for_selector(".note.bad")
    words = page.locator(".note.bad").first.inner_text()
    assert any(
        part in words for part in ("no checkpoint", "not the name of a run", "No run is chosen", "no run 'gone'")
    )
