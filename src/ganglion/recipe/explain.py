"""Error messages for invalid recipes: key, value, what is allowed, and the likely intended key or value."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["did_you_mean", "explain", "keys_of_choice", "known_keys", "parts_at"]


def explain(error: ValidationError, schema: type[BaseModel]) -> str:
    """One line for each error in `error`."""
    return "\n".join(dict.fromkeys(_explain_one(dict(fault), schema) for fault in error.errors()))


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`"; did you mean 'hinge'?"`, or an empty text where no allowed word is close."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def known_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key that holds a value."""
    for name, field in schema.model_fields.items():
        parts = [] if typing.get_origin(field.annotation) is tuple else _parts(field.annotation)
        if parts:
            yield from dict.fromkeys(key for part in parts for key in known_keys(part, f"{prefix}{name}."))
        else:
            yield prefix + name


def keys_of_choice(schema: type[BaseModel], key: str, choice: str) -> set[str]:
    """The fields of the part that `choice` selects at a dotted key; empty where there is no such part."""
    return {name for part in parts_at(schema, key) if choice in _tags(part) for name in part.model_fields}


def parts_at(schema: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """The parts that a dotted key allows."""
    parts = [schema]
    for step in key.split("."):
        parts = [
            inner for part in parts if step in part.model_fields for inner in _parts(part.model_fields[step].annotation)
        ]
    return parts


def _tags(part: type[BaseModel]) -> set[Any]:
    """Values that select a part: the default of its field with a single allowed value."""
    fields = part.model_fields.values()
    return {field.default for field in fields if len(typing.get_args(field.annotation)) == 1}


def _explain_one(fault: dict[str, Any], schema: type[BaseModel]) -> str:
    key, value = _key(fault["loc"], schema), fault["input"]
    if fault["type"] == "extra_forbidden":
        return f"{key}: there is no such key{_nearest_key(key, schema)}"
    if fault["type"] == "union_tag_invalid":
        return _explain_choice(key, fault)
    if fault["type"] == "missing":
        return f"{key}: is missing"
    if fault["type"] == "literal_error":
        allowed = fault["ctx"]["expected"].replace("'", "")
        words = [word.strip() for word in allowed.replace(" or ", ",").split(",")]
        return f"{key}: {value!r} is not allowed; allowed: {', '.join(words)}{did_you_mean(str(value), words)}"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(value, dict):  # a rule over several keys names them in its message
        return f"{key}: {message}" if key else message
    meaning = "" if fault["type"] == "value_error" else _meaning(key, schema)
    return f"{key}: {value!r} {message}{meaning}"


def _key(steps: tuple[str | int, ...], schema: type[BaseModel]) -> str:
    """The dotted key, without the tag that pydantic inserts for a chosen part (generator, dcgan, width)."""
    key: list[str] = []
    for step in map(str, steps):
        parts = parts_at(schema, ".".join(key)) if key else []
        if not (len(parts) > 1 and any(step in _tags(part) for part in parts)):
            key.append(step)
    return ".".join(key)


def _explain_choice(key: str, fault: dict[str, Any]) -> str:
    """Message for an unknown value of a key that selects a part."""
    word = fault["ctx"]["discriminator"].replace("'", "")
    words = [word.strip(" '") for word in fault["ctx"]["expected_tags"].split(",")]
    tag = fault["ctx"]["tag"]
    return f"{key}.{word}: {tag!r} is not allowed; allowed: {', '.join(words)}{did_you_mean(tag, words)}"


def _nearest_key(key: str, schema: type[BaseModel]) -> str:
    keys = list(known_keys(schema))
    if key in keys:
        return f"; it belongs to {_owners(key, schema)}"
    same_name = [known for known in keys if known.rsplit(".")[-1] == key.rsplit(".")[-1]]
    if same_name:
        return f"; did you mean {same_name[0]!r}?"
    return did_you_mean(key, keys) or f"; keys here: {', '.join(_siblings(key, keys))}"


def _owners(key: str, schema: type[BaseModel]) -> str:
    """The choices that have such a key."""
    parent, _, last = key.rpartition(".")
    parts = [part for part in parts_at(schema, parent) if last in part.model_fields]
    tag = next(name for name, field in parts[0].model_fields.items() if field.default in _tags(parts[0]))
    return f"{parent}.{tag} {' and '.join(str(part.model_fields[tag].default) for part in parts)}"


def _siblings(key: str, keys: list[str]) -> list[str]:
    parent = key.rpartition(".")[0]
    inside = [known for known in keys if known.rpartition(".")[0] == parent and parent]
    return inside or sorted({known.partition(".")[0] for known in keys})


def _meaning(key: str, schema: type[BaseModel]) -> str:
    """The field's description, which includes its unit."""
    parent, _, last = key.rpartition(".")
    parts = parts_at(schema, parent) if parent else [schema]
    descriptions = [part.model_fields[last].description for part in parts if last in part.model_fields]
    return f" ({descriptions[0]})" if descriptions and descriptions[0] else ""


def _parts(annotation: Any) -> list[type[BaseModel]]:
    """The parts in an annotation: one, or one per member of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in typing.get_args(annotation) for part in _parts(inner)]
