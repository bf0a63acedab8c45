"""The graph keeps the rules: nothing before the holder is sure, no start without mount and address, no wait for DNS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bootstrap.base.errors import BadBootDocument
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.run.boot import HOLDER, boot_steps
from bootstrap.run.graph import Step
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.instance import build


def needs(steps: list[Step], name: str) -> set[str]:
    """All that must have succeeded before `name` starts."""
    by_name = {step.name: step for step in steps}
    direct = set(by_name[name].after)
    return direct.union(*(needs(steps, one) for one in direct)) if direct else direct


def faults(steps: list[Step]) -> list[str]:
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
    if any("record" in step.after for step in steps):
        found.append("something waits for the record")
    if any(step.is_awaited for step in steps if step.name == "record"):
        found.append("the boot waits for the record")
    return found


def test_graph_keeps_the_rules(machine: FakeOs, clock: FakeClock) -> None:
    steps = boot_steps(build(machine, clock))
    assert faults(steps) == []
    assert [step.name for step in steps] == [
        "mount-lease",
        "lease",
        "network-interface",
        "mount-data",
        "record",
        "directories",
        "service-start",
        "healthy",
        "launch-hook",
    ]
    assert needs(steps, "launch-hook") >= {"healthy", "service-start"}


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("service-start", {"after": ("network-interface",)}, "service-start does not wait for mount-data"),
        ("service-start", {"after": ("directories",)}, "service-start does not wait for network-interface"),
        ("network-interface", {"after": ("mount-lease",)}, "network-interface does not wait for lease"),
        ("mount-data", {"after": ("mount-lease",)}, "mount-data does not wait for lease"),
        ("record", {"after": ("mount-lease",)}, "record does not wait for lease"),
        ("record", {"is_awaited": True}, "the boot waits for the record"),
        ("healthy", {"after": ("service-start", "record")}, "something waits for the record"),
    ],
)
def test_graph_broken_on_purpose_is_seen(
    machine: FakeOs, clock: FakeClock, name: str, changes: dict[str, object], fault: str
) -> None:
    steps = [
        replace(step, **changes) if step.name == name else step  # type: ignore[arg-type]
        for step in boot_steps(build(machine, clock))
    ]
    assert fault in faults(steps)


def test_zone_that_the_document_does_not_know_is_refused(machine: FakeOs, clock: FakeClock) -> None:
    with pytest.raises(BadBootDocument, match="zones: none is us-east-1f, only us-east-1a"):
        build(machine, clock, "us-east-1f")


def test_instance_speaks_of_itself(machine: FakeOs, clock: FakeClock) -> None:
    instance = build(machine, clock)
    assert instance.wanted_record.values == ("10.0.100.10",)
    assert isinstance(instance.auto_scaling, AutoScaling)
