from __future__ import annotations

import json
import subprocess
import sys

from ganglion.platform.process_identity import identity_of, living


def test_this_process_lives_also_after_its_identity_was_a_file() -> None:
    kept = json.loads(json.dumps(identity_of()))
    process = living(kept)
    assert process is not None
    assert process.pid == kept["pid"]


def test_a_process_that_ended_does_not_live_nor_does_another_of_its_number() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = identity_of(child.pid)
    assert living(identity) is not None
    assert living(identity | {"started": identity["started"] - 60}) is None
    child.communicate(b"\n")
    assert living(identity) is None


def test_a_process_of_another_machine_is_not_known_here() -> None:
    assert living(identity_of() | {"host": "another"}) is None


def test_what_is_no_identity_names_no_process() -> None:
    for broken in (None, {}, {"pid": "x"}, identity_of() | {"pid": -5}, identity_of() | {"started": None}):
        assert living(broken) is None


def test_a_process_that_has_ended_already_has_an_identity_and_does_not_live() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    identity = identity_of(ended.pid)
    assert identity["pid"] == ended.pid
    assert living(identity) is None
