"""The copy of the log: what one call holds, what a silent CloudWatch Logs changes (nothing else), and what is lost."""

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from bootstrap.base.errors import AgentError, CloudError, Reason
from bootstrap.base.patience import CLOSED_S
from bootstrap.cloud.log_stream import LARGEST_CALL, OVERHEAD, UNACCEPTABLE
from bootstrap.run.log_copy import FLUSH_S, OLDEST_S, LogCopy
from tests.kit.clock import FakeClock

MOST_EVENTS = 10_000  # in a call of PutLogEvents
AWAY = CloudError("put log events: no answer", code="ReadTimeoutError", retryable=True)
DENIED = CloudError("put log events: refused", code="AccessDeniedException", retryable=False, reason="access-denied")
MALFORMED = CloudError("put log events: no good", code=UNACCEPTABLE, retryable=False)
COPY = logging.getLogger("bootstrap.run.log_copy")


class Stream:
    """CloudWatch Logs, which takes what AWS takes; `refuses` until it is None, `rejects` so many of each call."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.calls: list[list[tuple[int, str]]] = []
        self.refuses: Exception | None = None
        self.rejects = 0
        self.tried = 0
        self.takes_s = 0.0

    def put(self, events: Sequence[tuple[int, str]]) -> int:
        times = [at_ms for at_ms, _ in events]
        assert 1 <= len(events) <= MOST_EVENTS
        assert sum(len(text.encode()) + OVERHEAD for _, text in events) <= LARGEST_CALL
        assert times == sorted(times), "in the order of their times"
        assert times[-1] - times[0] <= 24 * 3600 * 1000
        self.tried += 1
        self.clock.advance(self.takes_s)
        if self.refuses is not None:
            raise self.refuses
        self.calls.append(list(events))
        return min(self.rejects, len(events))

    def said(self) -> list[str]:
        return [json.loads(text)["MESSAGE"] for call in self.calls for _, text in call]


class Copied:
    """A log and its copy, without the thread."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.stream = clock, Stream(clock)
        self.standing: dict[Reason, str] = {}
        self.facts: dict[str, str] = {}
        self.copy = LogCopy(clock, lambda: self.facts)
        self.copy.send_to(self.stream, self)
        self.logger = logging.Logger("bootstrap.run.agent", logging.INFO)
        self.logger.addHandler(self.copy)
        COPY.addHandler(self.copy)

    def begin(self, trouble: AgentError) -> None:
        self.standing.setdefault(trouble.reason, str(trouble))

    def over(self, reason: Reason) -> None:
        self.standing.pop(reason, None)

    def run_for(self, seconds: float) -> None:
        """As the thread does, without one."""
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.clock.advance(self.copy.attempt() or 1.0)


@pytest.fixture
def copied(clock: FakeClock) -> Iterator[Copied]:
    made = Copied(clock)
    yield made
    COPY.removeHandler(made.copy)


def test_a_line_is_the_json_of_what_the_journal_gets(copied: Copied) -> None:
    copied.logger.info("before anything is known")
    copied.facts = {"SOLOIST_INSTANCE": "i-1", "SOLOIST_GENERATION": "5"}
    copied.logger.warning("restart Zoë's service (%d of 3)", 1)
    copied.copy.attempt()
    ((_, first), (_, second)) = copied.stream.calls[0]
    assert json.loads(first)["MESSAGE"] == "before anything is known"
    assert json.loads(second) == {
        "MESSAGE": "restart Zoë's service (1 of 3)",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "soloist-agent",
        "LOGGER": "bootstrap.run.agent",
        "SOLOIST_INSTANCE": "i-1",
        "SOLOIST_GENERATION": "5",
    }


