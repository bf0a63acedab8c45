"""What unit tests put in the place of clocks, metadata services, EC2 and the operating system."""

from __future__ import annotations

import grp
import json
import os
import pwd
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.document import BootDocument, parse_tree
from bootstrap.base.errors import CloudError, FenceError
from bootstrap.cloud.ec2 import NetworkInterface
from bootstrap.fence.protocol import FenceAnswer, FenceRequest
from bootstrap.fence.rules import FenceMemory, hold_until, let_go, lost
from bootstrap.lease import child as lease_files
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.machine import data_child as data_root
from bootstrap.run.instance import Listeners, Machine
from bootstrap.run.kinds import KINDS
from tests.process.fake_os import FakeOs

ME = "i-me"
OTHER = "i-other"


class FakeClock:
    """Jumps instead of sleeping. `at` runs something when the clock passes a moment."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits: list[float] = []
        self._due: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.waits.append(timeout_s)
            self.advance(timeout_s)
        return event.is_set()

    def utc_text(self) -> str:
        return "2026-01-01T00:00:00.000Z"

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        for moment, act in sorted(self._due, key=lambda item: item[0]):
            if moment <= self.now_s:
                self._due.remove((moment, act))
                act()

    def at(self, after_s: float, act: Callable[[], None]) -> None:
        self._due.append((self.now_s + after_s, act))

    def deadline(self, seconds: float = 60.0, stop: StopRequest | None = None) -> Deadline:
        return Deadline(self, seconds, "test", stop)


def permitted() -> None:
    """The lease is held."""


class DirectWorker:
    """lease/child.py in this process, over a real directory. With `silent` set nothing is answered any more."""

    def __init__(self) -> None:
        self.silent = ""
        self.asked: list[str] = []

    def ask(self, timeout_s: float, **request: Any) -> dict[str, Any] | NoAnswer:
        self.asked.append(request["verb"])
        if self.silent:
            return NoAnswer(reason=self.silent)
        answer = lease_files.answer(request)
        return NoAnswer(reason=str(answer["failed"])) if "failed" in answer else answer


class FakeFence:
    """The fence's own rules without its process. `is_empty` and `is_gone` are what it sees of service and mounts."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.memory = FenceMemory()
        self.nonce = ""
        self.is_empty = self.is_gone = True
        self.is_dead = False
        self.requests: list[FenceRequest] = []

    def ask(self, request: FenceRequest) -> FenceAnswer:
        if self.is_dead:
            raise FenceError("the fence does not answer: it has ended")
        self.requests.append(request)
        is_accepted, sentence, now_s = True, "", self._clock.monotonic()
        is_clear = self.is_empty and self.is_gone
        if request.verb == "hold":
            memory, sentence = hold_until(
                self.memory, request.generation, request.deadline_s, is_clear=is_clear, now_s=now_s
            )
            is_accepted = memory.generation == request.generation and (memory.deadline_s or 0) >= request.deadline_s
            if is_accepted:
                self.memory, self.nonce = memory, request.nonce
        elif request.verb == "lost":
            self.memory = lost(self.memory, now_s=now_s)
        elif request.verb == "let-go":
            self.memory = let_go(self.memory, is_cgroup_empty=self.is_empty, is_mount_gone=self.is_gone)
            is_accepted = self.memory.deadline_s is None
            sentence = "" if is_accepted else "something is left"
        return FenceAnswer(
            is_accepted=is_accepted,
            sentence=sentence,
            generation=self.memory.generation,
            nonce=self.nonce,
            deadline_s=self.memory.deadline_s,
            is_over=self.memory.is_over,
            is_clear=is_clear,
        )

    def await_ready(self, deadline: Deadline) -> FenceAnswer:
        return self.ask(FenceRequest(verb="look"))

    def verbs(self) -> list[str]:
        return [request.verb for request in self.requests]


def fake_machine(machine: FakeOs, clock: FakeClock) -> Machine:
    """Everything of a machine that is not AWS, with a fence and a lease directory of its own."""
    return Machine(
        clock=clock,
        paths=machine.paths,
        commands=machine,
        links=machine,
        worker=DirectWorker(),
        fence=FakeFence(clock),
        nonce=lambda: "nonce-1",
        boot_id="boot-1",
        image_version="1",
    )


def listeners() -> Listeners:
    """Nobody listens."""
    return Listeners(on_held=lambda _: None, on_lost=lambda _: None, beat_lease=lambda: None)


def cloud_error(code: str, *, retryable: bool = True) -> CloudError:
    return CloudError(f"call: {code}", code=code, retryable=retryable)


