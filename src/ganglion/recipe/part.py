"""What every part of a recipe is."""

from __future__ import annotations

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

__all__ = ["Part", "choice"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def choice(key: str, default: str) -> tuple[FieldInfo, BeforeValidator]:
    """The word under `key` says which part stands here; left out, it is `default`."""

    def named(value: object) -> object:
        return {key: default, **value} if isinstance(value, dict) else value

    return Field(discriminator=key), BeforeValidator(named)
