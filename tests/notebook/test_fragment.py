"""Fragments: all that comes from outside is text in them, and they ask for nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.metrics.evaluation import Evaluation, Result, SetFacts
from ganglion.notebook.fragment import PAGE, fragment

EVIL = '<script>alert("x")</script><img src=http://evil.example/a onerror=b> & \' "'


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.said = ""
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("img", "br", "line", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def verdict() -> Verdict:
    evidence = [Evidence.at_least(EVIL, 0.07, 0.25)]
    finding = Finding(EVIL, "failing", 1304, evidence, EVIL, [Remedy(EVIL, EVIL, EVIL)], True, EVIL)
    return Verdict("failing", [finding, finding], 2000, [EVIL], seen=[EVIL])


def evaluation() -> Evaluation:
    facts = SetFacts(EVIL, 1000, 32, 32, 1, EVIL, "hash")
    scores = [Result("fid", 12.345678, "lower", EVIL, 3.2, 0.12), Result("kid", -0.1, "lower", EVIL, None, None, 0.3)]
    return Evaluation(
        facts, facts, EVIL, "hash", EVIL, 64, 1, None, (10, 12), scores, {"is": EVIL, "ms": EVIL}, [EVIL], 1.0
    )


SHOWN = {
    "verdict": verdict()._repr_html_,
    "finding": verdict().findings[0]._repr_html_,
    "evaluation": evaluation()._repr_html_,
    "log": lambda: fragment("log.html", lines=[EVIL], task=None),
    "progress": lambda: fragment("progress.html", share=0.5, text=EVIL),
    "images": lambda: fragment("images.html", uri="data:,", width=3, about=EVIL),
}


@pytest.mark.parametrize("what", SHOWN)
def test_what_comes_from_outside_is_text(what: str) -> None:
    tags = Tags(SHOWN[what]())
    assert tags.open == []
    assert "script" not in tags.seen
    assert all(address.startswith("data:") for address in tags.addresses)
    assert what == "images" or EVIL in tags.said


def test_a_verdict_has_findings_with_numbers_bounds_and_remedies() -> None:
    said = Tags(verdict()._repr_html_()).said
    for text in ("failing", "since step 1,304", "0.07", "at least 0.25", "from losses alone", "a consequence of"):
        assert text in said


def test_remedies_of_a_watched_training_are_code_and_those_of_a_run_are_commands() -> None:
    for remedy, shown in (
        (Remedy("a", "what", command="ganglion train x"), "ganglion train x"),
        (Remedy("a", "what", code="x = 1"), "x = 1"),
    ):
        finding = Finding("a", "watch", 1, [], "why", [remedy])
        assert f"<code>{shown}</code>" in Verdict("watch", [finding])._repr_html_()


def test_an_evaluation_has_each_score_with_its_error_and_floor() -> None:
    said = Tags(evaluation()._repr_html_()).said
    for text in ("fid", "12.35", "0.12", "3.2", "-0.1", "0.3", "1,000 samples", "Left out: is, ms"):
        assert text in said


def test_reasons_that_several_scores_share_are_said_once() -> None:
    assert Tags(evaluation()._repr_html_()).said.count("Left out") == 1


def test_the_style_touches_nothing_outside_and_asks_for_nothing() -> None:
    style = (PAGE / "notebook.css").read_text(encoding="utf-8")
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{", style) for one in rule.split(",")]
    assert len(selectors) > 20
    assert all(one.startswith(".ganglion") for one in selectors)
    assert "url(" not in style
    assert "@import" not in style


def test_text_has_the_colour_of_the_page_around_it() -> None:
    style = (PAGE / "notebook.css").read_text(encoding="utf-8")
    colours = set(re.findall(r"[{; ]color: ([^;]+);", style))
    assert colours == {"inherit", "#fff"}  # white on the dark badges of states only
