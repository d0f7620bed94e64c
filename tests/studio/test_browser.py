"""The studio as a person uses it, in Chromium: a training from the page Train, live on others; Doctor; what is requested."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
if not CHROMIUM.is_file():
    pytest.skip(f"there is no Chromium at {CHROMIUM}", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

PATIENCE_MS = 150_000  # for a machine that is busy with other things
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
SETTINGS = "\n".join([
    "generator.width=8", "discriminator.width=8", "latent.dim=8", "training.tick_kimg=0.5", "training.snapshot_kimg=1",
    "training.precision=32",
])  # fmt: skip


class Watched:
    """A page, and all that it asked for and complained of."""

    def __init__(self, browser: Browser, base: str, scheme: str = "light", width: int = 1280) -> None:
        self.base = base
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def go(self, place: str) -> Page:
        self.page.goto(self.base + place)
        self.page.wait_for_selector("h1")
        return self.page

    @property
    def outside(self) -> list[str]:
        return [url for url in self.requests if not url.startswith((self.base, "data:", "blob:"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """The address of a studio in a process of its own."""
    environment = os.environ | {"GANGLION_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganglion.cli.app", "studio", str(folder / "runs"), "--no-browser"]
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
    assert found, server.communicate()[1]
    yield found.group()
    server.terminate()
    _, said = server.communicate(timeout=30)
    assert "Traceback" not in said, said
    assert "Warning" not in said


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


def eventually(true: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture(scope="module")
def trained(browser: Browser, base: str, folder: Path) -> Watched:
    """A training started on the page Train, seen live, stopped, continued and ended; the page shows it at its end."""
    watched = Watched(browser, base)
    page = watched.go("/train")
    page.get_by_label("Images").fill("digits")
    page.get_by_label("Recipe").click()
    page.get_by_role("option", name="fast", exact=True).click()
    page.get_by_label("Size").fill("16")
    page.get_by_label("Minutes").fill("0.3")
    page.get_by_role("button", name="Other values of the recipe").click()
    page.get_by_label("Settings").fill(SETTINGS)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/run?run=digits-fast")
    page.wait_for_selector("dd.now.training")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("dd.now.stopped")
    other = Watched(browser, base)
    other.go("/").wait_for_selector("tr[data-name=digits-fast] td.stopped")
    page.get_by_role("button", name="Continue").click()
    other.page.wait_for_selector("tr[data-name=digits-fast] [role=progressbar]")
    page.wait_for_selector("dd.now.finished")
    other.page.wait_for_selector("tr[data-name=digits-fast] td.finished")
    assert not watched.outside + other.outside
    return watched


def test_the_run_that_was_started_is_a_run_like_any_other(trained: Watched, folder: Path) -> None:
    import ganglion

    run = ganglion.Run(folder / "runs" / "digits-fast")
    assert run.recipe.generator.width == 8
    assert run.records()[-1]["eta_sec"] == 0
    assert (run.path / "report.html").is_file()


def test_its_page_shows_samples_over_training_and_the_charts_of_the_report(trained: Watched) -> None:
    page = trained.page
    page.wait_for_selector(".chart[data-panel=speed] svg")
    assert page.locator(".chart svg").count() >= 12
    slider = page.get_by_label("Snapshot", exact=True)
    steps = json.loads(page.locator("[data-timeline]").get_attribute("data-timeline") or "")
    slider.focus()
    page.keyboard.press("Home")
    image = page.get_by_alt_text("Samples at fixed latents")
    assert f"/fixed/{steps[0]['step']}?" in (image.get_attribute("src") or "")
    eventually(lambda: image.evaluate("image => image.complete && image.naturalWidth > 50"))
    page.get_by_role("button", name="Play").click()
    eventually(lambda: f"/fixed/{steps[-1]['step']}?" in (image.get_attribute("src") or ""))


def test_the_list_is_searched_sorted_and_compared_from_the_keyboard(
    trained: Watched, browser: Browser, base: str, folder: Path
) -> None:
    for name in ("b-copy", "a-copy"):
        shutil.copytree(folder / "runs" / "digits-fast", folder / "runs" / name)
    page = Watched(browser, base).go("/")
    page.wait_for_selector("tr[data-name=a-copy]")
    names = page.locator("tbody th a")
    page.get_by_role("button", name="Run", exact=True).press("Enter")
    assert names.all_text_contents() == ["a-copy", "b-copy", "digits-fast"]
    page.get_by_label("Search runs").fill("COPY fast")
    eventually(lambda: page.locator("tbody tr:visible").count() == 2)
    for name in ("a-copy", "b-copy"):
        page.get_by_label(f"Compare {name}").press("Space")
    page.get_by_role("button", name="Compare 2").click()
    page.wait_for_url("**/studio/compare?run=*")
    assert "b-copy" in page.locator("h1").inner_text()


def test_a_run_that_is_deleted_under_its_page_is_said_to_be_gone(
    trained: Watched, browser: Browser, base: str, folder: Path
) -> None:
    shutil.copytree(folder / "runs" / "digits-fast", folder / "runs" / "short-lived", dirs_exist_ok=True)
    watched = Watched(browser, base)
    page = watched.go("/run?run=short-lived")
    page.wait_for_selector("dd.now")
    shutil.rmtree(folder / "runs" / "short-lived")
    page.get_by_text("there is no run 'short-lived'").wait_for()
    assert not watched.complaints


def test_a_dropped_folder_is_scanned_and_its_broken_files_are_listed(
    browser: Browser, base: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for i in range(60):
        (tmp_path / "photos" / f"class{i % 2}").mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8))
        picture.save(tmp_path / "photos" / f"class{i % 2}" / f"{i}.png")
    (tmp_path / "photos" / "class0" / "broken<b>.png").write_bytes(b"no image")
    watched = Watched(browser, base)
    page = watched.go("/train")
    page.get_by_label("Recipe").click()
    page.get_by_role("option", name="dcgan", exact=True).click()
    page.set_input_files("input[data-folder]", tmp_path / "photos")
    page.get_by_text("60 usable images in folder").wait_for()
    assert page.get_by_label("Images").input_value().endswith("/photos")
    assert page.locator(".bad li").inner_text().startswith("class0/broken_b_.png")
    assert page.get_by_alt_text("A sheet of the images after they were fitted").is_visible()
    page.get_by_label("Minutes").fill("soon")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("alert").get_by_text("expected a number above 0").wait_for()
    assert not watched.outside


LOG = "step,loss_d,loss_g,d_real,d_fake\n" + "\n".join(f"{50 * i},0.00001,16.118,1.0,0.0" for i in range(200))


def test_a_dropped_log_gets_a_verdict(browser: Browser, base: str, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(LOG)
    watched = Watched(browser, base)
    page = watched.go("/doctor")
    page.set_input_files("input[data-files]", tmp_path / "train.csv")
    page.locator("#diagnosis .state.failing").wait_for()
    assert "Read as a table" in page.locator("#diagnosis pre").inner_text()
    assert page.locator("#diagnosis article.finding h3").count() >= 1
    page.get_by_label("Log").fill("/nothing/here")
    page.get_by_role("button", name="Diagnose").click()
    page.get_by_role("alert").get_by_text("there is no such file or folder").wait_for()
    assert not watched.outside + watched.complaints


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_keep_to_the_rules_of_accessibility_and_to_the_width_of_the_screen(
    trained: Watched, browser: Browser, base: str, scheme: str, width: int
) -> None:
    watched = Watched(browser, base, scheme, width)
    for place, ready in (
        ("/", "tbody tr"),
        ("/run?run=digits-fast", ".chart svg"),
        ("/train", "#start"),
        ("/doctor", "#look"),
    ):
        page = watched.go(place)
        page.wait_for_selector(ready)
        # a chart is one picture with a label; each of its hundreds of marks would be judged alone
        found = Axe().run(page, context={"exclude": [[".chart > div"]]}, options=RULES).response["violations"]
        assert not [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found], place
        assert all(page.locator(".chart").evaluate_all("charts => charts.map((chart) => chart.ariaLabel)")), place
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    assert not watched.outside + watched.complaints
