"""Says in a person's words what is wrong with a recipe: key, value, what is allowed, and what was probably meant."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["did_you_mean", "explain", "known_keys"]


def explain(error: ValidationError, schema: type[BaseModel]) -> str:
    """One line for each fault in `error`."""
    return "\n".join(dict.fromkeys(_explain_one(dict(fault), schema) for fault in error.errors()))


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`"; did you mean 'hinge'?"`, or nothing where no allowed word is close."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def known_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key that holds a value."""
    for name, field in schema.model_fields.items():
        if typing.get_origin(field.annotation) is not tuple and (part := _part(field.annotation)):
            yield from known_keys(part, f"{prefix}{name}.")
        else:
            yield prefix + name


def _explain_one(fault: dict[str, Any], schema: type[BaseModel]) -> str:
    key, value = ".".join(str(step) for step in fault["loc"]), fault["input"]
    if fault["type"] == "extra_forbidden":
        return f"{key}: there is no such key{_nearest_key(key, schema)}"
    if fault["type"] == "missing":
        return f"{key}: is missing"
    if fault["type"] == "literal_error":
        allowed = fault["ctx"]["expected"].replace("'", "")
        words = [word.strip() for word in allowed.replace(" or ", ",").split(",")]
        return f"{key}: {value!r} is not allowed; allowed: {', '.join(words)}{did_you_mean(str(value), words)}"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(value, dict):  # a rule that spans several keys names them itself
        return f"{key}: {message}" if key else message
    meaning = "" if fault["type"] == "value_error" else _meaning(key, schema)
    return f"{key}: {value!r} {message}{meaning}"


def _nearest_key(key: str, schema: type[BaseModel]) -> str:
    keys = list(known_keys(schema))
    same_name = [known for known in keys if known.rsplit(".")[-1] == key.rsplit(".")[-1]]
    if same_name:
        return f"; did you mean {same_name[0]!r}?"
    return did_you_mean(key, keys) or f"; keys here: {', '.join(_siblings(key, keys))}"


def _siblings(key: str, keys: list[str]) -> list[str]:
    parent = key.rpartition(".")[0]
    inside = [known for known in keys if known.rpartition(".")[0] == parent and parent]
    return inside or sorted({known.partition(".")[0] for known in keys})


def _meaning(key: str, schema: type[BaseModel]) -> str:
    """The field's own description, which says its unit."""
    part: type[BaseModel] | None = schema
    *parents, last = key.split(".")
    for parent in parents:
        part = _part(part.model_fields[parent].annotation) if part and parent in part.model_fields else None
    if part is None or last not in part.model_fields or not part.model_fields[last].description:
        return ""
    return f" ({part.model_fields[last].description})"


def _part(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *typing.get_args(annotation))
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
