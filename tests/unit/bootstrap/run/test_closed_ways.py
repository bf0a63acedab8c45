"""A state that cannot be written and a message that cannot be sent: told by what still works, once, and over again."""

from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.errors import CloudError
from bootstrap.base.timeline import Timeline
from bootstrap.run.report import Report
from bootstrap.run.telling import Telling, TopicChannel
from bootstrap.run.writer import BackgroundWriter
from bootstrap.tell.message import Message
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.instance import identity

DENIED = CloudError("refused", code="AccessDenied", retryable=False, reason="access-denied")


class Aws:
    """SNS and Systems Manager, each closed or open, with what they took; one webhook beside them, always open."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.subjects: list[str] = []
        self.states: list[str] = []
        self.hooked: list[str] = []

    def publish(self, subject: str, _text: str, _attributes: object) -> None:
        if "sns" in self.closed:
            raise DENIED
        self.subjects.append(subject.removeprefix("soloist demo: "))

    def write(self, state: Any) -> None:
        if "ssm" in self.closed:
            raise DENIED
        self.states.append(state.reason)


class HookChannel:
    name = "webhook"

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def send(self, message: Message, _message_id: str) -> None:
        self._aws.hooked.append(message.what)


class World:
    def __init__(self, clock: FakeClock, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.aws = clock, Aws()
        topic: Any = self.aws
        channels = [TopicChannel(topic), HookChannel(self.aws)]
        monkeypatch.setattr("bootstrap.run.telling.channels_of", lambda *_given: channels)
        self.report = Report(clock, Timeline(clock, []), path / "state.json")
        unused: Any = None
        self.telling = Telling(path / "outbox.json", document(), identity(), unused, clock, self.report)
        self.report.tell(self.telling)
        self.writer = BackgroundWriter(clock, self.aws.write, self.aws.write, self.report)
        self.report._writer = self.writer
        self.report(phase="ready", sentence="demo serves")

    def pass_by(self, seconds: float) -> None:
        """As the threads do, once every 20 s."""
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.writer.attempt()
            for lane in self.telling._outbox._lanes:
                lane.attempt()
            self.clock.advance(20)


@pytest.fixture
def world(clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(clock, tmp_path, monkeypatch)


TOLD = ["trouble (state-not-written)", "state-not-written is over"]


def test_a_state_that_is_not_written_is_told_and_is_in_the_state_when_it_can_be_written_again(world: World) -> None:
    world.aws.closed = {"ssm"}
    world.pass_by(280)
    assert world.report.troubles == ()
    world.pass_by(1200)
    assert world.report.troubles == ("state-not-written",)
    assert "not written for 300 s: refused" in world.report.standing("state-not-written")
    assert world.aws.subjects == TOLD[:1]
    world.aws.closed = set()
    world.pass_by(100)
    assert world.report.troubles == ()
    assert world.aws.subjects == world.aws.hooked == TOLD
    assert world.aws.states[-1] == "", "the last state has no trouble"


def test_a_message_that_is_not_sent_is_in_the_state_and_told_by_the_other_channel_once(world: World) -> None:
    world.aws.closed = {"sns"}
    world.telling.took_over("demo serves", [])
    world.pass_by(3000)
    assert world.report.troubles == ("message-not-sent",)
    assert world.aws.states[-1] == "message-not-sent"
    assert world.aws.hooked[1:] == ["trouble (message-not-sent)"]
    world.aws.closed = set()
    world.pass_by(100)
    assert world.report.troubles == ()
    assert world.aws.subjects == world.aws.hooked
    assert world.aws.hooked[1:] == ["trouble (message-not-sent)", "message-not-sent is over"]
    world.pass_by(3600)
    assert len(world.aws.hooked) == 3


def test_with_every_way_closed_nothing_piles_up_and_all_of_it_ends(world: World) -> None:
    world.aws.closed = {"ssm", "sns"}
    world.telling.took_over("demo serves", [])
    world.pass_by(7200)
    kept = [len(lane.kept()) for lane in world.telling._outbox._lanes]
    assert kept == [3, 0], "the takeover and two troubles wait for the topic"
    world.aws.closed = set()
    world.pass_by(100)
    assert world.report.troubles == ()
    assert len(world.aws.subjects) == 5
