"""What every part of a service file is: a typed, closed, immutable model.

For: the modules of `services` that define parts. Guarantees: an unknown key or a value of another type is an error.
Does not: know any part.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of the service file: typed strictly, closed against unknown keys, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def printable(value: Any) -> Any:
    """`value`, unless it is a text that would not stay on one line. Raises ValueError."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError("holds a line break or another control character")
    return value
