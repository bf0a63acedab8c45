"""What a value that people write may be: said once, for the service file, its schema and the boot document.

For: frozen dataclasses whose fields are annotated with these types. The service file derives its typed models and its
JSON schema from them (services.derived); on the instance `require` checks the same limits again.
Guarantees: pure; a value that passes has the form that AWS or the machine accepts; a string is printable, so that the
boot document stays one line. Whatever the codec reads is held to these limits, too. Does not: check types
(bootstrap.base.codec does) or know how values relate.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
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
# Auto Scaling ends a lifecycle hook after 48 hours at the latest (API reference, PutLifecycleHook).
BootSeconds = Annotated[
    float, Limits(says="Seconds, more than 0 and at most 172800", example=1200, above=0, most=172_800)
]
Seconds = Annotated[float, Limits(says="Seconds, more than 0 and at most 7200", example=60, above=0, most=7200)]
RoundCount = Annotated[int, Limits(says="A number from 1 to 100", example=3, least=1, most=100)]  # of health checks
Port = Annotated[int, Limits(says="A port from 1 to 65535", example=8888, least=1, most=65535)]
HttpStatus = Annotated[int, Limits(says="An HTTP status from 100 to 599", example=204, least=100, most=599)]
Ttl = Annotated[
    int, Limits(says="Seconds from 1 to 300; clients cache that long", example=10, least=1, most=300)
]  # of a DNS record
Generation = Annotated[int, Limits(says="A generation, of twelve digits at the most", least=0, most=999_999_999_999)]
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
Address = Annotated[str, Limits(says="An IPv4 address", example="10.0.100.10", pattern=rf"^({_BYTE}\.){{3}}{_BYTE}$")]
Network = Annotated[
    str,
    Limits(says="An IPv4 network", example="10.0.100.0/24", pattern=rf"^({_BYTE}\.){{3}}{_BYTE}/(3[0-2]|[12]?[0-9])$"),
]
Mode = Annotated[str, Limits(says="Octal permissions, quoted", example="0750", pattern=r"^0[0-7]{3}$")]
RelativePath = Annotated[
    str,
    Limits(
        says="A path below the data root, without leading slash",
        example="lib",
        pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$",
    ),
]
_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_PORT = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"  # 1 to 65535
Url = Annotated[
    str,
    Limits(
        says="An http or https URL with a port from 1 to 65535, if any",
        example="http://127.0.0.1/",
        pattern=rf"^https?://{_HOST}{_PORT}([/?#]\S*)?$",
        longest=1000,
    ),
]
HeaderLine = Annotated[
    str,
    Limits(
        says="A header of HTTP, as `Name: value`",
        example="X-Role: primary",
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+: ?\S[ -~]*$",
        longest=1000,
    ),
]
Wildcards = Annotated[str, Limits(says="Text in which * stands for anything", example='"status":*"UP"', longest=1000)]
OptionalHost = Annotated[
    str,
    Limits(
        says="The name of a host, or nothing", example="build.example.com", pattern=r"^[A-Za-z0-9.-]*$", longest=253
    ),
]
AbsolutePath = Annotated[
    str,
    Limits(
        says="An absolute path on the instance, without trailing slash",
        example="/var/lib/opscenter",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
    ),
]
OptionalPath = Annotated[
    str,
    Limits(says="An absolute path on the instance, or nothing", pattern=r"^((/[A-Za-z0-9._-]+)+)?$", longest=1000),
]


def require(value: Any) -> None:
    """Raises ValueError that names every field of the dataclass instance `value` that is outside its limits."""
    hints = _hints(value.__class__)
    problems = [
        f"{item.name}: {each}"
        for item in fields(value)
        for each in _problems(hints[item.name], getattr(value, item.name))
    ]
    if problems:
        raise ValueError("; ".join(problems))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _problems(kind: Any, value: Any) -> Iterator[str]:
    inner, *notes = typing.get_args(kind) if typing.get_origin(kind) is Annotated else (kind,)
    for limits in notes:
        found = problem(limits, value) if isinstance(limits, Limits) else ""
        if found:
            yield f"{found}; expected: {limits.says}"
    if typing.get_origin(inner) is tuple:
        for item in value:
            yield from _problems(typing.get_args(inner)[0], item)


def problem(limits: Limits, value: Any) -> str:
    """How `value` is outside `limits`, as a phrase; "" when it is within."""
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
    if not below and (limits.most is None or value <= limits.most):
        return ""
    return "is too large" if abs(value) >= 1e300 else f"is {value:g}"  # an integer may be more than any float
