"""An instance as the agent builds it, over a fake machine and an AWS that is written down. Its lease has no thread."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from bootstrap.base.document import parse_tree
from bootstrap.base.timing import FencePolicy
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.rules.record import file_name, new_record, released, render_record
from bootstrap.lease.rules.renew import Hold
from bootstrap.run.boot import Boot
from bootstrap.run.instance import Instance, Listeners, build_instance
from bootstrap.run.kinds import KINDS
from tests.kit.clock import FakeClock
from tests.kit.documents import document_tree
from tests.kit.fake_os import FakeOs
from tests.kit.fence import FenceInProcess
from tests.kit.instance import fake_machine, identity
from tests.kit.lease import OTHER, TIMING, DirectWorker, FakeEvidence, applicant

OLD_RECORD = {"Name": "demo.lab.internal.", "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": "10.0.101.10"}]}


class Api:
    """EC2 and Route 53 of one network interface and one record; what changes something is written down."""

    def __init__(self) -> None:
        self.attached = ""
        self.record: dict[str, Any] = OLD_RECORD
        self.changes: list[tuple[str, dict[str, Any]]] = []
        self.asked = 0  # questions that change nothing
        self.is_silent = False

    def describe_network_interfaces(self, **_: Any) -> dict[str, Any]:
        self._ask()
        attachment = {"AttachmentId": "eni-attach-1", "Status": "attached", "InstanceId": self.attached}
        status = {"Status": "in-use", "Attachment": attachment} if self.attached else {"Status": "available"}
        return {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "MacAddress": "02:00:00:00:00:42", **status}]}

    def describe_instances(self, **_: Any) -> dict[str, Any]:
        return {"Reservations": []}

    def attach_network_interface(self, **arguments: Any) -> None:
        self.changes.append(("attach", arguments))
        self.attached = arguments["InstanceId"]

    def list_resource_record_sets(self, **_: Any) -> dict[str, Any]:
        self._ask()
        return {"ResourceRecordSets": [self.record]}

    def change_resource_record_sets(self, **arguments: Any) -> None:
        self.changes.append(("record", arguments))
        self.record = arguments["ChangeBatch"]["Changes"][-1]["ResourceRecordSet"]

    def _ask(self) -> None:
        self.asked += 1
        if self.is_silent:
            raise EndpointConnectionError(endpoint_url="https://aws")


class Wired:
    """An instance as the agent builds it, whose lease is kept without a thread."""

    def __init__(self, machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine, self.clock, self.api = machine, clock, Api()
        self.evidence = FakeEvidence()
        self.told: list[object] = []
        self.listeners = Listeners(
            on_held=self.told.append, on_lost=self.told.append, beat_lease=lambda: self.told.append("beat")
        )
        self.started: list[tuple[Callable[[str], None], Callable[[], None]]] = []
        self.target = machine.root / "service"
        machine.paths.run.mkdir(parents=True)
        machine.paths.lease_root.mkdir(parents=True)
        monkeypatch.setattr(LeaseKeeper, "start", self._start)
        self.instance = self.build()

    def build(self, fence: FencePolicy = "proof-or-lease", **timing_s: float) -> Instance:
        tree = document_tree(str(self.target), lease={"fence": fence, "timing": timing_s})
        clients: Any = SimpleNamespace(ec2=lambda: self.api, route53=lambda: self.api)
        machine = fake_machine(self.machine, self.clock)
        self.instance = build_instance(
            parse_tree(tree, KINDS), identity(), machine=machine, clients=clients, listeners=self.listeners
        )
        self.instance.lease.evidence = self.evidence  # type: ignore[assignment]
        return self.instance

    def _start(self, hold: Hold, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        self.instance.lease.keeper._hold = hold
        self.started.append((on_lost, beat))

    @property
    def boot(self) -> Boot:
        return Boot(self.instance)

    @property
    def worker(self) -> DirectWorker:
        return self.instance.lease.parts.directory._worker  # type: ignore[return-value]

    @property
    def fence(self) -> FenceInProcess:
        return self.instance.lease.parts.fence  # type: ignore[return-value]

    def serve(self) -> None:
        """All steps of the boot but the launch hook, in this thread."""
        for directory in (self.target, self.machine.paths.data_root):
            directory.mkdir(parents=True, exist_ok=True)
        self.machine.need_grant()
        self.boot.mount_lease(self.clock.deadline())
        self.take()
        for step in ("network_interface", "mount_data", "directories", "connection", "unit_settings"):
            getattr(self.boot, step)(self.clock.deadline())
        self.instance.service.units.start(self.clock.deadline())

    def take(self) -> None:
        self.boot.lease(self.clock.deadline(TIMING.longest_wait_s + 30))

    def put(self, generation: int, *, is_released: bool = False) -> None:
        """A generation of the other instance."""
        record = new_record(applicant(OTHER), TIMING, generation=generation, nonce="theirs")
        text = render_record(released(record) if is_released else record)
        (self.machine.paths.lease_root / file_name(generation)).write_text(text)
