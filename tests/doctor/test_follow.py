from __future__ import annotations

import json

from ganglion.doctor.chart import THINNED, WHOLE
from ganglion.doctor.examine import examine
from ganglion.doctor.follow import Follower
from made_records import SICK, healthy, with_values


def test_a_finding_is_raised_once_and_cleared_when_it_is_over() -> None:
    ill = with_values(healthy(100), {"train_eval": 0.9}, first=30)
    well_again = [record if i < 45 else healthy(100)[i] for i, record in enumerate(ill)]
    follower = Follower()
    events = [event for record in well_again for event in follower.take(record)]
    assert [(event.raised, event.finding.code) for event in events] == [
        (True, "batchnorm-mismatch"),
        (False, "batchnorm-mismatch"),
    ]
    raised, cleared = events
    assert 30 * 50 < raised.step < 45 * 50 <= cleared.step
    assert "failing: batchnorm-mismatch" in raised.text()
    assert cleared.text() == f"cleared at step {cleared.step:,}: batchnorm-mismatch"


def test_a_severity_that_changes_is_told() -> None:
    rising = with_values(healthy(100), {"held_out": lambda done: 0.8 + 0.2 * done})
    follower = Follower()
    events = [event for record in rising for event in follower.take(record)]
    assert [(e.raised, e.finding.severity) for e in events if e.finding.code == "discriminator-overfitting"] == [
        (True, "watch"), (True, "failing"),
    ]  # fmt: skip


def test_an_event_is_a_line_of_json() -> None:
    follower = Follower()
    events = [event for record in SICK["mode-collapse"] for event in follower.take(record)]
    line = json.loads(json.dumps(events[0].to_json(), allow_nan=False))
    assert line["event"] == "raised"
    assert line["code"]
    assert {"step", "severity", "since_step", "evidence", "why", "remedy"} <= line.keys()


def test_a_follower_that_begins_in_the_midst_knows_what_was_before() -> None:
    records = SICK["mode-collapse"]
    follower = Follower(records[:-1])
    assert follower.verdict == examine(records[:-1])
    follower.take(records[-1])
    assert follower.verdict == examine(records)


def test_memory_does_not_grow_with_the_run() -> None:
    follower = Follower()
    for i in range(1400):
        follower.take({"step": i, "kimg": i / 10, "separation": 0.9})
    assert len(follower._records) <= 4 * (WHOLE + THINNED)
    assert follower.verdict.step == 1399
