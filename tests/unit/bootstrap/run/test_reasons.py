"""Each reason is the same word, with the same sentence and remedy, in state, log and notification."""

import json
import logging
import re
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, get_args

import pytest
from botocore.exceptions import ClientError

from bootstrap.base.clock import StopRequest, SystemClock
from bootstrap.base.document import render_user_data
from bootstrap.base.errors import REMEDIES, AgentError, CloudError, FileSystemFull, LeaseRefused, Reason, WrongZone
from bootstrap.base.state import State, parse_state
from bootstrap.claims.connection.route53 import Route53Connection
from bootstrap.cloud import clients
from bootstrap.cloud.clients import converted
from bootstrap.cloud.route53 import RecordSet
from bootstrap.run.agent import Adapters, Agent
from bootstrap.run.ending import Ending
from bootstrap.run.report import Report
from tests.kit.clock import FakeClock
from tests.kit.cloud import permitted
from tests.kit.documents import document_tree
from tests.kit.ending import LOST, EndingInstance
from tests.kit.fake_os import FakeOs
from tests.kit.instance import FakeMetadata, Silent, build, fake_machine

UNTOLD = ("surroundings", "bad-boot-document")  # without a boot document nobody knows whom to tell


class Teller(EndingInstance):
    """An instance at its end, with the report that ships."""

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        super().__init__(machine, clock)
        self.file = machine.root / "state.json"
        parts: Any = self
        report = self.told = Report(clock, self.timeline, self.file)
        self.ending = Ending(
            self.instance, telling=self.telling, timeline=self.timeline, watch=parts, notifier=parts, report=report
        )
        report.tell(self.telling)

    @property
    def state(self) -> State:
        found = parse_state(self.file.read_text())
        assert found is not None
        return found

    def serve_with(self, error: AgentError) -> None:
        self.told(phase="ready", sentence="demo serves")
        self.told.begin(error)

    def stop_in_vain(self) -> None:
        self.boot()
        self.machine.hung = {self.root, self.target}
        self.ending.stopped("SIGTERM received", has_served=True)


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> Teller:
    return Teller(machine, clock)


def agree(world: Teller, caplog: pytest.LogCaptureFixture, reason: str, sentence: str) -> None:
    """State, log and notification give `reason`, and all of `sentence`."""
    assert (world.state.reason, sentence in world.state.sentence) == (reason, True), world.state
    assert any(reason in line and sentence in line for line in caplog.messages), caplog.messages
    assert any(f"({reason})" in subject and sentence in text for subject, text in world.published), world.published