@dataclass
class FakeInterfaces:
    """EC2 with one network interface. Refuses what EC2 refuses; `fail` injects errors, before or after the effect."""

    seen: NetworkInterface
    states: dict[str, str | None] = field(default_factory=dict)
    used: frozenset[int] = frozenset({0})
    attach_errors: list[CloudError] = field(default_factory=list)
    is_performed_anyway: bool = False  # the answer is lost, the attachment made
    describe_errors: list[CloudError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    crimes: list[str] = field(default_factory=list)  # what must never happen

    def network_interface(self, network_interface_id: str) -> NetworkInterface:
        self.calls.append("describe")
        if self.describe_errors:
            raise self.describe_errors.pop(0)
        return self.seen

    def instance_state(self, instance_id: str) -> str | None:
        self.calls.append(f"state {instance_id}")
        return self.states.get(instance_id)

    def used_device_indexes(self, instance_id: str) -> frozenset[int]:
        self.calls.append("indexes")
        return self.used

    def attach(self, network_interface_id: str, instance_id: str, device_index: int) -> None:
        self.calls.append(f"attach {device_index}")
        if self.seen.status != "available":
            raise cloud_error("InvalidNetworkInterface.InUse")
        error = self.attach_errors.pop(0) if self.attach_errors else None
        if error is None or self.is_performed_anyway:
            self.seen = replace(
                self.seen,
                status="in-use",
                holder=instance_id,
                attachment_id="eni-attach-1",
                attachment_status="attached",
            )
        if error is not None:
            raise error

    def detach(self, attachment_id: str) -> None:
        self.calls.append("detach")
        if self.seen.holder != ME and self.states.get(self.seen.holder) not in (None, "terminated"):
            self.crimes.append(f"detached from {self.seen.holder}, which is {self.states[self.seen.holder]}")
        self.free()

    def keep_on_termination(self, network_interface_id: str, attachment_id: str) -> None:
        self.calls.append("keep")
        self.seen = replace(self.seen, delete_on_termination=False)

    def free(self) -> None:
        self.seen = replace(self.seen, status="available", holder="", attachment_id="", attachment_status="")


def interface(**changes: Any) -> NetworkInterface:
    plain = NetworkInterface(id="eni-1", status="available", mac="02:00:00:00:00:42", zone="us-east-1a")
    return replace(plain, **changes)


def held_by(holder: str) -> NetworkInterface:
    return interface(status="in-use", holder=holder, attachment_id="eni-attach-0", attachment_status="attached")


def fake_os(root: Path) -> FakeOs:
    """The file-backed machine, with data_child.py called in this process."""
    return FakeOs(root, child=lambda text: json.dumps(data_root.answer(json.loads(text))))


def document_tree(target: str = "/var/lib/demo", **changes: Any) -> dict[str, Any]:
    """A boot document as JSON tree, owned by whoever runs the tests."""
    tree: dict[str, Any] = {
        "version": 1,
        "stack": "soloist-demo",
        "region": "us-east-1",
        "service": {
            "name": "demo",
            "units": ["demo-store.service", "demo.service"],
            "start_timeout_s": 20,
            "stop_timeout_s": 10,
            "health": {
                "checks": [{"kind": "command", "argv": ["probe"]}],
                "start_allowance_s": 30,
                "interval_s": 5,
                "unhealthy_after": 3,
            },
            "hooks": {"before_start": [], "after_start": [], "before_stop": [["say-goodbye"]], "timeout_s": 7},
        },
        "group": {
            "name": "soloist-demo",
            "launch_hook": "boot",
            "launch_hook_timeout_s": 600,
            "terminate_hook": "drain",
        },
        "zones": [
            {
                "name": "us-east-1a",
                "network_interface_id": "eni-1",
                "address": "10.0.100.10",
                "subnet_cidr": "10.0.100.0/24",
                "mount_target_address": "10.0.0.20",
            }
        ],
        "record": {"hosted_zone_id": "Z1", "name": "demo.lab.internal", "ttl_s": 10},
        "file_system": {
            "id": "fs-1",
            "dns_name": "fs-1.efs.us-east-1.amazonaws.com",
            "transport": "nfs",
            "data_access_point_id": "fsap-data",
            "lease_access_point_id": "fsap-lease",
            "data_path": "/demo/data",
            "lease_path": "/demo/lease",
            "directories": [
                {
                    "source": "demo",
                    "target": target,
                    "owner": pwd.getpwuid(os.getuid()).pw_name,
                    "group": grp.getgrgid(os.getgid()).gr_name,
                    "mode": "0750",
                }
            ],
        },
        "lease": {"fence": "proof-or-lease", "timing": {}},
        "deadlines": {"boot_s": 600, "network_interface_s": 300, "mount_s": 20, "record_s": 10, "release_s": 30},
        "state_parameter": "/soloist/demo/state",
        "topic_arn": "arn:aws:sns:us-east-1:123456789012:soloist-demo",
    }
    return {**tree, **changes}


def document(target: str = "/var/lib/demo", **changes: Any) -> BootDocument:
    return parse_tree(document_tree(target, **changes), KINDS)
