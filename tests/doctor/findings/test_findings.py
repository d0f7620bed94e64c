"""Each finding on records of which the answer is known: made up, and stored from real runs; in both directions."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.findings import RULES
from ganglion.doctor.remedies.idea import UNKNOWN
from ganglion.doctor.rule import thresholds, thresholds_of
from made_records import FLOOR, SICK, far, healthy, with_values
from stored_records import ILL, WELL

PAGES = Path(__file__).parents[3] / "docs" / "field-guide"
SOURCES = Path(__file__).parents[3] / "src" / "ganglion" / "doctor" / "findings"


# Made up


@pytest.mark.parametrize("code", RULES)
def test_a_made_up_run_with_one_fault_is_found_by_its_name_before_any_other(code: str) -> None:
    verdict = examine(SICK[code])
    assert verdict.findings, code
    assert verdict.findings[0].code == code


def test_a_made_up_run_that_is_well_is_healthy_at_every_length() -> None:
    whole = healthy(120)
    for n in range(6, len(whole)):
        assert examine(whole[:n]).findings == [], n
    assert examine(whole).state == "healthy"


@pytest.mark.parametrize(
    "code", [code for code in RULES if code not in ("non-finite", "optimizer-crosstalk", "range-mismatch")]
)
def test_two_records_are_no_illness(code: str) -> None:
    """What lasts for a moment only passes; mistakes in the code are seen at once."""
    n = len(SICK[code])
    brief = [
        sick if n - 14 <= i < n - 12 else well
        for i, (sick, well) in enumerate(zip(SICK[code], healthy(n), strict=True))
    ]
    assert code not in {finding.code for finding in examine(brief).findings}


@pytest.mark.parametrize("code", ["growing-oscillation", "oscillation", "stalled"])
def test_what_takes_a_long_run_is_not_found_in_a_short_one_with_as_many_records(code: str) -> None:
    short = [record | {"kimg": record["kimg"] / 10} for record in SICK[code]]
    assert code in {finding.code for finding in examine(SICK[code]).findings}
    assert code not in {finding.code for finding in examine(short).findings}


def test_every_made_up_fault_belongs_to_a_code() -> None:
    assert SICK.keys() == RULES.keys()


# Real runs


@pytest.mark.parametrize("name", ILL)
def test_a_real_run_with_one_fault_is_found_by_its_name_before_any_other(name: str) -> None:
    case = ILL[name]
    verdict = examine(case["records"], case["own_run"])
    assert verdict.findings, name
    assert verdict.findings[0].code in case["codes"]


@pytest.mark.parametrize("name", WELL)
def test_in_a_real_run_that_is_well_nothing_is_found_at_any_moment(name: str) -> None:
    records = WELL[name]["records"]
    for n in range(1, len(records) + 1):
        assert examine(records[:n]).findings == [], f"record {n} of {len(records)}"
    assert examine(records).state == "healthy"


def test_every_code_is_raised_by_a_real_run() -> None:
    raised = {finding.code for case in ILL.values() for finding in examine(case["records"], case["own_run"]).findings}
    assert raised == RULES.keys()


def test_every_recipe_has_a_real_run_that_is_well() -> None:
    recipes = {
        "dcgan",
        "dcgan-fm",
        "wgan",
        "wgan-gp",
        "improved",
        "lsgan",
        "dragan",
        "sngan",
        "r3gan",
        "small-data",
        "fast",
    }
    assert {f"healthy-{recipe}" for recipe in recipes} <= WELL.keys()


@pytest.mark.parametrize("name", ILL)
def test_a_real_runs_evidence_lies_outside_what_is_expected_and_is_plain_json(name: str) -> None:
    case = ILL[name]
    tree = examine(case["records"], case["own_run"]).to_json()
    json.dumps(tree, allow_nan=False)
    for finding in tree["findings"]:
        assert finding["evidence"]
        assert 0 <= finding["since_step"] <= tree["step"]


# The table, the pages, the files


def test_codes_pages_and_rules_are_the_same() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} - {"README"} == RULES.keys()
    assert {
        code for path in SOURCES.glob("*.py") for code in re.findall(r'Rule\(\s*"([a-z-]+)"', path.read_text())
    } == RULES.keys()


@pytest.mark.parametrize("code", RULES)
def test_every_page_has_its_parts_and_the_command_that_reproduces_it(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    for part in (
        f"# {code}",
        "## Symptoms",
        "## Causes",
        "## Not to be confused with",
        "## Remedies",
        "## Reproduce",
    ):
        assert part in page
    assert f"(images/{code}.png)" in page
    assert (PAGES / "images" / f"{code}.png").is_file()
    assert "benchmarks/clinic.py" in page
    rows = thresholds()[code]
    assert all(f"| `{n}` | {row['value']:g} | {row['unit']} | {row['meaning']} |" in page for n, row in rows.items())


@pytest.mark.parametrize("code", RULES)
def test_every_page_lists_the_ideas_of_its_finding_in_their_order(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(\d+)\. (.*)$", page.partition("## Remedies")[2].partition("## Reproduce")[0], re.MULTILINE)
    assert [int(number) for number, _ in listed] == list(range(1, len(RULES[code].ideas) + 1))
    for (_, line), idea in zip(listed, RULES[code].ideas, strict=True):
        hint = idea.code_for(UNKNOWN)
        assert line == f"{idea.what}{f' (in your own loop: {hint})' if hint else ''}."


def functions_of(look: Callable[..., object]) -> list[Callable[..., object]]:
    """A rule's function, and those of its module that it calls, and that these call."""
    called = [look.__globals__.get(name) for name in look.__code__.co_names]
    own = [one for one in called if inspect.isfunction(one) and one.__module__ == look.__module__]
    return [look, *(deeper for one in own for deeper in functions_of(one))]


