"""The beats of one run: what they cost, what a silent CloudWatch changes (nothing else), and what is never lost."""

from collections.abc import Sequence

import pytest

from bootstrap.base.errors import AgentError, CloudError, Reason
from bootstrap.base.metric import Metric
from bootstrap.base.patience import CLOSED_S
from bootstrap.run.heartbeat import FLUSH_S, Heartbeat
from tests.kit.clock import FakeClock

EVERY_S = 10.0
AWAY = CloudError("send metrics: no answer", code="ReadTimeoutError", retryable=True)
ALIVE = Metric(name="Heartbeat", value=1, dimensions=())
TAKEOVER = Metric(name="Takeover", value=1, dimensions=())


class Watched:
    """Beats towards a CloudWatch that answers after `answers_after_s`, or `refuses`."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.calls: list[list[str]] = []
        self.under_way = 0
        self.answers_after_s = 0.0
        self.refuses: Exception | None = None
        self.standing: dict[Reason, str] = {}
        self.beats = Heartbeat(self._send, lambda: [ALIVE], EVERY_S, clock, self)

    def _send(self, metrics: Sequence[Metric]) -> None:
        self.calls.append([metric.name for metric in metrics])
        self.clock.advance(self.answers_after_s)
        if self.refuses is not None:
            raise self.refuses

    def begin(self, trouble: AgentError) -> None:
        self.standing.setdefault(trouble.reason, str(trouble))

    def over(self, reason: Reason) -> None:
        self.standing.pop(reason, None)

    def beat_for(self, seconds: float) -> None:
        """As the thread does, without one."""
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.clock.advance(self.beats.beat())


@pytest.fixture
def watched(clock: FakeClock) -> Watched:
    return Watched(clock)


def test_an_hour_costs_360_calls(watched: Watched) -> None:
    watched.beat_for(3600)
    assert watched.calls == [["Heartbeat"]] * 360


def test_a_beat_that_comes_due_while_one_is_under_way_is_dropped_and_the_rhythm_stays(watched: Watched) -> None:
    watched.answers_after_s = 12
    assert watched.beats.beat() == 8
    watched.beat_for(200)
    assert len(watched.calls) == 1 + 10


def test_what_happened_once_goes_with_each_beat_until_it_is_taken_and_then_never_again(watched: Watched) -> None:
    watched.refuses = AWAY
    watched.beats.once([TAKEOVER])
    watched.beat_for(20)
    watched.refuses = None
    watched.beat_for(20)
    assert watched.calls == [["Heartbeat", "Takeover"]] * 3 + [["Heartbeat"]]


def test_what_happens_during_a_call_is_kept_for_the_next(watched: Watched) -> None:
    watched.answers_after_s = 5
    watched.clock.at(2, lambda: watched.beats.once([TAKEOVER]))
    watched.beats.beat()
    assert not watched.beats._nothing_waits.is_set()
    watched.beats.beat()
    assert watched.calls == [["Heartbeat"], ["Heartbeat", "Takeover"]]
    assert watched.beats._nothing_waits.is_set()


def test_what_happens_once_wakes_the_thread(watched: Watched) -> None:
    assert not watched.beats._wake.is_set()
    watched.beats.once([TAKEOVER])
    assert watched.beats._wake.is_set()


def test_an_end_waits_for_what_happened_once_and_not_for_long(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.beats.flush()
    assert watched.clock.waits == []
    watched.beats.once([TAKEOVER])
    watched.beats.flush()
    assert watched.clock.waits == [FLUSH_S]
    assert caplog.messages == ["CloudWatch has not taken Takeover"]


@pytest.mark.parametrize("failure", [AWAY, KeyError("a defect")])
def test_five_minutes_without_a_beat_are_a_trouble_that_ends_with_the_next(
    watched: Watched, failure: Exception
) -> None:
    watched.beat_for(60)
    watched.refuses = failure
    watched.beat_for(CLOSED_S)
    assert watched.standing == {}
    watched.beat_for(EVERY_S)
    assert list(watched.standing) == ["heartbeat-not-sent"]
    assert "has taken no metric of this instance for 300 s" in watched.standing["heartbeat-not-sent"]
    watched.refuses = None
    watched.beat_for(EVERY_S)
    assert watched.standing == {}


def test_a_problem_is_logged_when_it_changes_and_not_at_every_beat(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.refuses = AWAY
    watched.beat_for(100)
    assert len(caplog.messages) == 1
