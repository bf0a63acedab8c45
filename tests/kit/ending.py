"""An instance at its end, with a group, an interface, a topic and people that a test can take away."""

from dataclasses import replace
from typing import Any

from bootstrap.base.timeline import Timeline
from bootstrap.claims.network_interface import Claim
from bootstrap.lease.keeper import Lost
from bootstrap.lease.release import release_all
from bootstrap.lease.rules.record import new_record
from bootstrap.lease.rules.renew import Hold
from bootstrap.run.ending import Ending
from bootstrap.run.stop import InstanceBelongings
from bootstrap.run.telling import Telling
from bootstrap.tell.message import Message
from tests.kit.clock import FakeClock
from tests.kit.cloud import FakeInterfaces, attached_to, cloud_error, permitted
from tests.kit.fake_os import OK, FakeOs
from tests.kit.instance import build
from tests.kit.lease import ME, TIMING, applicant

LOST = Lost(is_taken=True, sentence="generation 7 is lost: there is generation 8")


class Group:
    """The launch hook and the health report; with `is_silent` it cannot be reached."""

    def __init__(self) -> None:
        self.is_silent = False
        self.said: list[str] = []

    def complete_hook(self, _hook: str, result: str) -> bool:
        if self.is_silent:
            raise cloud_error("EndpointConnectionError")
        self.said.append(result)
        return result == "ABANDON"


class EndingInstance:
    """An instance at its end: it holds the network interface and, if told so, generation 7."""

    is_terminated = False

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock = machine, clock
        self.target, self.root = str(machine.service_data), str(machine.paths.data_root)
        self.group, self.interfaces = Group(), FakeInterfaces(attached_to(ME))
        self.published: list[tuple[str, str]] = []
        self.reports: list[dict[str, str]] = []
        self.status: list[str] = []
        group: Any = self.group
        plain = build(machine, clock, target=self.target)
        claims = replace(plain.claims, network_interface=Claim(self.interfaces, plain.zone, ME, permitted))
        self.instance = replace(plain, group=group, claims=claims)
        machine.refusing["say-goodbye"] = OK
        parts: Any = self
        self.timeline = Timeline(clock, [])
        self.telling = Telling(machine.root / "outbox.json", plain.document, plain.identity, parts, clock)
        self.telling.generation = lambda: self.instance.lease.keeper.generation
        self.telling._outbox = parts
        self.ending = Ending(
            self.instance, telling=self.telling, timeline=self.timeline, watch=parts, notifier=parts, report=self.report
        )

    def boot(self) -> None:
        lease_root = str(self.machine.paths.lease_root)
        self.machine.run(("mount", "-t", "nfs4", "-o", "hard", "x:/lease", lease_root), self.clock.deadline())
        self.machine.mount_data()
        self.instance.service.units.start(self.clock.deadline())

    def hold(self) -> None:
        record = new_record(applicant(), TIMING, generation=7, nonce="mine")
        self.instance.lease.keeper._hold = Hold(record=record, deadline_s=self.clock.monotonic() + 45)

    def lose(self) -> None:
        self.hold()
        self.instance.lease.keeper._lost = LOST

    def release(self) -> list[str]:
        belongings = InstanceBelongings(self.instance)
        return release_all(belongings, self.instance.lease.keeper, self.timeline, has_served=True)

    def outcomes(self) -> dict[str, str]:
        return {entry.name: entry.outcome for entry in self.timeline.entries()}

    def report(self, **given: str) -> None:
        self.reports.append(given)

    # ------------------------------------------------------------------ outbox, notifier, lifecycle watch
    standing = ()

    def tell(self, message: Message) -> None:
        self.published.append((message.subject, message.text.partition("\n")[0]))

    def stopping(self, sentence: str) -> None:
        self.status.append(sentence)

    def await_terminated(self, _seconds: float) -> bool:
        return False
