"""What a value that people write may be: said once, for the service file, its schema and the boot document.

For: frozen dataclasses whose fields are annotated with these types. The service file derives its typed models and its
JSON schema from them (services.derived); on the instance `require` checks the same limits again.
Guarantees: pure; a value that passes has the form that AWS or the machine accepts; a string is printable, so that the
boot document stays one line. Does not: check types (bootstrap.base.codec does) or know how values relate.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one value may be. `says` is the description that editors and findings quote, `example` a value that passes.

    `above` is exclusive; `least`, `most`, `shortest` and `longest` are inclusive. `pattern` must match from ^ to $.
    """

    says: str
    example: Any = None
    above: float | None = None
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    shortest: int | None = None
    longest: int | None = None


Text = Annotated[str, Limits(says="Text on one line", shortest=1, longest=1000)]
Argv = Annotated[
    tuple[Text, ...], Limits(says="A command as a list, program first", example=["/usr/bin/true"], shortest=1)
]
Seconds = Annotated[float, Limits(says="Seconds, more than 0 and at most 7200", example=60, above=0, most=7200)]
Port = Annotated[int, Limits(says="A port from 1 to 65535", example=8888, least=1, most=65535)]
HttpStatus = Annotated[int, Limits(says="An HTTP status from 100 to 599", example=204, least=100, most=599)]
Url = Annotated[str, Limits(says="An http or https URL", example="http://127.0.0.1/", pattern=r"^https?://\S+$")]
AbsolutePath = Annotated[
    str,
    Limits(
        says="An absolute path on the instance, without trailing slash",
        example="/var/lib/opscenter",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
    ),
]


def require(value: Any) -> None:
    """Raises ValueError that names every field of the dataclass instance `value` that is outside its limits."""
    hints = typing.get_type_hints(type(value), include_extras=True)
    problems = [
        f"{item.name}: {problem}"
        for item in fields(value)
        for problem in _problems(hints[item.name], getattr(value, item.name))
    ]
    if problems:
        raise ValueError("; ".join(problems))


def _problems(kind: Any, value: Any) -> Iterator[str]:
    inner, *notes = typing.get_args(kind) if typing.get_origin(kind) is Annotated else (kind,)
    for limits in notes:
        problem = _problem(limits, value) if isinstance(limits, Limits) else ""
        if problem:
            yield f"{problem}; expected: {limits.says}"
    if typing.get_origin(inner) is tuple:
        for item in value:
            yield from _problems(typing.get_args(inner)[0], item)


def _problem(limits: Limits, value: Any) -> str:
    if isinstance(value, str) and not value.isprintable():
        return "holds a line break or another control character"
    if isinstance(value, str | tuple):
        length = len(value)
        if length < (limits.shortest or 0) or length > (limits.longest or length):
            return f"has length {length}"
        if limits.pattern and not re.fullmatch(limits.pattern, str(value)):
            return "not of the right form"
        return ""
    below = (limits.above is not None and not value > limits.above) or (
        limits.least is not None and not value >= limits.least
    )
    return f"is {value:g}" if below or (limits.most is not None and not value <= limits.most) else ""
