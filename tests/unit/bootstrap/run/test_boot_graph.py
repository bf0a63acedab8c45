"""The graph of a boot, exactly: which step waits for which, what runs side by side, what each step does.

test_boot.py has the rules that any graph must keep; here is the one that design and docs/architecture.md draw. A step
that waits for more than it needs costs every heal its seconds, and breaks no rule.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import combinations

import pytest

from bootstrap.base.clock import Deadline, StopRequest, SystemClock
from bootstrap.base.timeline import Timeline
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.imds import Identity
from bootstrap.run.boot import boot_steps
from bootstrap.run.graph import Runner, Step
from bootstrap.run.instance import build_instance
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs
from tests.kit.instance import fake_machine, listeners
from tests.kit.lease import ME

GRAPH: dict[str, set[str]] = {
    "mount-lease": set(),
    "lease": {"mount-lease"},
    "network-interface": {"lease"},
    "mount-data": {"lease"},
    "record": {"lease"},
    "directories": {"mount-data"},
    "service-start": {"directories", "network-interface"},
    "healthy": {"service-start"},
    "launch-hook": {"healthy"},
}
AFTER_THE_LEASE = ("network-interface", "mount-data", "record")
SIDE_BY_SIDE = {
    ("network-interface", "mount-data"),
    ("network-interface", "directories"),
    *((one, "record") for one in ("network-interface", "mount-data")),
    *(("record", one) for one in ("directories", "service-start", "healthy", "launch-hook")),
}


@pytest.fixture
def steps(machine: FakeOs, clock: FakeClock) -> list[Step]:
    identity = Identity(instance_id=ME, zone="us-east-1a", image_id="ami-1", mac="02:00:00:00:00:01")
    real = fake_machine(machine, clock)
    return boot_steps(
        build_instance(document(), identity, machine=real, clients=Clients("us-east-1"), listeners=listeners())
    )


def all_needs(steps: list[Step], name: str) -> set[str]:
    direct = {one for step in steps if step.name == name for one in step.after}
    return direct.union(*(all_needs(steps, one) for one in direct)) if direct else direct


def differences(steps: list[Step]) -> list[str]:
    """How this graph differs from the one that is drawn."""
    found = []
    seen = {step.name: set(step.after) for step in steps}
    for name in sorted({*GRAPH, *seen}):
        if seen.get(name) != GRAPH.get(name):
            found.append(f"{name} waits for {seen.get(name)}, not {GRAPH.get(name)}")
    pairs = {
        (one.name, other.name)
        for one, other in combinations(steps, 2)
        if one.name not in all_needs(steps, other.name) and other.name not in all_needs(steps, one.name)
    }
    found += [f"{one} and {other} may run side by side" for one, other in sorted(pairs - SIDE_BY_SIDE)]
    found += [f"{one} and {other} never run side by side" for one, other in sorted(SIDE_BY_SIDE - pairs)]
    found += [f"only {step.name} is not awaited" for step in steps if step.is_awaited is (step.name == "record")]
    found += [
        f"{step.name} does {step.run.__name__}" for step in steps if step.run.__name__ != step.name.replace("-", "_")
    ]
    return found


def changed(steps: list[Step], name: str, **changes: object) -> list[Step]:
    return [replace(step, **changes) if step.name == name else step for step in steps]  # type: ignore[arg-type]


def test_each_step_waits_for_exactly_what_it_needs(steps: list[Step]) -> None:
    assert differences(steps) == []


def test_a_graph_that_was_changed_is_seen(steps: list[Step]) -> None:
    one_by_one = differences(changed(steps, "mount-data", after=("lease", "network-interface")))
    assert one_by_one[0].startswith("mount-data waits for")
    assert "network-interface and mount-data never run side by side" in one_by_one
    too_early = differences(changed(steps, "record", after=("mount-lease",)))
    assert "lease and record may run side by side" in too_early
    assert differences(changed(steps, "record", is_awaited=True)) == ["only record is not awaited"]
    assert differences(changed(steps, "mount-data", run=steps[0].run)) == ["mount-data does mount_lease"]
    assert differences(steps[:-1])[0] == "launch-hook waits for None, not {'healthy'}"


def played(steps: list[Step]) -> list[str]:
    """Run the graph with steps that only say so; those right after the lease wait until all of them are there."""
    order: list[str] = []
    meeting = threading.Barrier(len(AFTER_THE_LEASE))

    def play(name: str, _: Deadline) -> str:
        order.append(name)
        if name in AFTER_THE_LEASE:
            meeting.wait(timeout=2)
        return name

    clock, stop = SystemClock(), StopRequest()
    silent = [replace(step, run=lambda deadline, name=step.name: play(name, deadline)) for step in steps]  # type: ignore[misc]
    Runner(silent, Timeline(clock, []), clock, stop).run(Deadline(clock, 10, "boot", stop))
    return order


def test_address_data_and_name_are_claimed_at_the_same_time_and_only_by_the_holder(steps: list[Step]) -> None:
    order = played(steps)
    assert order[:2] == ["mount-lease", "lease"]
    assert sorted(order[2:5]) == sorted(AFTER_THE_LEASE)
    assert order[5:] == ["directories", "service-start", "healthy", "launch-hook"]


def test_claims_one_after_the_other_are_seen(steps: list[Step]) -> None:
    with pytest.raises(Exception, match="BrokenBarrier"):
        played(changed(steps, "mount-data", after=("network-interface",)))
