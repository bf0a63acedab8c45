"""Limits of single values: what passes, and that every field outside its limits is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from bootstrap.base.values import AbsolutePath, Argv, HttpStatus, Port, Seconds, Text, Url, require


@dataclass(frozen=True, kw_only=True)
class Sample:
    text: Text = "x"
    argv: Argv = ("/usr/bin/true",)
    seconds: Seconds = 60.0
    port: Port = 8888
    status: HttpStatus = 204
    url: Url = "http://127.0.0.1/"
    path: AbsolutePath = "/var/lib/opscenter"
    unlimited: tuple[int, ...] = field(default=())


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 1), ("port", 65535), ("seconds", 0.001), ("seconds", 7200), ("text", "x" * 1000), ("status", 599)],
)
def test_limits_are_inclusive_where_they_say_so(name: str, value: Any) -> None:
    require(Sample(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("port", 0, "port: is 0; expected: A port from 1 to 65535"),
        ("port", 65536, "port: is 65536"),
        ("seconds", 0, "seconds: is 0"),
        ("seconds", 7200.5, "seconds: is 7200.5"),
        ("seconds", float("nan"), "seconds: is nan"),
        ("status", 99, "status: is 99"),
        ("text", "", "text: has length 0"),
        ("text", "x" * 1001, "text: has length 1001"),
        ("text", "a\nb", "text: holds a line break"),
        ("argv", (), "argv: has length 0; expected: A command as a list"),
        ("argv", ("a", "b\u2028c"), "argv: holds a line break"),
        ("url", "ftp://x", "url: not of the right form"),
        ("url", "http://a b", "url: not of the right form"),
        ("path", "/var/", "path: not of the right form"),
    ],
)
def test_what_is_outside_its_limits_is_named(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=r": ") as error:
        require(Sample(**{name: value}))
    assert str(error.value).startswith(problem)


def test_every_field_outside_its_limits_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"^port: is 0; .*; url: not of the right form; .*"):
        require(Sample(port=0, url="x"))
