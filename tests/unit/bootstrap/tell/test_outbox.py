"""Messages are kept until each channel has them: in order, over a new run of the agent, and within bounds."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.errors import AgentError
from bootstrap.tell.message import Message
from bootstrap.tell.outbox import IDLE_S, KEPT_S, MOST_KEPT, Outbox
from tests.kit.clock import FakeClock
from tests.kit.messages import BEGINNING, END, other


class FakeChannel:
    """Takes messages, unless `problem` is set."""

    def __init__(self, name: str = "topic") -> None:
        self.name = name
        self.taken: list[Message] = []
        self.ids: list[str] = []
        self.problem: Exception | None = None

    def send(self, message: Message, message_id: str) -> None:
        self.ids.append(message_id)
        if self.problem is not None:
            raise self.problem
        self.taken.append(message)


class World:
    def __init__(self, clock: FakeClock, path: Path) -> None:
        self.clock, self.path = clock, path
        self.topic, self.webhook = FakeChannel(), FakeChannel("webhook")
        self.begin()

    def begin(self) -> None:
        """A new run of the agent."""
        self.outbox = Outbox(self.path, [self.topic, self.webhook], self.clock)

    def attempt(self) -> list[float]:
        return [lane.attempt() for lane in self.outbox._lanes]

    def kept(self) -> int:
        return sum(len(lane) for lane in json.loads(self.path.read_text())["kept"])


@pytest.fixture
def world(clock: FakeClock, tmp_path: Path) -> World:
    return World(clock, tmp_path / "outbox.json")


def test_every_channel_gets_each_message_in_order_and_once(world: World) -> None:
    world.outbox.tell(BEGINNING)
    world.outbox.tell(BEGINNING)
    world.outbox.tell(END)
    assert not world.outbox.flush(world.clock.deadline(1))
    assert world.attempt() == [IDLE_S, IDLE_S]
    assert world.topic.taken == world.webhook.taken == [BEGINNING, END]
    assert world.topic.ids == world.webhook.ids
    assert len(set(world.topic.ids)) == 2
    assert world.outbox.flush(world.clock.deadline(1))
    assert world.kept() == 0


@pytest.mark.parametrize("problem", [AgentError("no answer"), KeyError("a defect")])
def test_a_channel_that_refuses_delays_no_other_and_gets_it_later(world: World, problem: Exception) -> None:
    world.webhook.problem = problem
    world.outbox.tell(BEGINNING)
    pauses = [world.attempt()[1] for _ in range(10)]
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]
    assert (world.topic.taken, world.webhook.taken) == ([BEGINNING], [])
    world.webhook.problem = None
    world.outbox.tell(END)
    assert world.attempt() == [IDLE_S, IDLE_S]
    assert world.webhook.taken == [BEGINNING, END]
    assert len(set(world.webhook.ids)) == 2, "the id is the same at each attempt"


def test_the_next_run_of_the_agent_sends_what_is_left_and_knows_what_was_told(world: World) -> None:
    world.webhook.problem = AgentError("no answer")
    world.outbox.tell(BEGINNING)
    world.attempt()
    world.begin()
    assert world.outbox.standing == ("file-system-full",)
    world.outbox.tell(BEGINNING)
    world.webhook.problem = None
    world.outbox.tell(END)
    world.attempt()
    assert world.topic.taken == world.webhook.taken == [BEGINNING, END]
    assert world.outbox.standing == ()


def test_a_message_is_given_up_after_a_day_and_the_oldest_of_too_many(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.webhook.problem = AgentError("no answer")
    world.outbox.tell(BEGINNING)
    world.clock.advance(KEPT_S)
    assert world.attempt()[1] == IDLE_S
    assert "webhook: dropped after 24 h" in caplog.text
    monkeypatch.setattr("bootstrap.tell.gate.MOST", 1000)
    for number in range(MOST_KEPT + 1):
        world.outbox.tell(other(number))
    assert f"webhook: dropped, because {MOST_KEPT} wait" in caplog.text
    assert world.kept() == 2 * MOST_KEPT
    world.webhook.problem = None
    world.attempt()
    assert world.webhook.taken[0] == other(1)


def test_what_is_withheld_is_said_in_its_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.tell.gate.MOST", 1)
    for number in range(4):
        world.outbox.tell(other(number))
    world.attempt()
    first, second = world.topic.taken
    assert first == other(0)
    assert second == replace(other(1), kind="withheld", reason="", what="more messages are withheld for an hour")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"told":{"sent":[],"standing":[1]},"kept":[]}', "x" * 2_000_000])
def test_a_damaged_file_is_nothing(world: World, text: str) -> None:
    world.path.write_text(text)
    world.begin()
    assert world.outbox.standing == ()
    world.outbox.tell(BEGINNING)
    world.attempt()
    assert world.topic.taken == [BEGINNING]


def test_a_directory_that_cannot_be_written_loses_nothing_in_this_run(world: World) -> None:
    world.path = world.path.parent / "absent" / "outbox.json"
    world.begin()
    world.outbox.tell(BEGINNING)
    world.attempt()
    assert world.topic.taken == [BEGINNING]


def test_the_threads_send_by_themselves(tmp_path: Path) -> None:
    channel = FakeChannel()
    outbox = Outbox(tmp_path / "outbox.json", [channel], SystemClock())
    outbox.start()
    outbox.tell(BEGINNING)
    assert outbox.flush(Deadline(SystemClock(), 10, "test"))
    assert channel.taken == [BEGINNING]
