"""The watch over the data: what is ridden out, what is a trouble, what is mended, and what ends the instance."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import AgentError, Reason
from bootstrap.base.timing import LeaseTiming
from bootstrap.run.data_watch import POLL_S, PROBE_LIMIT_S, PROBE_S, DataWatch
from bootstrap.run.data_watch_rules import (
    LATE_S,
    STALL_S,
    Answer,
    Known,
    fault_of,
    known_after,
    longest_stall_s,
    read_answer,
)
from bootstrap.run.kept_parts import kept_parts
from bootstrap.run.ladder import Decision, ServiceAction, ridden_out
from bootstrap.run.stop import InstanceBelongings
from bootstrap.run.upkeep import Upkeep
from bootstrap.run.upkeep_rules import Step, Verdict
from bootstrap.run.watched_data import watched_parts
from tests.kit.clock import FakeClock
from tests.kit.fake_os import OK, FakeOs
from tests.kit.wired import Wired

GOOD = {"device": "0:45", "found": "ours"}
FOREIGN = {"device": "0:46", "found": "theirs"}
STALE = {"failed": "[Errno 116] Stale file handle", "cause": "stale"}
READ_ONLY = {"failed": "[Errno 30] Read-only file system", "cause": "read-only"}
OURS = Known(device="0:45", marker="ours")


class FakeProbe:
    """A child that answers at once, or never; `is_held`: not even a signal ends it. It counts what was started."""

    def __init__(self) -> None:
        self.said: Mapping[str, Any] | None = GOOD
        self.is_held = False
        self.is_running = False
        self.requests: list[Mapping[str, Any]] = []
        self.killed = 0

    def start(self, request: Mapping[str, Any]) -> None:
        assert not self.is_running, "there is one child at most"
        self.is_running = True
        self.requests.append(request)

    def answer(self) -> str | None:
        if self.said is None:
            return None
        self.is_running = False
        return json.dumps(self.said)

    def kill(self) -> bool:
        self.killed += self.is_running
        self.is_running = self.is_running and self.is_held
        return not self.is_running


class Watched:
    """A watch whose thread is the test."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.probe = clock, FakeProbe()
        self.watch = DataWatch(clock, self.probe, "/srv/data")
        self._due_s = clock.now_s

    def pass_by(self, seconds: float) -> None:
        until_s = self.clock.now_s + seconds
        while self._due_s < until_s:
            self.clock.advance(self._due_s - self.clock.now_s)
            self._due_s += self.watch.cycle()
        self.clock.advance(until_s - self.clock.now_s)


@pytest.fixture
def watched(clock: FakeClock) -> Watched:
    return Watched(clock)


def test_a_quiet_hour_costs_240_looks(watched: Watched) -> None:
    watched.pass_by(3600)
    assert len(watched.probe.requests) == 3600 / PROBE_S == 240
    assert (watched.watch.stall_s, watched.watch.fault) == (0.0, None)


def test_a_stall_counts_from_the_first_look_without_an_answer_over_all_children_that_are_ended(
    watched: Watched,
) -> None:
    watched.pass_by(60)
    watched.probe.said = None
    watched.pass_by(PROBE_S)
    before_s = watched.watch.stall_s
    watched.pass_by(100)
    assert before_s <= PROBE_S
    assert watched.watch.stall_s == before_s + 100
    assert watched.probe.killed == 100 // PROBE_LIMIT_S
    watched.probe.said = GOOD
    watched.pass_by(2)
    assert watched.watch.stall_s == 0.0


def test_a_child_that_cannot_be_killed_is_the_only_one(watched: Watched) -> None:
    watched.pass_by(60)
    watched.probe.said, watched.probe.is_held = None, True
    begun = len(watched.probe.requests)
    watched.pass_by(600)
    assert len(watched.probe.requests) == begun + 1
    assert watched.watch.stall_s > 580
    watched.probe.said, watched.probe.is_held = GOOD, False
    watched.pass_by(20)
    assert watched.watch.stall_s == 0.0


def test_a_child_that_hangs_alone_is_no_stall_that_counts(watched: Watched) -> None:
    watched.pass_by(60)
    watched.probe.said = None
    worst_s = 0.0
    while watched.probe.killed == 0:
        watched.pass_by(POLL_S)
        worst_s = max(worst_s, watched.watch.stall_s)
    watched.probe.said = GOOD
    watched.pass_by(5)
    assert worst_s < STALL_S
    assert watched.watch.stall_s == 0.0


def test_while_it_is_paused_nothing_touches_the_data_and_nothing_counts(watched: Watched) -> None:
    watched.pass_by(60)
    watched.probe.said = None
    watched.pass_by(20)
    watched.watch.pause()
    assert not watched.probe.is_running
    begun = len(watched.probe.requests)
    watched.pass_by(600)
    assert (len(watched.probe.requests), watched.watch.stall_s) == (begun, 0.0)
    watched.watch.resume()
    watched.pass_by(20)
    assert len(watched.probe.requests) > begun


