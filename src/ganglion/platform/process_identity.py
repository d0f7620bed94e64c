"""Which process this is, so that another one can later tell whether it still runs: number, start and host."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from typing import Any

import psutil

__all__ = ["Identity", "identity_of", "living"]


Identity = dict[str, Any]
"""`pid`, `started` (seconds since 1970) and `host`, a hash of the machine's name: plain values, ready for JSON."""

SAME_START_SEC = 3.0  # the system's clock may have been set since


def identity_of(pid: int | None = None) -> Identity:
    """Of a process of this machine; None: this one. One that has ended meanwhile is never found to be living."""
    number = os.getpid() if pid is None else pid
    try:
        started = round(psutil.Process(number).create_time(), 2)
    except psutil.NoSuchProcess:
        started = 0.0
    return {"pid": number, "started": started, "host": _host()}


def living(identity: Mapping[str, Any] | None) -> psutil.Process | None:
    """The process that this identity names; None where it has ended, runs elsewhere or is not named."""
    try:
        if not identity or identity["host"] != _host():
            return None
        process = psutil.Process(int(identity["pid"]))
        same = abs(process.create_time() - float(identity["started"])) < SAME_START_SEC
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return None


def _host() -> str:
    """A report is passed on: it does not tell the machine's name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]
