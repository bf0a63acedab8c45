"""Impossible timings are named with the remedy, all at once."""

from __future__ import annotations

from dataclasses import replace

from bootstrap.base.timing import LeaseTiming, findings

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


def test_nothing_is_no_time() -> None:
    found = findings(replace(DEFAULT, settle_s=0.0, silence_s=float("nan")))
    assert [finding.name for finding in found] == ["settle_s", "silence_s"]