def test_the_child_is_told_the_marker_that_it_may_write_beside(watched: Watched) -> None:
    watched.pass_by(40)
    assert [each["marker"] for each in watched.probe.requests] == ["", "ours", "ours"]
    assert len({each["text"] for each in watched.probe.requests}) == 3
    watched.watch.begin_anew()
    watched.pass_by(PROBE_S)
    assert watched.probe.requests[-1]["marker"] == ""


def test_a_late_answer_is_in_the_log_and_nowhere_else(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.probe.said = None
    watched.pass_by(20)
    assert watched.watch.stall == "the data have given no answer for 20 s"
    watched.probe.said = GOOD
    watched.pass_by(1)
    assert caplog.messages == ["data: an answer after 20.0 s"]
    assert watched.watch.stall == ""


# ------------------------------------------------------------------ the rules
@pytest.mark.parametrize(
    ("answer", "known", "reason"),
    [
        (Answer(device="0:45", marker="ours"), OURS, None),
        (Answer(device="0:46", marker="ours"), OURS, None),  # mounted again by somebody, and the same data
        (Answer(device="0:45", marker="edited"), OURS, None),  # the upkeep's marker
        (Answer(device="0:45", marker=""), OURS, None),
        (Answer(device="0:46", marker="theirs"), OURS, "file-system-foreign"),
        (Answer(device="0:46", marker=""), OURS, "file-system-foreign"),
        (Answer(device="0:46", marker="theirs"), None, None),  # the mount was verified just before
        (Answer(failed="Stale file handle", cause="stale"), OURS, "file-system-stale"),
        (Answer(failed="Stale file handle", cause="stale"), None, "file-system-stale"),
        (Answer(failed="Read-only file system", cause="read-only"), OURS, "file-system-read-only"),
        (Answer(failed="No space left on device"), OURS, None),  # the lease tells that
    ],
)
def test_what_is_wrong_with_an_answer(answer: Answer, known: Known | None, reason: Reason | None) -> None:
    found = fault_of(answer, known)
    assert (found.reason if found else None) == reason


def test_what_is_known_changes_only_where_the_same_marker_is_seen() -> None:
    assert known_after(Answer(device="0:45", marker="ours"), None) == OURS
    assert known_after(Answer(device="0:46", marker="theirs"), OURS) == OURS
    assert known_after(Answer(device="0:46", marker="ours"), OURS) == Known(device="0:46", marker="ours")
    assert known_after(Answer(failed="no", cause="stale"), OURS) == OURS


@pytest.mark.parametrize("text", ["", "Traceback ...", "[]", "7", '{"cause": [1]}', '{"cause": "else"}'])
def test_a_child_that_says_nothing_we_know_is_no_fault_of_the_data(text: str) -> None:
    assert fault_of(read_answer(text), OURS) is None


@pytest.mark.parametrize(
    ("action", "stall", "expected"),
    [
        (ServiceAction.RESTART, "no answer for 20 s", ServiceAction.NOTHING),
        (ServiceAction.REPORT_UNHEALTHY, "no answer for 20 s", ServiceAction.NOTHING),
        (ServiceAction.STOP, "no answer for 20 s", ServiceAction.STOP),
        (ServiceAction.RESTART, "", ServiceAction.RESTART),
    ],
)
def test_nobody_restarts_a_service_that_waits_for_its_data(
    action: ServiceAction, stall: str, expected: ServiceAction
) -> None:
    decision = ridden_out(Decision(action=action, sentence="unhealthy"), stall)
    assert decision.action is expected
    assert ("no answer" in decision.sentence) == (expected is ServiceAction.NOTHING)
    assert "unhealthy" in decision.sentence


def test_the_lease_acts_first_where_all_of_the_file_system_stalls() -> None:
    timing = LeaseTiming()
    assert LATE_S < PROBE_LIMIT_S < STALL_S < timing.renew_deadline_s < longest_stall_s(timing)


# ------------------------------------------------------------------ the parts, on an instance that serves
class Serving(Wired):
    """An instance that serves, with the parts that go by the watch."""

    def __init__(self, machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(machine, clock, monkeypatch)
        machine.refusing["probe"] = OK
        self.serve()
        self.watched = Watched(clock)
        self.standing: dict[Reason, str] = {}
        self.history: list[Reason] = []
        object.__setattr__(self.instance.service, "data_watch", self.watched.watch)
        self.upkeep = Upkeep(watched_parts(self.instance), clock, StopRequest(), self)

    def begin(self, trouble: AgentError) -> None:
        if trouble.reason not in self.standing:
            self.history.append(trouble.reason)
        self.standing.setdefault(trouble.reason, str(trouble))

    def over(self, reason: Reason) -> None:
        self.standing.pop(reason, None)

    def pass_by(self, seconds: float) -> Verdict:
        """Both loops, the upkeep once a second; its last verdict, or the first that ends the instance."""
        for _ in range(int(seconds)):
            self.watched.pass_by(1)
            verdict = self.upkeep.cycle()
            if verdict.step is Step.REPLACE:
                return verdict
        return verdict


@pytest.fixture
def serving(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Serving:
    world = Serving(machine, clock, monkeypatch)
    world.pass_by(60)
    return world


def test_a_stall_of_a_failover_is_ridden_out(serving: Serving) -> None:
    for _ in range(10):
        serving.watched.probe.said = None
        serving.pass_by(STALL_S - 1)
        serving.watched.probe.said = GOOD
        assert serving.pass_by(20) == Verdict()
    assert serving.history == []


def test_a_longer_stall_is_a_trouble_with_an_end(serving: Serving) -> None:
    serving.watched.probe.said = None
    assert serving.pass_by(STALL_S + PROBE_S + 1).step is Step.TROUBLE
    assert "the data have given no answer for 3" in serving.standing["file-system-stalled"]
    serving.watched.probe.said = GOOD
    assert serving.pass_by(2) == Verdict()
    assert (serving.standing, serving.history) == ({}, ["file-system-stalled"])


def test_a_stall_that_does_not_end_ends_the_instance_after_the_deadline_of_the_lease(serving: Serving) -> None:
    serving.watched.probe.said, began_s = None, serving.clock.now_s
    verdict = serving.pass_by(600)
    assert (verdict.step, verdict.reason) == (Step.REPLACE, "file-system-stalled")
    lasted_s = serving.clock.now_s - began_s
    assert LeaseTiming().lease_duration_s <= lasted_s <= LeaseTiming().lease_duration_s + PROBE_S + 1


@pytest.mark.parametrize(
    ("said", "reason"), [(STALE, "file-system-stale"), (FOREIGN, "file-system-foreign")], ids=["stale", "foreign"]
)
def test_a_stale_or_foreign_mount_is_replaced_by_a_new_one_and_the_service_started_again(
    serving: Serving, said: dict[str, str], reason: str
) -> None:
    serving.watched.probe.said = said
    while not serving.upkeep.service_ended_s:
        serving.pass_by(1)
    serving.watched.probe.said = {**GOOD, "device": "0:47"}
    verdict = serving.pass_by(60)
    assert (verdict.step, serving.history) == (Step.NOTHING, [])
    assert "stopped the service, mounted" in verdict.sentence
    assert all(serving.machine.unit(unit) == "active" for unit in serving.instance.document.service.units)


@pytest.mark.parametrize(
    ("said", "reason"), [(STALE, "file-system-stale"), (FOREIGN, "file-system-foreign")], ids=["stale", "foreign"]
)
def test_what_a_new_mount_does_not_help_ends_the_instance(serving: Serving, said: dict[str, str], reason: str) -> None:
    for _ in range(5):
        serving.watched.probe.said = said
        verdict = serving.pass_by(30)
        if verdict.step is Step.REPLACE:
            break
        serving.watched.probe.said = GOOD
        serving.pass_by(30)
    assert (verdict.step, verdict.reason) == (Step.REPLACE, reason)
    assert "mended 2 times" in verdict.sentence


def test_data_that_refuse_writes_are_a_trouble_and_never_a_replacement(serving: Serving) -> None:
    serving.watched.probe.said = READ_ONLY
    assert serving.pass_by(7200).step is Step.TROUBLE
    assert serving.standing == {"file-system-read-only": "data-writable: [Errno 30] Read-only file system"}
    serving.watched.probe.said = GOOD
    assert serving.pass_by(30) == Verdict()
    assert serving.history == ["file-system-read-only"]


@pytest.mark.parametrize("take_back", [InstanceBelongings.outsiders, InstanceBelongings.unmount])
def test_nothing_looks_at_data_that_are_taken_back(
    serving: Serving, take_back: Callable[[InstanceBelongings], list[str]]
) -> None:
    serving.watched.probe.said = None
    serving.watched.pass_by(20)
    assert serving.watched.probe.is_running
    take_back(InstanceBelongings(serving.instance))
    assert not serving.watched.probe.is_running
    begun = len(serving.watched.probe.requests)
    serving.watched.pass_by(60)
    assert len(serving.watched.probe.requests) == begun


def test_a_look_for_outsiders_does_not_find_our_own_child_and_the_watch_goes_on(serving: Serving) -> None:
    serving.watched.probe.said = None
    serving.watched.pass_by(20)
    (part,) = [each for each in kept_parts(serving.instance) if each.terms.name == "data-use"]
    seen: list[bool] = []

    def look(_deadline: object) -> list[Any]:
        seen.append(serving.watched.probe.is_running)
        return []

    object.__setattr__(serving.instance.service.outsiders, "look", look)
    assert part.drift(serving.clock.deadline()) == ""
    assert seen == [False]
    begun = len(serving.watched.probe.requests)
    serving.watched.pass_by(20)
    assert len(serving.watched.probe.requests) > begun
