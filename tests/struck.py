"""`ganglion` in a fresh process that kills itself at an exact place: at its k-th file operation inside the run folder, which an
audit hook sees.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["struck_command"]

CHILD = """
import os, signal, sys
folder, at, signal_name = sys.argv[1:4]
seen = 0
def watch(event, details):
    global seen, at
    if event in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir") and str(details[0]).startswith(folder):
        seen += 1
        if str(seen) == at if at.isdigit() else at in str(details[0])[len(folder):]:
            at = "0"
            os.kill(os.getpid(), 9) if signal_name == "KILL" else signal.raise_signal(getattr(signal, signal_name))
sys.addaudithook(watch)
sys.argv[1:] = sys.argv[4:]
from ganglion.cli.app import main
main()
"""


def struck_command(
    folder: Path, cache: Path, at: int | str, strike: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """The command line `words`, struck by a signal (KILL, SIGINT, ...) at its `at`-th file operation in `folder` (0: never), or
    at the first one on a path there that holds the text `at`.
    """
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(at), strike, *words],
        env={**os.environ, "GANGLION_CACHE": str(cache)}, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
