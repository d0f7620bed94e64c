"""Records of real runs, as `benchmarks/clinic.py --store` wrote them: some that are well, and one with each fault."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

__all__ = ["ILL", "WELL"]

CASES: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".json.gz"): json.loads(gzip.decompress(path.read_bytes()))
    for path in sorted((Path(__file__).parent / "doctor" / "records").glob("*.json.gz"))
}
WELL = {name: case for name, case in CASES.items() if not case["codes"]}
ILL = {name: case for name, case in CASES.items() if case["codes"]}
