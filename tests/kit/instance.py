"""An instance as the agent builds it, on a machine that lives in a directory."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import DeadlineExceeded
from bootstrap.base.threads import SystemThreads
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.imds import Identity
from bootstrap.run.boot import boot_steps
from bootstrap.run.graph import BootStep
from bootstrap.run.instance import Instance, Listeners, MachineParts, build_instance
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs, fake_os
from tests.kit.fence import FenceInProcess
from tests.kit.lease import ME, DirectWorker


def fake_machine(machine: FakeOs, clock: FakeClock) -> MachineParts:
    """Everything of a machine that is not AWS, with a fence and a lease directory of its own."""
    return MachineParts(
        clock=clock,
        paths=machine.paths,
        commands=machine,
        links=machine,
        worker=DirectWorker(),
        threads=SystemThreads(),
        fence=FenceInProcess.of_machine(machine, clock),
        nonce=lambda: "nonce-1",
        boot_id="boot-1",
        image_version="1",
    )


def listeners() -> Listeners:
    """Nobody listens."""
    return Listeners(on_held=lambda _: None, on_lost=lambda _: None, beat_lease=lambda: None)


def identity(zone: str = "us-east-1a") -> Identity:
    return Identity(instance_id=ME, zone=zone, image_id="ami-1", mac="02:00:00:00:00:01")


class FakeMetadata:
    """The metadata service of an instance in `zone`; without user data, it does not answer."""

    def __init__(self, user_data: str = "", zone: str = "us-east-1a") -> None:
        self._zone, self._user_data = zone, user_data

    def identity(self, _deadline: Deadline) -> Identity:
        if not self._user_data:
            raise DeadlineExceeded("metadata service: not done after 60 s")
        return identity(self._zone)

    def target_lifecycle_state(self, _deadline: Deadline) -> str:
        return "InService"

    def user_data(self, _deadline: Deadline) -> str:
        return self._user_data


class Silent:
    """Takes every call and does nothing: systemd, or a client of AWS that is only told something."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_given: None


def build(machine: FakeOs, clock: FakeClock, zone: str = "us-east-1a", target: str = "/var/lib/demo") -> Instance:
    """`target`: where the service sees its data directory."""
    return build_instance(
        document(target),
        identity(zone),
        machine=fake_machine(machine, clock),
        clients=Clients("us-east-1"),
        listeners=listeners(),
    )


@cache
def shipped_steps() -> tuple[BootStep, ...]:
    """The graph of a boot as the agent builds it, for tests that go through all of its steps."""
    with tempfile.TemporaryDirectory() as directory:
        return tuple(boot_steps(build(fake_os(Path(directory) / "machine"), FakeClock())))
