"""What the lab models of AWS's operations: a table of parameters and values; whatever is not in it is named.

For: the tables `modelled.py` beside each service's code; `calls.admission` refuses what they do not have. Guarantees: a
parameter that is not in the table is found at any depth, also in a list. Does not: read requests, or know a service.

A table is text. `Create Update: Name Kind=a|b Policy(Low High) Tags; Delete: Name` has three operations. The first two
have four parameters: `Kind` with two possible values, `Policy` with two parts, the others with whatever is in them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"[\w-]+(?:=\S+?(?=[\s()]|$))?|[()]")


@dataclass
class Shape:
    """What is modelled of one parameter: its parts, where they are listed, and its values, where these are."""

    parts: dict[str, "Shape"] = field(default_factory=dict)
    values: tuple[str, ...] = ()


Table = dict[str, Shape]


def table(text: str) -> Table:
    """The operations of a table."""
    lines = (line.partition(":") for line in text.split(";"))
    return {name: _shape(_TOKEN.findall(rest)) for names, _, rest in lines for name in names.split()}


def _shape(tokens: list[str]) -> Shape:
    shapes = [Shape()]
    last = shapes[0]
    for token in tokens:
        if token == "(":
            shapes.append(last)
        elif token == ")":
            shapes.pop()
        else:
            name, _, values = token.partition("=")
            last = shapes[-1].parts[name] = Shape(values=tuple(values.split("|")) if values else ())
    return shapes[0]


def unmodelled(shape: Shape, given: Any, path: str = "") -> Iterator[str]:
    """What of a parameter is not modelled: its path such as `Policy.Low`, with the value where only that is not."""
    if given is None or given in ([], {}):
        return
    if isinstance(given, list):
        for one in given:
            yield from unmodelled(shape, one, path)
    elif shape.values and str(given) not in shape.values:
        yield f"{path}={given}"
    elif (shape.parts or not path) and isinstance(given, Mapping):
        for name, inner in given.items():
            here = f"{path}.{name}".lstrip(".")
            if name in shape.parts:
                yield from unmodelled(shape.parts[name], inner, here)
            elif inner is not None and inner not in ([], {}):
                yield here
