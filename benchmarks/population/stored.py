"""The population's results as they are kept in the repository: a file for each program, records as columns with few digits."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

__all__ = ["STORED", "columns_of", "read", "records_of", "store"]

STORED = Path(__file__).parent / "runs"
DIGITS = 4
LEFT_OUT = {"logits", "first_gradient_g", "first_gradient_d", "layers_g", "layers_d", "images_per_sec", "eta_sec"}
Records = list[dict[str, Any]]


def store(out: Path, into: Path = STORED) -> None:
    """All results in `out`; their pictures and run folders stay there."""
    programs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(out.glob("*/result.json")):
        result = json.loads(path.read_text())
        programs.setdefault(result["program"], []).append(result | {"records": columns_of(result["records"])})
    into.mkdir(exist_ok=True)
    for name, results in programs.items():
        content = lzma.compress(json.dumps(results, separators=(",", ":")).encode(), preset=9)
        (into / f"{name}.json.xz").write_bytes(content)
        print(f"{name}: {len(results)} runs, {len(content) / 1e3:.0f} kB")


def read(folder: Path = STORED) -> list[dict[str, Any]]:
    """All results, with records as the doctor reads them."""
    stored = [
        one for path in sorted(folder.glob("*.json.xz")) for one in json.loads(lzma.decompress(path.read_bytes()))
    ]
    return [one | {"records": records_of(one["records"])} for one in stored]


def columns_of(records: Records) -> dict[str, list[Any]]:
    """By key a value for each record, null where it has none."""
    keys = [key for key in dict.fromkeys(key for record in records for key in record) if key not in LEFT_OUT]
    return {key: [_short(record.get(key)) for record in records] for key in keys}


def records_of(columns: dict[str, list[Any]]) -> Records:
    length = len(next(iter(columns.values()), []))
    return [
        {key: values[place] for key, values in columns.items() if values[place] is not None} for place in range(length)
    ]


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return [_short(one) for one in value] if isinstance(value, list) else value