def test_lines_of_before_the_boot_document_go_first_and_every_line_once(copied: Copied) -> None:
    late = LogCopy(copied.clock, dict)
    logger = logging.Logger("early")
    logger.addHandler(late)
    logger.warning("metadata")
    assert late.attempt() == 0
    late.send_to(copied.stream, copied)
    logger.warning("site")
    late.attempt()
    assert copied.stream.said() == ["metadata", "site"]
    late.attempt()
    logger.warning("ready")
    late.attempt()
    assert copied.stream.said() == ["metadata", "site", "ready"]
    assert [len(call) for call in copied.stream.calls] == [2, 1]


def test_where_it_is_not_asked_for_nothing_is_kept_and_no_thread_begins(clock: FakeClock) -> None:
    copy = LogCopy(clock, dict)
    logger = logging.Logger("off")
    logger.addHandler(copy)
    logger.warning("early")
    copy.send_to(None, Copied(clock))
    logger.warning("later")
    copy.start()
    copy.flush()
    assert (len(copy._lines), clock.waits) == (0, [])


def test_a_quiet_hour_costs_no_call(copied: Copied) -> None:
    copied.logger.info("ready")
    copied.run_for(3600)
    assert copied.stream.tried == 1


def test_times_are_those_of_the_lines_in_order_and_never_ahead_of_now(copied: Copied) -> None:
    """The wall clock of the tests goes an hour forward or back at each look."""
    for _ in range(5):
        copied.logger.info("one")
        copied.clock.advance(1.5)
    copied.clock.utc_text = lambda: "2026-01-01T12:00:00.000Z"  # type: ignore[method-assign]
    copied.copy.attempt()
    now_ms = round(datetime.fromisoformat("2026-01-01T12:00:00.000Z").timestamp() * 1000)
    assert [now_ms - at_ms for at_ms, _ in copied.stream.calls[0]] == [7500, 6000, 4500, 3000, 1500]


def test_a_clock_that_is_set_back_between_lines_changes_no_order(copied: Copied) -> None:
    for number in range(50):
        copied.logger.info("line %d", number)
        copied.clock.advance(1)
        if number % 7 == 0:
            copied.copy.attempt()  # Stream asserts the order
    copied.copy.attempt()
    assert copied.stream.said() == [f"line {number}" for number in range(50)]


def test_more_events_than_a_call_takes_do_not_fit_into_its_bytes(clock: FakeClock) -> None:
    copy, stream = LogCopy(clock, dict), Stream(clock)
    copy.send_to(stream, Copied(clock))
    for _ in range(MOST_EVENTS + 1):
        copy.handle(logging.LogRecord("", logging.INFO, "", 0, "", None, None))  # the smallest line there is
    copy.attempt()
    assert 8_000 < len(stream.calls[0]) < MOST_EVENTS