@pytest.mark.parametrize("code", RULES)
def test_every_threshold_is_used_and_no_other_is_asked_for(code: str) -> None:
    tree = ast.parse("".join(map(inspect.getsource, functions_of(RULES[code].check))))
    used = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "limits"
        and isinstance(node.slice, ast.Constant)
    }  # fmt: skip
    assert used == thresholds_of(code).keys()


def test_every_threshold_says_what_it_means_and_in_which_unit() -> None:
    assert thresholds().keys() == RULES.keys()
    rows = [row for limits in thresholds().values() for row in limits.values()]
    assert all(set(row) == {"value", "unit", "meaning"} and row["unit"] and row["meaning"] for row in rows)


@pytest.mark.parametrize("code", RULES)
def test_every_finding_speaks_to_a_person_and_says_what_to_change(code: str) -> None:
    rule = RULES[code]
    assert rule.code == code
    assert 1 <= rule.why.count(".") <= 6  # three findings put a sentence of their own before it
    assert rule.ideas
    assert all(idea.what[0].isupper() and not idea.what.endswith(".") for idea in rule.ideas)
    assert all(idea.change or idea.code for idea in rule.ideas)
    assert rule.ideas[0].code  # a loop of one's own gets an answer to every finding
    assert set(rule.explains) < RULES.keys()


def test_a_calibrated_table_replaces_the_thresholds() -> None:
    table = {code: dict(limits) for code, limits in thresholds().items()}
    table["clip-saturation"] = {"share": {"value": 0.99, "unit": "share", "meaning": "stricter"}}
    assert examine(SICK["clip-saturation"]).state == "watch"
    assert examine(SICK["clip-saturation"], table=table).state == "healthy"


def severities(code: str, records: list[dict[str, object]]) -> list[str]:
    """Of one finding, at each record that it is raised at, without repetitions."""
    found = [f.severity for n in range(5, len(records) + 1) for f in examine(records[:n]).findings if f.code == code]
    return [now for i, now in enumerate(found) if i == 0 or found[i - 1] != now]


@pytest.mark.parametrize("code", ["mode-collapse", "discriminator-wins", "generator-wins"])
def test_what_may_recover_is_watched_before_it_is_called_failing(code: str) -> None:
    assert severities(code, SICK[code]) == ["watch", "failing"]


def test_a_real_collapse_is_watched_first_and_then_called_failing_to_the_end() -> None:
    records = ILL["mode-collapse"]["records"]
    assert severities("mode-collapse", records) == ["watch", "failing"]
    assert examine(records).state == "failing"


def test_an_oscillation_that_grows_while_samples_still_approach_the_data_is_watched() -> None:
    def swings(slope: float) -> list[dict[str, object]]:
        return with_values(
            healthy(),
            {"swd": lambda done: FLOOR * (6 - slope * done + 1.8 * math.exp(3 * (done - 1)) * math.sin(40 * done))},
        )

    (falling,), (level,) = (
        [f for f in examine(swings(s)).findings if f.code == "growing-oscillation"] for s in (3.0, 0.0)
    )
    assert (falling.severity, level.severity) == ("watch", "failing")
    assert examine(ILL["growing-oscillation"]["records"]).findings[0].severity == "failing"


def test_noise_that_lies_near_to_every_image_is_no_copy() -> None:
    records = with_values(SICK["discriminator-wins"], {"nearest": 0.98, "fine": 20.0, "swd": far(11)})
    codes = {finding.code for finding in examine(records).findings}
    assert codes
    assert "memorization" not in codes
    assert "memorization" in {f.code for f in examine(with_values(records, {"swd": far(1.1)})).findings}


def test_wasserstein_critics_may_be_as_sure_as_they_like() -> None:
    critic = with_values(SICK["discriminator-wins"], {"earth_mover": 12.0, "loss_d": -12.0})
    assert "discriminator-wins" not in {finding.code for finding in examine(critic).findings}


@pytest.mark.parametrize(
    ("reals", "words"),
    [
        ([0.0, 255.0], "not scaled from [0, 255]"),
        ([0.0, 1.0], "in [0, 1]"),
        ([-1.0, -0.992], "twice"),
        ([-2.1, 2.6], "beyond"),
    ],
)
def test_the_likely_slip_of_a_range_is_named(reals: list[float], words: str) -> None:
    records = with_values(healthy(), {"range_real": [*reals, 0.0, 1.0]})
    finding = examine(records).findings[0]
    assert finding.code == "range-mismatch"
    assert words in finding.why
