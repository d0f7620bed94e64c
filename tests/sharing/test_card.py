from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import ganglion
from ganglion.doctor.evidence import Evidence
from ganglion.doctor.verdict import Finding, Verdict
from ganglion.recipe.resolve import update
from ganglion.runs.scores import kept_scores
from ganglion.sharing.card import CARD, model_card
from ganglion.sharing.facts import RunFacts, run_facts
from shared_runs import with_private_names


@pytest.fixture
def facts(tiny_run: ganglion.Run, tmp_path: Path, cache: Path) -> RunFacts:
    """Of a copy without the scores that another test may have left in the run."""
    copy = shutil.copytree(tiny_run.path, tmp_path / "tiny", ignore=shutil.ignore_patterns("evaluation.json"))
    return run_facts(ganglion.Run(copy), ganglion.load(copy), cache)


def card(facts: RunFacts, licence: str | None = "mit") -> str:
    return model_card("anna/digits", facts, licence, 64)


def part(text: str, heading: str) -> str:
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_the_metadata_is_what_the_hub_reads(facts: RunFacts) -> None:
    from huggingface_hub import ModelCard

    found = ModelCard(card(facts)).data.to_dict()
    assert (found["license"], found["library_name"]) == ("mit", "ganglion")
    assert found["pipeline_tag"] == "unconditional-image-generation"
    assert "datasets" not in found
    mnist = replace(facts, recipe=update(facts.recipe, data__source="mnist"))
    assert ModelCard(card(mnist)).data.to_dict()["datasets"] == ["ylecun/mnist"]
    assert yaml.safe_load(card(facts, None).split("---")[1])["license"] == "unknown"


def test_it_tells_what_the_run_was(facts: RunFacts, tiny_run: ganglion.Run) -> None:
    text = card(facts)
    assert "Its generator draws gray images of 16x16 pixels." in text
    assert "- Images: 1,797, 89 of them held out from training" in part(text, "Training images")
    assert "- Data set: scikit-learn's handwritten digits" in part(text, "Training images")
    training = part(text, "Training")
    assert f"({int(tiny_run.checkpoint().name):,} steps)" in training
    assert "| `generator.width` | `64` | `4` |" in training
    assert "- Device: CPU, " in training
    assert ganglion.load(tiny_run).generator is not None
    assert f"dcgan, {sum(w.numel() for w in ganglion.load(tiny_run).generator.parameters()):,} parameters" in training


def test_the_code_on_the_card_is_right(facts: RunFacts) -> None:
    use = part(card(facts), "How to use it")
    assert 'model = ganglion.load("hf:anna/digits")' in use
    assert "# uint8 (16, 16, 16, 1)" in use
    assert "ganglion sample hf:anna/digits --n 64" in use


def test_findings_are_told_with_their_evidence(facts: RunFacts) -> None:
    finding = Finding(
        "mode-collapse", "failing", 1200, [Evidence.at_least("diversity", 0.07, 0.25)], "Nearly equal images.", []
    )
    found = part(card(replace(facts, verdict=Verdict("failing", [finding], 1500))), "State of the training")
    assert "The diagnosis of the training says **failing**: this training has failed" in found
    assert (
        "- **mode-collapse** (failing, since step 1,200). Nearly equal images. Measured: diversity 0.07 (expected at "
        in found
    )


def test_a_run_that_was_not_evaluated_says_so(facts: RunFacts) -> None:
    assert "This checkpoint has not been evaluated: no scores are known." in part(card(facts), "Scores")


def test_scores_have_their_floor_their_features_and_their_images(
    tiny_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    run = with_private_names(tiny_run, tmp_path)
    found = part(card(run_facts(run, ganglion.load(run), cache)), "Scores")
    assert "| fid | 31.42 ± 0.5 | 2.718 | lower | a distance |" in found
    assert "Features: torchscript, a network of the publisher's own (hash `333333333333`). Seeds: 3." in found
    assert "1,000 samples against 1,000 real images, other images than it was trained on." in found
    earlier = run.steps_saved()[0]
    other = part(card(run_facts(run, ganglion.load(run, earlier), cache)), "Scores")
    assert "has not been evaluated" in other


def test_what_evaluate_has_measured_is_on_the_card(tiny_run: ganglion.Run, cache: Path) -> None:
    value = ganglion.evaluate(tiny_run, n=100, features="random", metrics=["kid"], cache=cache, quiet=True)["kid"]
    assert kept_scores(tiny_run)[-1].evaluation["scores"][0]["value"] == value
    found = part(card(run_facts(tiny_run, ganglion.load(tiny_run), cache)), "Scores")
    assert f"| kid | {value:.4g} |" in found
    assert "the images that it was trained on. Features: random, random convolutions: for ranking only" in found
    tiny_run.evaluation_path.unlink()


def test_names_of_classes_are_text_and_neither_html_nor_markdown(facts: RunFacts) -> None:
    names = ("<img src=x onerror=alert(1)>", "[link](http://x)", "a|b", "*bold*")
    recipe = update(facts.recipe, data__conditional=True, data__classes=names, data__class_counts=[1, 2, 3, 4])
    found = part(card(replace(facts, recipe=recipe)), "Training images")
    assert r"- Classes: &lt;img src=x onerror=alert(1)&gt;, \[link\](http://x), a\|b, \*bold\*" in found
    assert "label='<img" in part(card(replace(facts, recipe=recipe)), "How to use it")


def test_the_number_of_images_may_not_be_known_any_more(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    found = run_facts(tiny_run, ganglion.load(tiny_run), tmp_path / "empty cache")
    assert "- Images: their number is not known any more" in card(found)


def test_the_card_is_the_readme() -> None:
    assert CARD == "README.md"
