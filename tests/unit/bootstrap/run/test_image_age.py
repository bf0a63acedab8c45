"""People hear of the deprecation of the image that runs, once, and in time; EC2 is asked once a day."""

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import AgentError, CloudError, Reason
from bootstrap.run.image_age import DAY_S, ImageAge
from bootstrap.run.upkeep import Upkeep
from bootstrap.run.upkeep_rules import Step
from tests.kit.clock import FakeClock

AWAY = CloudError("describe ami-1: no answer", code="ReadTimeoutError", retryable=True)


class Images:
    """EC2, which counts how often it is asked. `date_s`: when ami-1 is deprecated, on the test's clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.date_s: float | None = None
        self.asked = 0
        self.is_away = False

    def deprecation(self, image_id: str) -> tuple[str, float]:
        assert image_id == "ami-1"
        self.asked += 1
        if self.is_away:
            raise AWAY
        return ("", 0.0) if self.date_s is None else ("2026-12-24", self.date_s - self.clock.now_s)


class Standing:
    """The troubles that stand, each with its sentence."""

    def __init__(self) -> None:
        self.standing: dict[Reason, str] = {}

    def begin(self, trouble: AgentError) -> None:
        self.standing.setdefault(trouble.reason, str(trouble))

    def over(self, reason: Reason) -> None:
        self.standing.pop(reason)


class Watched:
    """An upkeep whose only part is the image."""

    def __init__(self, clock: FakeClock, days: int = 30) -> None:
        self.clock, self.images, self.troubles = clock, Images(clock), Standing()
        self.part = ImageAge(self.images, "ami-1", days, clock)  # type: ignore[arg-type]
        self.upkeep = Upkeep([self.part], clock, StopRequest(), self.troubles)

    def live(self, days: float) -> None:
        until_s = self.clock.now_s + days * DAY_S
        while self.clock.now_s < until_s:
            assert self.upkeep.cycle().step is Step.NOTHING, "it ends nothing and mends nothing"
            self.clock.advance(3600)


def test_ec2_is_asked_once_a_day_also_when_it_is_away(clock: FakeClock) -> None:
    watched = Watched(clock)
    watched.live(10)
    assert watched.images.asked == 10
    watched.images.is_away = True
    watched.live(10)
    assert watched.images.asked == 20
    assert watched.troubles.standing == {}


@pytest.mark.parametrize(("days", "first"), [(30, 70), (0, 100), (365, 0)])
def test_it_begins_so_many_days_before_and_stays(clock: FakeClock, days: int, first: int) -> None:
    watched = Watched(clock, days)
    watched.images.date_s = clock.now_s + 100 * DAY_S
    began = 0
    while not watched.troubles.standing:
        watched.live(1)
        began += 1
    assert began in (first + 1, first + 2)
    watched.live(40)
    (said,) = watched.troubles.standing.values()
    assert said.startswith("image: the deprecation date of ami-1 is 2026-12-24. Bake a new image")


def test_a_date_that_is_taken_back_or_moved_is_over(clock: FakeClock) -> None:
    watched = Watched(clock)
    watched.images.date_s = clock.now_s + DAY_S
    watched.live(1)
    assert list(watched.troubles.standing) == ["image-deprecated"]
    watched.images.date_s = None
    watched.live(2)
    assert watched.troubles.standing == {}


def test_an_answer_that_is_missing_takes_nothing_back(clock: FakeClock) -> None:
    watched = Watched(clock)
    watched.images.date_s = clock.now_s + DAY_S
    watched.live(1)
    watched.images.is_away = True
    watched.live(3)
    assert list(watched.troubles.standing) == ["image-deprecated"]