WAYS: dict[str, Callable[[Teller, AgentError], object]] = {
    "the boot fails": lambda world, error: world.ending.boot_failed(error),
    "the service is given up": lambda world, error: world.ending.given_up(str(error), error.reason),
    "the instance goes on": Teller.serve_with,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reason", [reason for reason in get_args(Reason) if reason not in UNTOLD])
def test_state_log_and_notification_give_each_reason_in_the_same_words(
    world: Teller, caplog: pytest.LogCaptureFixture, reason: Reason, way: str
) -> None:
    error = LeaseRefused("this is wrong", reason=reason, remedy=REMEDIES.get(reason, "Do that"))
    with caplog.at_level(logging.INFO):
        WAYS[way](world, error)
    agree(world, caplog, reason, str(error))


def test_a_stop_in_vain_and_a_lost_lease_are_told_alike(world: Teller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        world.stop_in_vain()
        agree(world, caplog, "incomplete", f"{world.root} could not be unmounted")
        world.lose()
        world.ending.lease_lost(LOST)
    agree(world, caplog, "lease-lost", LOST.sentence)


# ------------------------------------------------------------------ what the causes are, as their adapters meet them
def refused(code: str, message: str, date: str = "") -> AgentError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": {"date": date} if date else {}},
    }
    with pytest.raises(CloudError) as caught, converted("attach eni-1"):
        raise ClientError(answer, "AttachNetworkInterface")
    return caught.value


def other_kind() -> AgentError:
    class Store:
        def address_record(self, name: str) -> RecordSet:
            return RecordSet(name=name, values=(), ttl_s=0, other_kind="an alias of lb.example.com.")

        def swap(self, old: RecordSet | None, new: RecordSet) -> None:
            raise AssertionError("nothing of it is changed")

    connection = Route53Connection(Store(), name="a.b", address="10.0.0.1", ttl_s=10, permit=permitted)
    with pytest.raises(AgentError) as caught:
        connection.claim(1)
    return caught.value


LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"
SECRET = "x" * 900
CAUSES: list[tuple[Reason, Callable[[], AgentError], str]] = [
    (
        "file-system-full",
        lambda: FileSystemFull("generation 8 cannot be published: No space left"),
        "or raise its quota",
    ),
    ("record-of-another-kind", other_kind, "a.b is an alias of lb.example.com., so clients do not find this instance"),
    ("clock-skew", lambda: refused("SignatureDoesNotMatch", "Signature expired: 1 is now earlier"), "Set the clock"),
    ("clock-skew", lambda: refused("RequestTimeTooSkewed", "The difference is too large"), "Set the clock"),
    ("clock-skew", lambda: refused("AuthFailure", "not able to validate", LONG_AGO), "s ahead of AWS's"),
    (
        "access-denied",
        lambda: refused("AccessDenied", "User: x is not authorized", LONG_AGO),
        "AttachNetworkInterface is",
    ),
    (
        "access-denied",
        lambda: refused("UnauthorizedOperation", f"You are not. Encoded authorization failure message: {SECRET}"),
        "The log has AWS's encoded message for `aws sts decode-authorization-message`. Compare the policies",
    ),
]


@pytest.mark.parametrize(("reason", "meet", "words"), CAUSES)
def test_a_known_cause_is_named_with_its_remedy(
    world: Teller, caplog: pytest.LogCaptureFixture, reason: Reason, meet: Callable[[], AgentError], words: str
) -> None:
    error = meet()
    assert (error.reason, words in str(error)) == (reason, True), error
    assert REMEDIES[reason] in str(error)
    with caplog.at_level(logging.INFO):
        world.ending.boot_failed(error)
    agree(world, caplog, reason, str(error))


def test_an_encoded_message_is_in_the_log_and_takes_no_place_in_the_sentence(caplog: pytest.LogCaptureFixture) -> None:
    clients._LOGGED.clear()
    errors = [refused("UnauthorizedOperation", f"No. {clients.ENCODED} {SECRET}") for _ in range(3)]
    assert [SECRET in str(error) for error in errors] == [False] * 3
    assert sum(SECRET in line for line in caplog.messages) == 1, "once, and not at every attempt"


def test_an_answer_whose_clock_agrees_is_no_skew() -> None:
    assert refused("AuthFailure", "not able to validate", formatdate(usegmt=True)).reason == "aws-call-failed"
    assert refused("AuthFailure", "not able to validate", "no date").reason == "aws-call-failed"


class Told:
    """The clients of topic and parameter, which keep what they are told; the others are silent."""

    def __init__(self, published: list[tuple[str, str]]) -> None:
        self.published = published
        self.parameter = ""

    def publish(self, **sent: Any) -> None:
        self.published.append((sent["Subject"], sent["Message"].partition("\n")[0]))

    def put_parameter(self, **sent: Any) -> None:
        self.parameter = sent["Value"]

    def get_parameter(self, **_: str) -> dict[str, Any]:
        return {"Parameter": {"Value": self.parameter}}

    def __getattr__(self, name: str) -> Any:
        return lambda: self if name in ("sns", "ssm") else Silent()


def test_a_zone_without_a_network_interface_is_told_before_anything_is_claimed(
    world: Teller, machine: FakeOs, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WrongZone) as refused_by:
        build(machine, clock, "us-east-1f")
    told: Any = Told(world.published)
    parts: Any = Silent()
    metadata: Any = FakeMetadata(render_user_data(json.dumps(document_tree())), "us-east-1f")
    shipped = fake_machine(machine, SystemClock())  # type: ignore[arg-type]  # a thread waits for the parameter
    with caplog.at_level(logging.INFO):
        Agent(
            Adapters(machine=shipped, metadata=metadata, notifier=parts, clients=lambda _region: told), StopRequest()
        ).run()
    world.file = machine.paths.state
    agree(world, caplog, "wrong-zone", str(refused_by.value))
    assert parse_state(told.parameter) == world.state
    assert re.search(r"is in us-east-1f, and .* only in us-east-1a", world.state.sentence)