@pytest.mark.parametrize(("length", "most"), [(60_000, LARGEST_CALL // 60_000), (10_000, LARGEST_CALL // 10_000)])
def test_what_waits_fits_into_one_call_and_the_oldest_goes_and_is_counted(
    copied: Copied, length: int, most: int
) -> None:
    copied.stream.refuses = AWAY
    for number in range(most + 100):
        copied.logger.info("%06d%s", number, "x" * length)
    copied.copy.attempt()
    copied.stream.refuses = None
    copied.copy.attempt()
    said = copied.stream.said()
    assert most * 0.9 < len(said) <= most + 1
    assert int(said[0][:6]) > 0, "the oldest are gone"
    assert int(said[-2][:6]) == most + 99, "the newest are kept: they say how it ended"
    copied.copy.attempt()
    lost = most + 101 - len(said)  # one more line says why it failed
    assert copied.stream.said()[-1] == f"log copy: {lost} lines of this log were dropped, and are in the journal only"


def test_a_line_of_the_largest_size_is_cut_as_in_the_journal(copied: Copied) -> None:
    copied.logger.error("\x00" * 3_000_000)  # each is six characters in JSON
    copied.copy.attempt()
    ((_, text),) = copied.stream.calls[0]
    assert 65_536 <= len(text) < 1_000_000


def test_lines_that_are_too_old_are_not_put(copied: Copied) -> None:
    copied.stream.refuses = AWAY
    copied.logger.info("yesterday")
    copied.run_for(OLDEST_S - 3600)
    copied.logger.info("today")
    copied.run_for(3700)
    copied.stream.refuses = None
    copied.run_for(120)
    assert "yesterday" not in copied.stream.said()
    assert "today" in copied.stream.said()
    assert "lines of this log were dropped" in copied.stream.said()[-1]


@pytest.mark.parametrize("failure", [AWAY, DENIED, KeyError("a defect")])
def test_five_minutes_without_a_line_taken_are_a_trouble_that_ends_with_the_next(
    copied: Copied, failure: Exception
) -> None:
    copied.stream.refuses = failure
    copied.logger.info("ready")
    copied.run_for(CLOSED_S - 61)
    assert copied.standing == {}
    copied.run_for(122)
    assert list(copied.standing) == ["log-not-sent"]
    assert "CloudWatch Logs has taken no line of this instance for 3" in copied.standing["log-not-sent"]
    copied.stream.refuses = None
    copied.run_for(120)
    assert copied.standing == {}
    assert copied.stream.said()[0] == "ready"


def test_a_silent_cloudwatch_is_tried_once_a_minute_and_said_once(
    copied: Copied, caplog: pytest.LogCaptureFixture
) -> None:
    copied.stream.refuses = AWAY
    copied.logger.info("ready")
    copied.run_for(3600)
    assert 60 <= copied.stream.tried <= 66
    assert caplog.messages.count(f"log copy: {AWAY}") == 1


def test_a_call_that_will_never_be_taken_stands_in_nobodys_way(copied: Copied) -> None:
    copied.stream.refuses = MALFORMED
    copied.logger.info("bad")
    copied.run_for(600)
    assert copied.stream.tried < 5, "saying so feeds nothing"
    copied.stream.refuses = None
    copied.logger.info("good")
    copied.run_for(5)
    assert copied.stream.said()[0] == "good"
    assert "lines of this log were dropped" in copied.stream.said()[-1]
    assert copied.standing == {}


def test_rejected_lines_are_counted_once_and_feed_nothing(copied: Copied) -> None:
    copied.stream.rejects = 10_000
    for _ in range(3):
        copied.logger.info("of a wrong clock")
    copied.run_for(600)
    assert copied.stream.tried < 5
    copied.stream.rejects = 0
    copied.logger.info("set")
    copied.run_for(5)
    assert copied.stream.said()[-1] == "log copy: 4 lines of this log were dropped, and are in the journal only"


def test_a_line_that_comes_during_a_call_goes_with_the_next(copied: Copied) -> None:
    copied.stream.takes_s = 5
    copied.clock.at(2, lambda: copied.logger.info("meanwhile"))
    copied.logger.info("first")
    copied.copy.attempt()
    assert not copied.copy._nothing_waits.is_set()
    copied.copy.attempt()
    assert [len(call) for call in copied.stream.calls] == [1, 1]
    assert copied.stream.said() == ["first", "meanwhile"]
    assert copied.copy._nothing_waits.is_set()


def test_an_end_waits_for_the_last_lines_and_not_for_long(copied: Copied, caplog: pytest.LogCaptureFixture) -> None:
    copied.copy.flush()
    assert copied.clock.waits == []
    copied.logger.info("failed: no server")
    copied.copy.flush()
    assert copied.clock.waits == [FLUSH_S]
    assert copied.copy._hurry.is_set()
    assert "CloudWatch Logs has not taken the last 1 lines of the log" in caplog.messages


def test_a_line_that_cannot_be_made_fails_nobody(
    copied: Copied, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise RuntimeError("no facts")

    copied.copy._facts = broken
    copied.logger.info("ready")
    assert "no facts" in capsys.readouterr().err
