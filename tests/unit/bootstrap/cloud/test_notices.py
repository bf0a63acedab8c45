"""EC2's notices as its user guide gives them, and answers that are none."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bootstrap.base.errors import SurroundingsError
from bootstrap.base.notices import NoticeSettings
from bootstrap.cloud.imds import Answer, MetadataService
from bootstrap.cloud.notices import REBALANCE, SCHEDULED, SPOT, rebalance, scheduled_events, spot_interruption
from bootstrap.run.notices import LOOK_S, notice_parts
from bootstrap.run.upkeep_rules import History, Step, judge, looked
from tests.kit.clock import FakeClock

TAKEN_BACK = '{"action": "terminate", "time": "2017-09-18T08:22:00Z"}'
RECOMMENDED = '{"noticeTime": "2020-10-27T08:22:00Z"}'
REBOOT = {
    "NotBefore": "21 Jan 2019 09:00:43 GMT",
    "Code": "system-reboot",
    "Description": "scheduled reboot",
    "EventId": "instance-event-0d59937288b749b32",
    "NotAfter": "21 Jan 2019 09:17:23 GMT",
    "State": "active",
}
Read = Callable[[Any, Any], str]


class Service:
    """The metadata service; `answers` by path, 404 for every other one."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.answers: dict[str, str] = {}
        self.is_silent = False
        self.reader = MetadataService(clock, self)

    def __call__(self, _method: str, path: str, _headers: dict[str, str], timeout_s: float) -> Answer:
        if self.is_silent:
            self.clock.advance(timeout_s)
            raise TimeoutError("no answer")
        if path == "/latest/api/token":
            return Answer(status=200, body="token")
        body = self.answers.get(path.removeprefix("/latest/"))
        return Answer(status=404, body="") if body is None else Answer(status=200, body=body)


@pytest.fixture
def service(clock: FakeClock) -> Service:
    return Service(clock)


@pytest.mark.parametrize(
    ("read", "path", "body", "words"),
    [
        (spot_interruption, SPOT, None, ""),
        (spot_interruption, SPOT, TAKEN_BACK, "EC2 takes this Spot Instance back: terminate at 2017-09-18T08:22:00Z"),
        (rebalance, REBALANCE, None, ""),
        (rebalance, REBALANCE, RECOMMENDED, "it may soon take this Spot Instance back (notice of 2020-10-27T08:22:00Z"),
        (scheduled_events, SCHEDULED, None, ""),
        (scheduled_events, SCHEDULED, "[]", ""),
        (scheduled_events, SCHEDULED, json.dumps([REBOOT]), "scheduled system-reboot for 21 Jan 2019 09:00:43 GMT"),
        (scheduled_events, SCHEDULED, json.dumps([REBOOT | {"State": "completed"}]), ""),
        (scheduled_events, SCHEDULED, json.dumps([REBOOT | {"State": "canceled"}]), ""),
    ],
)
def test_a_notice_is_a_sentence_and_nothing_is_none(
    service: Service, read: Read, path: str, body: str | None, words: str
) -> None:
    service.answers = {path: body} if body is not None else {}
    found = read(service.reader, service.clock.deadline(5))
    assert bool(found) == bool(words)
    assert words in found


@pytest.mark.parametrize(
    "read_path", [(spot_interruption, SPOT), (rebalance, REBALANCE), (scheduled_events, SCHEDULED)]
)
@pytest.mark.parametrize(
    "body", ["", "<html>", "{}", "[1]", '{"action": 1, "time": []}', '[{"Code": "x\\ny", "NotBefore": "z"}]', "null"]
)
def test_what_is_no_notice_is_an_error_and_never_one(service: Service, read_path: tuple[Read, str], body: str) -> None:
    read, path = read_path
    service.answers = {path: body}
    with pytest.raises(SurroundingsError, match="is no notice that can be read"):
        read(service.reader, service.clock.deadline(5))


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (NoticeSettings(), [Step.REPLACE, Step.TROUBLE, Step.TROUBLE]),
        (NoticeSettings(spot_interruption="tell", rebalance="replace", scheduled_maintenance="replace"), None),
    ],
)
def test_each_notice_replaces_or_is_a_trouble_as_configured(
    service: Service, settings: NoticeSettings, steps: list[Step] | None
) -> None:
    service.answers = {SPOT: TAKEN_BACK, REBALANCE: RECOMMENDED, SCHEDULED: json.dumps([REBOOT])}
    found = []
    for part in notice_parts(service.reader, settings):
        drift = part.drift(service.clock.deadline())
        verdict = judge(part.terms, drift, looked(History(), drift, 1.0), 1.0)
        assert verdict.reason == part.terms.reason
        found.append(verdict.step)
    assert found == (steps or [Step.TROUBLE, Step.REPLACE, Step.REPLACE])


def test_a_metadata_service_that_is_silent_delays_a_cycle_by_seconds(service: Service) -> None:
    service.is_silent = True
    for part in notice_parts(service.reader, NoticeSettings()):
        began_s = service.clock.now_s
        with pytest.raises(SurroundingsError):
            part.drift(service.clock.deadline(30))
        assert service.clock.now_s - began_s <= LOOK_S + 0.5
