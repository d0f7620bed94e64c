"""The page of --web as a person uses it, in Chromium: the model's pixels, every control, and no request."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, sync_playwright

from ganglion.errors import ExportError
from ganglion.exporting.export import export
from ganglion.exporting.runtime import runtime_files
from ganglion.latent.directions import sefa_directions
from ganglion.latent.model import Model
from untrained_models import untrained_model

pytestmark = pytest.mark.npm

NEAR = 2
"""Levels of 255 by which a pixel may differ from PyTorch's."""
WAIT_MS = 60_000
PIXELS = """() => { const it = document.getElementById("image");
  return [it.height, it.width, ...it.getContext("2d").getImageData(0, 0, it.width, it.height).data]; }"""


class Opened(NamedTuple):
    page: Page
    model: Model
    requests: list[str]
    complaints: list[str]

    def pixels(self) -> NDArray[np.int64]:
        """Of the large image (H, W, 3), once it is drawn."""
        self.page.wait_for_selector("#image[data-drawn]", timeout=WAIT_MS)
        height, width, *values = self.page.evaluate(PIXELS)
        return np.array(values).reshape(height, width, 4)[..., :3]

    def choose(self, seed: int) -> None:
        self.page.fill("#seed", str(seed))
        self.page.press("#seed", "Enter")

    def slide(self, name: str, value: float) -> None:
        self.page.fill(f"#{name}", str(value))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def package(cache: Path) -> Path:
    """A folder with onnxruntime-web's files, from npm."""
    try:
        runtime_files(cache=cache)
    except ExportError as error:
        if "cannot be downloaded" in str(error):
            pytest.skip(str(error))
        raise
    return next(cache.glob("onnxruntime-web-*"))


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folders(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Model]]:
    root = tmp_path_factory.mktemp("pages")
    models = {
        "classes": untrained_model("dcgan", "16x24", 3, "classes"),
        "attributes": untrained_model("skip", "16", 1, "attributes", latent__prior="sphere"),
    }
    for name, model in models.items():
        export(model, web=root / name, runtime=package)
    return {name: (root / name, model) for name, model in models.items()}


@pytest.fixture(scope="module")
def address(folders: dict[str, tuple[Path, Model]]) -> Iterator[str]:
    folder = folders["classes"][0].parent
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def opened(browser: Browser, url: str, model: Model) -> Opened:
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    found = Opened(page, model, [], [])
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("console", lambda line: found.complaints.append(line.text) if line.type == "error" else None)
    page.goto(url)
    page.wait_for_selector("#image[data-drawn]", timeout=WAIT_MS)
    return found


@pytest.fixture(scope="module")
def classes(browser: Browser, address: str, folders: dict[str, tuple[Path, Model]]) -> Opened:
    return opened(browser, f"{address}/classes/", folders["classes"][1])


@pytest.fixture(scope="module")
def attributes(browser: Browser, folders: dict[str, tuple[Path, Model]]) -> Opened:
    folder, model = folders["attributes"]
    return opened(browser, (folder / "index.html").as_uri(), model)


def far(one: NDArray[Any], other: NDArray[Any]) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_seeds_classes_and_truncation_give_the_models_pixels(classes: Opened) -> None:
    for seed, label, truncation in ((0, 0, 1.0), (255, 1, 1.0), (7, 2, 0.5)):
        classes.page.select_option("#class", str(label))
        classes.slide("truncation", truncation)
        classes.choose(seed)
        assert far(classes.pixels(), classes.model.sample(1, seed, label, truncation)[0]) <= NEAR
    classes.slide("truncation", 1)
    assert classes.page.locator("#class option").all_inner_texts() == ["cat", "</script><b>", "dog"]


