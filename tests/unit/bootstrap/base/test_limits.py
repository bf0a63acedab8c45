"""Limits of single values, and timings that fit together: whatever is outside is named, all at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bootstrap.base.timing import LeaseTiming, findings
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


# ------------------------------------------------------------------ timings of the lease
DEFAULT = LeaseTiming()


def test_the_defaults_fit_together() -> None:
    assert findings(DEFAULT) == []
    assert (DEFAULT.ladder_s, DEFAULT.longest_wait_s) == (60.0, 451.0)


def test_each_inequality_is_named_with_its_remedy() -> None:
    wrong = replace(DEFAULT, retry_period_s=15.0, kill_timeout_s=20.0, force_deadline_s=60.0, takeover_deadline_s=120.0)
    assert [str(finding) for finding in findings(wrong)] == [
        "renew_deadline_s (is 45): shorter than 3 retry_period_s and a request_timeout_s, 55 s, so one slow answer of "
        "the file system would stop a healthy service. Raise it to at least 55, or shorten retry_period_s or "
        "request_timeout_s.",
        "lease_duration_s (is 90): shorter than renew_deadline_s, stop_timeout_s, kill_timeout_s, watchdog_timeout_s "
        "and clock_margin_s together, 95 s, so a newcomer could start before this holder has stopped. Raise it to at "
        "least 95, or shorten the parts.",
        "force_deadline_s (is 60): not after terminate_deadline_s, 60 s, so Force would have no time. Raise it above "
        "60, or lower terminate_deadline_s.",
        "takeover_deadline_s (is 120): shorter than the longer of force_deadline_s and lease_duration_s, with "
        "silence_s and request_timeout_s, 130 s, so every newcomer would end itself just before it may take "
        "the lease. Raise "
        "it to at least 130, or shorten the parts.",
    ]


def test_exactly_enough_is_enough() -> None:
    assert findings(replace(DEFAULT, renew_deadline_s=25.0, lease_duration_s=60.0)) == []
    assert findings(replace(DEFAULT, lease_duration_s=79.9))[0].name == "lease_duration_s"


def test_a_text_without_a_number_is_no_time() -> None:
    found = findings(replace(DEFAULT, settle_s=0.0, silence_s=float("nan")))
    assert [finding.name for finding in found] == ["settle_s", "silence_s"]
