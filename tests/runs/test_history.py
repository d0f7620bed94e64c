from __future__ import annotations

from ganglion.runs.folder import Run
from ganglion.runs.history import Span, run_history, spans_of

RECORDS = [{"step": step, "kimg": step / 10} for step in range(0, 101, 10)]


def raised(code: str, step: int, severity: str = "watch") -> dict[str, object]:
    return {"event": "raised", "code": code, "step": step, "severity": severity}


def cleared(code: str, step: int) -> dict[str, object]:
    return {"event": "cleared", "code": code, "step": step}


def test_a_finding_lasts_from_when_it_was_raised_to_when_it_was_cleared():
    events = [raised("stalled", 20), raised("mode-collapse", 40, "failing"), cleared("stalled", 60)]
    expected = [Span("stalled", "watch", 2.0, 6.0), Span("mode-collapse", "failing", 4.0, None)]
    assert spans_of(events, RECORDS) == expected


def test_a_finding_that_gets_worse_is_two_spans():
    events = [raised("stalled", 20), raised("stalled", 50, "failing")]
    assert spans_of(events, RECORDS) == [Span("stalled", "watch", 2.0, 5.0), Span("stalled", "failing", 5.0, None)]


def test_a_step_between_two_records_lies_between_their_images():
    assert spans_of([raised("stalled", 25)], RECORDS)[0].raised_kimg == 2.5


def test_events_without_records_are_no_spans():
    assert spans_of([raised("stalled", 20)], []) == []


def test_a_run_has_a_history(tiny_run):
    history = run_history(Run(tiny_run.path))
    assert history.records == tiny_run.records()
    assert history.kimg == tiny_run.records()[-1]["kimg"]
