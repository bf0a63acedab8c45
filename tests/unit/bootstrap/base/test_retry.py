"""One loop for every wait: bounded, named, ended by a stop, and silent about what it has said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import AgentError, CloudError, DeadlineExceeded, StopRequested
from bootstrap.base.retry import NotYet, Pauses, never, retry
from bootstrap.cloud.clients import PROPAGATION_CODES, PROPAGATION_S, passes_with_time
from tests.kit.clock import FakeClock

EVEN = Pauses(first_s=2)


class Attempts:
    """Answers in turn; the last answer for ever. A string is NotYet, an error is raised, anything else returned."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> object:
        answer = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        if isinstance(answer, str):
            raise NotYet(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_first_value_is_the_answer_without_a_pause(clock: FakeClock) -> None:
    assert retry(Attempts(None), clock.deadline(), EVEN) is None
    assert clock.waits == []


def test_it_is_repeated_until_there_is_a_value_and_each_reason_is_said_once(clock: FakeClock) -> None:
    said: list[str] = []
    attempts = Attempts("attaching", "attaching", CloudError("slow", code="Throttling", retryable=True), "attaching", 7)
    assert retry(attempts, clock.deadline(), EVEN, passes=passes_with_time, say=said.append) == 7
    assert said == ["attaching", "slow", "attaching"]
    assert clock.waits == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("pauses", "lengths"),
    [
        (Pauses(first_s=2), [2, 2, 2, 2, 2]),
        (Pauses(first_s=0.5, longest_s=5), [0.5, 1, 2, 4, 5]),
        (Pauses(first_s=3, longest_s=1), [3, 3, 3, 3, 3]),
    ],
)
def test_pauses_are_even_or_double_up_to_a_limit(pauses: Pauses, lengths: list[float]) -> None:
    assert list(islice(pauses, 5)) == lengths


def test_spread_pauses_differ_and_stay_within_their_share() -> None:
    lengths = list(islice(Pauses(first_s=10, spread=0.3), 200))
    assert len(set(lengths)) > 100
    assert min(lengths) >= 7
    assert max(lengths) <= 13


def test_the_deadline_bounds_all_attempts_and_says_what_was_seen_last(clock: FakeClock) -> None:
    attempts = Attempts("dark", "still dark")
    with pytest.raises(DeadlineExceeded, match="test: not done after 5 s; last seen: still dark") as error:
        retry(attempts, clock.deadline(5), EVEN)
    assert error.value.seen == "still dark"
    assert clock.waits == [2, 2, 1]


def test_past_the_deadline_nothing_is_attempted(clock: FakeClock) -> None:
    deadline, attempts = clock.deadline(5), Attempts(7)
    clock.advance(5)
    with pytest.raises(DeadlineExceeded):
        retry(attempts, deadline, EVEN)
    assert attempts.count == 0


def test_a_stop_ends_the_pause_and_what_would_come_after_it(clock: FakeClock) -> None:
    stop, attempts = StopRequest(), Attempts("dark")
    clock.at(3, lambda: stop.request("SIGTERM received"))
    with pytest.raises(StopRequested, match="SIGTERM received"):
        retry(attempts, clock.deadline(60, stop), EVEN)
    assert attempts.count == 2
    with pytest.raises(StopRequested):
        retry(attempts, clock.deadline(60, stop), EVEN)
    assert attempts.count == 2


@pytest.mark.parametrize("passes", [never, passes_with_time])
def test_an_error_that_does_not_pass_is_raised_at_once(
    clock: FakeClock, passes: Callable[[AgentError, float], bool]
) -> None:
    attempts = Attempts(CloudError("no", code="ValidationError", retryable=False))
    with pytest.raises(CloudError, match="no"):
        retry(attempts, clock.deadline(), EVEN, passes=passes)
    assert (attempts.count, clock.waits) == (1, [])


def test_a_defect_is_never_repeated(clock: FakeClock) -> None:
    with pytest.raises(KeyError):
        retry(Attempts(KeyError("x")), clock.deadline(), EVEN, passes=lambda *_: True)


@pytest.mark.parametrize("code", sorted(PROPAGATION_CODES))
def test_a_role_that_has_not_spread_is_given_two_minutes(clock: FakeClock, code: str) -> None:
    refusal = CloudError("refused", code=code, retryable=False)
    assert retry(Attempts(*[refusal] * 50, 7), clock.deadline(600), EVEN, passes=passes_with_time) == 7
    began_s = clock.now_s
    with pytest.raises(CloudError, match="refused"):
        retry(Attempts(refusal), clock.deadline(600), EVEN, passes=passes_with_time)
    assert clock.now_s - began_s == PROPAGATION_S == 120


def test_errors_of_other_kinds_do_not_pass() -> None:
    assert not passes_with_time(AgentError("x"), 0)
