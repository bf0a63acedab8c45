"""What an instance tells people over its life and over several runs of the agent."""

from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.errors import FileSystemFull
from bootstrap.run.telling import Telling, channels_of
from bootstrap.tell.webhook import Webhook
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.instance import identity


class Clients:
    """SNS and Systems Manager, which keep what they are told and asked."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.attributes: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def sns(self) -> Any:
        return self

    def ssm(self) -> Any:
        return self

    def publish(self, **sent: Any) -> None:
        self.subjects.append(sent["Subject"])
        self.attributes.append(sent["MessageAttributes"])

    def get_parameter(self, **asked: Any) -> Any:
        self.asked.append(asked)
        return {"Parameter": {"Value": "whsec_x"}}


class World:
    def __init__(self, clock: FakeClock, path: Path) -> None:
        self.clock, self.path, self.aws = clock, path, Clients()
        self.begin()

    def begin(self) -> None:
        """A new run of the agent."""
        clients: Any = self.aws
        self.telling = Telling(self.path, document(), identity("us-east-1a"), clients, self.clock)
        self.telling.generation = lambda: 7

    def sent(self) -> list[str]:
        for lane in self.telling._outbox._lanes:
            lane.attempt()
        return [subject.removeprefix("soloist demo: ") for subject in self.aws.subjects]


@pytest.fixture
def world(clock: FakeClock, tmp_path: Path) -> World:
    return World(clock, tmp_path / "outbox.json")


FULL = FileSystemFull("no space left")


def test_a_trouble_of_an_earlier_run_is_told_to_be_over_unless_it_goes_on(world: World) -> None:
    world.telling.took_over("demo serves", [])
    world.telling.begin(FULL)
    world.begin()
    world.telling.took_over("demo serves", ["file-system-full"])
    serves = f"{world.telling._identity.instance_id} in us-east-1a serves"
    assert world.sent() == [serves, "trouble (file-system-full)"]
    world.begin()
    world.telling.took_over("demo serves", [])
    world.telling.took_over("demo serves", [])
    assert world.sent() == [serves, "trouble (file-system-full)", "file-system-full is over"]


def test_machines_find_kind_reason_and_generation_in_attributes(world: World) -> None:
    world.telling.begin(FULL)
    world.sent()
    (attributes,) = world.aws.attributes
    values = {name: value["StringValue"] for name, value in attributes.items() if value["DataType"] == "String"}
    assert (values["kind"], values["reason"], values["generation"]) == ("degraded", "file-system-full", "7")
    assert values["id"]


def test_each_webhook_of_the_document_is_a_channel_and_its_secret_is_read_when_it_is_needed(world: World) -> None:
    webhooks = [{"url": "https://a.example/x", "secret_parameter": "/demo/hook"}, {"url": "https://b.example"}]
    clients: Any = world.aws
    topic, signed, plain = channels_of(document(webhooks=webhooks), clients)
    assert (topic.name, signed.name, plain.name) == ("topic", "webhook a.example", "webhook b.example")
    assert world.aws.asked == []
    assert isinstance(signed, Webhook)
    assert isinstance(plain, Webhook)
    assert (signed._secret(), plain._secret()) == ("whsec_x", "")
    assert world.aws.asked == [{"Name": "/demo/hook", "WithDecryption": True}]
