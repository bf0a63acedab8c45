"""Each way a run ends: all is given back in reverse, what stays is named, who is told, and the exit code."""

import signal
import sys
from typing import Any

import pytest

from bootstrap.base.errors import ExitCode, LeaseRefused
from bootstrap.machine import outsiders
from bootstrap.machine.commands import Completed
from tests.kit.clock import FakeClock
from tests.kit.ending import LOST, EndingInstance
from tests.kit.fake_os import FakeOs
from tests.kit.lease import ME


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> EndingInstance:
    return EndingInstance(machine, clock)


def test_a_lost_lease_is_told_has_the_instance_replaced_and_gives_back_only_what_is_its_own(
    world: EndingInstance,
) -> None:
    world.lose()
    assert world.ending.lease_lost(LOST) is ExitCode.FAILED
    assert world.published == [
        ("soloist demo: the lease was lost (lease-lost)", f"demo on {ME} in us-east-1a, generation 7: {LOST.sentence}")
    ]
    assert world.group.said == ["ABANDON"]
    assert {report["reason"] for report in world.reports} == {"lease-lost"}
    assert world.status == [f"lease-lost: {LOST.sentence}"]
    assert world.interfaces.calls == []
    assert list(world.outcomes()) == ["service-stop", "outsiders", "unmount", "fence-let-go", "unmount-lease"], (
        "no sync"
    )


def test_an_end_that_the_group_cannot_be_told_of_is_reported_with_its_reason_and_starts_the_agent_again(
    world: EndingInstance,
) -> None:
    """An instance that is InService and cut off was left alone for good: no hook waits for it, and EC2 sees nothing."""
    world.group.is_silent = True
    refused = LeaseRefused("another one serves", reason="surplus", remedy="")
    assert world.ending.boot_failed(refused) is ExitCode.NOT_TOLD
    assert world.reports[-1]["reason"] == "surplus"
    world.lose()
    assert world.ending.lease_lost(LOST) is ExitCode.NOT_TOLD
    assert world.reports[-1]["reason"] == "lease-lost"


def test_a_service_given_up_is_told_with_its_generation(world: EndingInstance) -> None:
    world.hold()
    assert world.ending.given_up("3 restarts did not help", "service-failed") is ExitCode.FAILED
    text = f"demo on {ME} in us-east-1a, generation 7: 3 restarts did not help"
    assert world.published == [("soloist demo: instance reported unhealthy (service-failed)", text)]


def test_a_boot_that_failed_is_told_with_its_generation_where_it_has_one(world: EndingInstance) -> None:
    error = LeaseRefused("this instance is surplus", reason="surplus", remedy="Nothing is wrong")
    assert world.ending.boot_failed(error) is error.exit_code
    assert world.published == [("soloist demo: boot failed (surplus)", f"demo on {ME} in us-east-1a: {error}")]
    world.hold()
    world.ending.boot_failed(error)
    assert world.published[-1][1] == f"demo on {ME} in us-east-1a, generation 7: {error}"
    assert world.group.said == ["ABANDON", "ABANDON"]


# ------------------------------------------------------------------ what is given back
def test_all_is_given_back_in_reverse_order(world: EndingInstance) -> None:
    world.boot()
    before = len(world.machine.log())
    assert world.release() == []
    done = [line for line in world.machine.log()[before:] if not line.startswith("systemctl show")]
    assert done == [
        "say-goodbye",
        "systemctl stop demo.service",
        "systemctl stop demo-store.service",
        f"{sys.executable} -I -S {outsiders.CHILD}",
        f"sync -f {world.root}",
        f"umount {world.target}",
        f"umount {world.root}",
        f"umount {world.machine.paths.lease_root}",
    ]
    assert world.interfaces.seen.status == "available"
    assert set(world.outcomes().values()) == {"ok"}


def test_half_done_boot_and_second_time_are_fine_and_what_is_not_mounted_is_not_synced(world: EndingInstance) -> None:
    world.interfaces.free()
    assert world.release() == []
    assert world.release() == []
    assert not any(line.startswith("sync") for line in world.machine.log())


def test_hung_file_system_is_named_and_the_rest_still_done(world: EndingInstance) -> None:
    world.boot()
    world.machine.hung = {world.root, world.target}
    assert world.release() == [
        f"{world.root} was not written back in time",
        f"{world.target} could not be unmounted",
        f"{world.root} could not be unmounted",
    ]
    assert world.interfaces.seen.status == "available"
    assert world.outcomes()["unmount"] == "failed"


OUTSIDER = {"pid": 42, "name": "tail", "group": "/system.slice", "uses": "has x open", "is_writing": False}
REFUSED = ["tail (process 42 in /system.slice) has x open", "the lease is not released: the data are still in use"]


@pytest.mark.parametrize(
    ("ends_by", "left"), [([signal.SIGTERM], []), ([signal.SIGKILL], []), ([], REFUSED)], ids=["term", "kill", "stays"]
)
def test_who_uses_the_data_outside_the_service_is_named_and_ended_or_the_release_refused(
    world: EndingInstance, caplog: pytest.LogCaptureFixture, ends_by: list[int], left: list[str]
) -> None:
    """efs-csi#112: a log shipper's `tail -F` kept the unmount busy. coreos/bugs#1086: written to after the release."""
    world.boot()
    world.hold()
    world.machine.know(outsiders=[{**OUTSIDER, "ends_by": ends_by}])
    fence: Any = world.instance.machine.fence
    began_s = world.clock.now_s
    assert [sentence for sentence in world.release() if "not confirmed" not in sentence] == left
    assert world.clock.now_s - began_s < 30
    assert f"ended before the release: {REFUSED[0]}" in caplog.text
    assert ("let-go" in fence.verbs()) is (not left)
    assert world.machine.mounts() == []


def test_hook_that_fails_does_not_keep_the_service_alive(world: EndingInstance) -> None:
    world.boot()
    world.machine.refusing["say-goodbye"] = Completed(exit_code=1, output="")
    assert world.release() == []
    assert world.machine.unit("demo.service") == "inactive"


def test_interface_that_stays_is_named(world: EndingInstance) -> None:
    world.interfaces.free = lambda: None  # type: ignore[method-assign]
    assert world.release() == ["eni-1 is not seen detached"]
