"""The page as a file: nothing in it asks the network, and no name in it becomes code."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ganglion.errors import ExportError
from ganglion.exporting import page
from ganglion.exporting.page import LARGEST, SEEDS, web_page
from ganglion.exporting.runtime import MODULE, WASM
from untrained_models import untrained_model

ONNX = b"the network"
LIBRARY = "var a=1,b=2;export{a as InferenceSession,b as Tensor,b as env};\n//# sourceMappingURL=x.map\n"


class Elements(HTMLParser):
    """Elements with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))
        self.inside = True

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 (its signature)
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


RUNTIME = {MODULE: LIBRARY.encode(), WASM: b"\0asm"}


@pytest.fixture
def elements() -> list[tuple[str, dict[str, str | None], str]]:
    return Elements(web_page(untrained_model(given="classes"), ONNX, RUNTIME)["index.html"].decode()).found


def test_nothing_refers_to_another_place(elements: list[tuple[str, dict[str, str | None], str]]) -> None:
    links = [value for _, attributes, _ in elements for name, value in attributes.items() if name in ("src", "href")]
    assert links == ["data:,"]


def test_the_policy_allows_our_scripts_and_style_alone(elements: list[tuple[str, dict[str, str | None], str]]) -> None:
    policy = next(str(attributes["content"]) for tag, attributes, _ in elements if "http-equiv" in attributes)
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    run = [text for tag, attributes, text in elements if tag == "style" or attributes.get("type") == "module"]
    assert len(run) == 3
    for text in run:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_the_heading_names_the_images_without_their_folder(
    elements: list[tuple[str, dict[str, str | None], str]],
) -> None:
    assert [text for tag, _, text in elements if tag in ("h1", "title")] == ["Generator of photos"] * 2


def test_names_of_classes_are_text(elements: list[tuple[str, dict[str, str | None], str]]) -> None:
    options = [text for tag, attributes, text in elements if tag == "option"]
    assert [text.strip() for text in options] == ["cat", "</script><b>", "dog"]


def test_names_of_attributes_are_text() -> None:
    found = Elements(web_page(untrained_model(given="attributes"), ONNX, RUNTIME)["index.html"].decode()).found
    assert [text.strip() for tag, _, text in found if tag == "option"] == ["yes", "no", "dark", "<b>fair</b>"]
    age = next(attributes for tag, attributes, _ in found if attributes.get("id") == "attribute-1")
    assert (age["min"], age["max"], age["value"]) == ("3.0", "80.0", "40.0")


def test_the_generator_and_the_latents_of_the_first_seeds_are_inside() -> None:
    model = untrained_model()
    text = web_page(model, ONNX, RUNTIME)["index.html"].decode()
    blocks = {
        name: gzip.decompress(base64.b64decode(packed))
        for name, packed in re.findall(r'id="block-(\w+)">([^<]*)</script>', text)
    }
    assert blocks["network"] == ONNX
    latents = np.frombuffer(blocks["latents"], "<f4").reshape(SEEDS, 6)
    assert np.array_equal(latents[17], model.latents(1, seed=17)[0].numpy())
    settings = json.loads(re.findall(r'id="page">([^<]*)</script>', text)[0])
    assert (settings["dim"], settings["prior"], settings["height"], len(settings["dimensions"])) == (6, "normal", 16, 6)


def test_equal_models_give_equal_pages() -> None:
    assert web_page(untrained_model(), ONNX, RUNTIME) == web_page(untrained_model(), ONNX, RUNTIME)


def test_the_library_is_put_into_a_page_as_a_script_that_leaves_its_names() -> None:
    assert page._library(LIBRARY).endswith('globalThis.ort={"InferenceSession":a,"Tensor":b,"env":b};')
    with pytest.raises(ExportError, match="does not end in its exports"):
        page._library("var a=1;")


def test_a_script_that_would_end_its_element_is_refused() -> None:
    with pytest.raises(ExportError, match="its own end"):
        page._safe("'</SCRIPT>'")


def test_a_generator_that_is_too_large_for_a_page_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LARGEST", 10)
    with pytest.raises(ExportError, match="at most: use --onnx"):
        web_page(untrained_model(), ONNX, RUNTIME)
    assert LARGEST < 2**29  # characters of a text in Chromium, of which base64 needs four for three bytes


def test_the_licence_of_what_is_inside_is_there() -> None:
    text = web_page(untrained_model(), ONNX, RUNTIME)["LICENCES.txt"].decode()
    assert "Copyright (c) Microsoft Corporation" in text
    assert "Permission is hereby granted" in text
