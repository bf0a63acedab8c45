"""A way out that stays closed is a trouble, until it is open again."""

import pytest

from bootstrap.base.errors import AgentError, MessageNotSent, Reason
from bootstrap.base.patience import CLOSED_S, Patience
from tests.kit.clock import FakeClock


class Standing:
    """Troubles that stand."""

    def __init__(self) -> None:
        self.sentences: dict[Reason, str] = {}

    def begin(self, trouble: AgentError) -> None:
        self.sentences.setdefault(trouble.reason, str(trouble))

    def over(self, reason: Reason) -> None:
        self.sentences.pop(reason, None)


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
def patience(clock: FakeClock, standing: Standing) -> Patience:
    return Patience(clock, standing, MessageNotSent, "a channel has taken no message")


def test_it_is_a_trouble_after_five_minutes_and_over_with_the_first_success(
    clock: FakeClock, standing: Standing, patience: Patience
) -> None:
    patience.failed("refused")
    clock.advance(CLOSED_S - 1)
    patience.failed("refused")
    assert standing.sentences == {}
    clock.advance(1)
    patience.failed("refused")
    assert standing.sentences["message-not-sent"].startswith(
        "a channel has taken no message for 300 s: refused. Compare"
    )
    patience.worked()
    assert standing.sentences == {}


def test_a_success_between_begins_anew(clock: FakeClock, standing: Standing, patience: Patience) -> None:
    for _ in range(5):
        patience.failed("refused")
        clock.advance(CLOSED_S - 1)
        patience.worked()
    patience.failed("refused")
    assert standing.sentences == {}


def test_with_two_ways_it_is_over_when_both_are_open(clock: FakeClock, standing: Standing, patience: Patience) -> None:
    for way in ("topic", "webhook"):
        patience.failed("refused", way)
    clock.advance(CLOSED_S)
    for way in ("topic", "webhook"):
        patience.failed("refused", way)
    patience.worked("topic")
    assert list(standing.sentences) == ["message-not-sent"]
    patience.worked("webhook")
    assert standing.sentences == {}


def test_a_way_that_has_just_closed_does_not_keep_the_trouble_of_another(
    clock: FakeClock, standing: Standing, patience: Patience
) -> None:
    patience.failed("refused", "topic")
    clock.advance(CLOSED_S)
    patience.failed("refused", "topic")
    patience.failed("refused", "webhook")
    patience.worked("topic")
    assert standing.sentences == {}