def test_sliders_move_along_directions_and_dimensions(classes: Opened) -> None:
    model, labels = classes.model, classes.model.labels(1, label=0)
    classes.page.select_option("#class", "0")
    classes.choose(3)
    before = classes.pixels()
    dimension = int(classes.page.locator("#dimensions input").first.get_attribute("id").removeprefix("dimension-"))
    classes.slide("direction-0", 2)
    classes.slide(f"dimension-{dimension}", -1.5)
    z = model.latents(1, seed=3)
    z[0, dimension] = -1.5
    wanted = model.pixels(z + 2 * sefa_directions(model).vectors[0].float(), labels)[0]
    assert far(classes.pixels(), wanted) <= NEAR
    assert far(before, wanted) > NEAR
    classes.page.click("#reset")
    assert far(classes.pixels(), before) == 0


def test_attributes_become_the_models_condition_vector_from_a_file_without_a_server(attributes: Opened) -> None:
    page = attributes.page
    page.select_option("#attribute-0", label="no")
    attributes.slide("attribute-1", 62.5)
    page.select_option("#attribute-2", label="<b>fair</b>")
    attributes.choose(9)
    asked = {"smiling": 0, "age": 62.5, "hair": "<b>fair</b>"}
    assert far(attributes.pixels(), attributes.model.sample(1, 9, asked)[0].repeat(3, 2)) <= NEAR


def test_the_keyboard_alone_moves_a_slider(classes: Opened) -> None:
    classes.choose(5)
    before = classes.pixels()
    classes.page.focus("#direction-1")
    for _ in range(20):
        classes.page.keyboard.press("ArrowRight")
    assert float(classes.page.input_value("#direction-1")) == pytest.approx(2)
    assert far(classes.pixels(), before) > NEAR
    classes.page.click("#reset")


def test_a_walk_leads_elsewhere_and_stops(classes: Opened) -> None:
    classes.choose(6)
    before = classes.pixels()
    classes.page.click("#walk")
    classes.page.wait_for_timeout(400)
    classes.page.click("#walk")
    assert classes.page.inner_text("#walk") == "Walk"
    first = classes.pixels()
    classes.page.wait_for_timeout(200)
    assert far(first, before) > 0
    assert far(classes.pixels(), first) == 0


def test_any_seed_and_an_image_of_the_grid_can_be_chosen(classes: Opened) -> None:
    classes.choose(123456789)
    first = classes.pixels()
    classes.choose(123456788)
    assert far(classes.pixels(), first) > NEAR
    classes.choose(123456789)
    assert far(classes.pixels(), first) == 0
    classes.page.select_option("#class", "1")
    classes.page.click("#grid button >> nth=3")
    assert classes.page.input_value("#seed") == "4"
    assert far(classes.pixels(), classes.model.sample(1, 4, 1)[0]) <= NEAR


def test_an_image_is_saved_as_png_with_its_seed(classes: Opened, tmp_path: Path) -> None:
    from PIL import Image

    classes.choose(8)
    shown = classes.pixels()
    with classes.page.expect_download() as download:
        classes.page.click("#save")
    assert download.value.suggested_filename == "seed-8.png"
    download.value.save_as(tmp_path / "it.png")
    assert far(np.asarray(Image.open(tmp_path / "it.png"))[..., :3], shown) == 0


@pytest.mark.parametrize("width", [360, 1100])
def test_the_page_fits_a_phone_and_a_desk(classes: Opened, width: int) -> None:
    classes.page.set_viewport_size({"width": width, "height": 800})
    assert classes.page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert classes.page.locator("#studio").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_roles_and_contrast_are_as_axe_asks(attributes: Opened, scheme: Literal["light", "dark"]) -> None:
    attributes.page.emulate_media(color_scheme=scheme)
    found = Axe().run(attributes.page)
    assert found.violations_count == 0, found.generate_report()
    assert attributes.page.get_attribute("#image", "aria-label").startswith("Generated image, seed ")


def test_nothing_was_asked_of_the_network_and_nothing_went_wrong(
    classes: Opened, attributes: Opened, address: str
) -> None:
    for page in (classes, attributes):
        page.page.click("#random")
        assert page.pixels().std() > 0
    assert classes.requests == [f"{address}/classes/"]
    assert [url for url in attributes.requests if not url.startswith("file:")] == []
    assert classes.complaints == attributes.complaints == []
