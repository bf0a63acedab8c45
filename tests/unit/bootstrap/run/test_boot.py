"""The graph keeps the rules: nothing before the holder is sure, no start without mount and address, no wait for the
connection, and the claims side by side, because one after the other would cost every heal its seconds."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from bootstrap.base.clock import Deadline, StopRequest, SystemClock
from bootstrap.base.errors import BadBootDocument
from bootstrap.base.timeline import Timeline
from bootstrap.run.boot import HOLDER, boot_steps
from bootstrap.run.graph import BootStep, Runner
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.instance import build


def needs(steps: list[BootStep], name: str) -> set[str]:
    """All that must have succeeded before `name` starts."""
    by_name = {step.name: step for step in steps}
    direct = set(by_name[name].after)
    return direct.union(*(needs(steps, one) for one in direct)) if direct else direct


def faults(steps: list[BootStep]) -> list[str]:
    """The checker: what of the rules this graph breaks."""
    found = [
        f"{step.name} does not wait for {one}"
        for step in steps
        if step.name not in (*HOLDER, "mount-lease")
        for one in HOLDER
        if one not in needs(steps, step.name)
    ]
    for one in ("mount-data", "directories", "network-interface"):
        if one not in needs(steps, "service-start"):
            found.append(f"service-start does not wait for {one}")
    if any("connection" in step.after for step in steps):
        found.append("something waits for the connection")
    if any(step.is_awaited for step in steps if step.name == "connection"):
        found.append("the boot waits for the connection")
    found += [
        f"{step.name} does {step.run.__name__}" for step in steps if step.run.__name__ != step.name.replace("-", "_")
    ]
    return found


def test_graph_keeps_the_rules(machine: FakeOs, clock: FakeClock) -> None:
    steps = boot_steps(build(machine, clock))
    assert faults(steps) == []
    assert needs(steps, "launch-hook") >= {"healthy", "service-start"}


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("service-start", {"after": ("network-interface",)}, "service-start does not wait for mount-data"),
        ("service-start", {"after": ("directories",)}, "service-start does not wait for network-interface"),
        ("network-interface", {"after": ("mount-lease",)}, "network-interface does not wait for lease"),
        ("mount-data", {"after": ("mount-lease",)}, "mount-data does not wait for lease"),
        ("connection", {"after": ("mount-lease",)}, "connection does not wait for lease"),
        ("connection", {"is_awaited": True}, "the boot waits for the connection"),
        ("healthy", {"after": ("service-start", "connection")}, "something waits for the connection"),
    ],
)
def test_graph_broken_on_purpose_is_seen(
    machine: FakeOs, clock: FakeClock, name: str, changes: dict[str, object], fault: str
) -> None:
    assert fault in faults(changed(boot_steps(build(machine, clock)), name, **changes))


def test_zone_that_the_document_does_not_know_is_refused(machine: FakeOs, clock: FakeClock) -> None:
    with pytest.raises(BadBootDocument, match="zones: none is us-east-1f, only us-east-1a"):
        build(machine, clock, "us-east-1f")


CLAIMS = ("network-interface", "mount-data", "connection")


def changed(steps: list[BootStep], name: str, **changes: object) -> list[BootStep]:
    return [replace(step, **changes) if step.name == name else step for step in steps]  # type: ignore[arg-type]


def played(steps: list[BootStep]) -> list[str]:
    """Run the graph with steps that only say so; each claim waits until all claims have begun."""
    order: list[str] = []
    meeting = threading.Barrier(len(CLAIMS))

    def play(name: str, _: Deadline) -> str:
        order.append(name)
        if name in CLAIMS:
            meeting.wait(timeout=2)
        return name

    clock, stop = SystemClock(), StopRequest()
    silent = [replace(step, run=lambda deadline, name=step.name: play(name, deadline)) for step in steps]  # type: ignore[misc]
    Runner(silent, Timeline(clock, []), clock, stop).run(Deadline(clock, 10, "boot", stop))
    return order


def test_address_data_and_connection_are_claimed_at_the_same_time_and_only_by_the_holder(
    machine: FakeOs, clock: FakeClock
) -> None:
    order = played(boot_steps(build(machine, clock)))
    assert order[order.index("lease") + 1 :][: len(CLAIMS)] == sorted(CLAIMS, key=order.index)
    assert order.index("directories") > order.index("mount-data")


def test_claims_one_after_the_other_are_seen(machine: FakeOs, clock: FakeClock) -> None:
    one_by_one = changed(boot_steps(build(machine, clock)), "mount-data", after=("network-interface",))
    with pytest.raises(Exception, match="BrokenBarrier"):
        played(one_by_one)


def test_a_step_that_does_the_work_of_another_is_seen(machine: FakeOs, clock: FakeClock) -> None:
    steps = boot_steps(build(machine, clock))
    assert faults(changed(steps, "mount-data", run=steps[0].run)) == ["mount-data does mount_lease"]
