"""The claim of the network interface: decided by what EC2 shows, never taken from a live instance."""

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import ClaimRefused, CloudError, DeadlineExceeded, LinkError, NotHolder, StopRequested
from bootstrap.claims.network_interface import (
    Claim,
    ClaimAction,
    ClaimDecision,
    decide_claim,
    free_device_index,
    make_usable,
)
from bootstrap.cloud.ec2 import Ec2, NetworkInterface
from bootstrap.machine.links import LinkPlan, LinkState
from tests.kit.clock import FakeClock
from tests.kit.cloud import Cloud, FakeInterfaces, attached_to, cloud_error, interface, permitted
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs
from tests.kit.lease import ME, OTHER

ZONE = document().zones[0]


BESIDE = "eni-1 is attached to i-other, which is"


@pytest.mark.parametrize(
    ("seen", "other_state", "action", "sentence"),
    [
        (interface(), None, ClaimAction.ATTACH, "eni-1 is available: attach it"),
        (attached_to(ME), None, ClaimAction.DONE, "eni-1 is attached to this instance"),
        *[
            (
                interface(status="in-use", instance_id=ME, attachment_status=status),
                None,
                ClaimAction.WAIT,
                f"eni-1 is {status} here",
            )
            for status in ("attaching", "detaching")
        ],
        *[
            (attached_to(OTHER), state, ClaimAction.WAIT, f"{BESIDE} {state or 'gone'}: wait until EC2 detaches it")
            for state in (None, "terminated", "shutting-down")
        ],
        *[
            (attached_to(OTHER), state, ClaimAction.IN_USE, f"{BESIDE} {state}: never taken from a live instance")
            for state in ("pending", "running", "stopping", "stopped")
        ],
        *[
            (interface(status=status), None, ClaimAction.WAIT, f"eni-1 is {status}: wait")
            for status in ("attaching", "detaching", "in-use")
        ],
    ],
)
def test_states_are_decided(
    seen: NetworkInterface, other_state: str | None, action: ClaimAction, sentence: str
) -> None:
    assert decide_claim(seen, ME, other_state) == ClaimDecision(action=action, sentence=sentence)


@pytest.mark.parametrize(("used", "free"), [({0}, 1), ({0, 1}, 2), ({0, 2}, 1), (set(), 1), ({0, 1, 2}, 3)])
def test_the_lowest_device_index_that_is_not_taken_is_used(used: set[int], free: int) -> None:
    assert free_device_index(frozenset(used)) == free


def claim(fake: Any) -> Claim:
    return Claim(fake, ZONE, ME, permitted)


def test_available_is_attached_without_asking_for_the_instance(clock: FakeClock) -> None:
    fake = FakeInterfaces(interface())
    assert claim(fake).acquire(clock.deadline()).instance_id == ME
    assert fake.calls == ["describe", "attach 1", "describe"]


def test_the_machine_is_prepared_for_the_device_before_it_is_attached_and_where_it_is_attached(
    clock: FakeClock,
) -> None:
    fake = FakeInterfaces(interface())

    def prepare(mac: str, _deadline: Deadline) -> None:
        fake.calls.append(f"prepare {mac}")

    for _ in range(2):
        Claim(fake, ZONE, ME, permitted, prepare).acquire(clock.deadline())
    prepared = f"prepare {interface().mac}"
    assert fake.calls == ["describe", prepared, "attach 1", "describe", "describe", prepared]


def test_already_mine_is_done_at_once(clock: FakeClock) -> None:
    fake = FakeInterfaces(attached_to(ME))
    claim(fake).acquire(clock.deadline())
    assert fake.calls == ["describe"]
    assert clock.waits == []


@pytest.mark.parametrize(
    "code",
    [
        "InvalidNetworkInterface.InUse",
        "InvalidParameterValue",
        "IncorrectState",
        "RequestLimitExceeded",
        "Throttling",
        "InternalError",
        "InvalidInstanceID.NotFound",
        "InvalidNetworkInterfaceID.NotFound",
        "ReadTimeoutError",
    ],
)
def test_attach_error_is_looked_at_again_and_retried(clock: FakeClock, code: str) -> None:
    fake = FakeInterfaces(interface(), attach_errors=[cloud_error(code)])
    claim(fake).acquire(clock.deadline())
    assert fake.calls == ["describe", "attach 1", "describe", "indexes", "attach 1", "describe"]


@pytest.mark.parametrize("retryable", [True, False])
def test_attach_performed_although_the_answer_was_an_error_is_done(clock: FakeClock, *, retryable: bool) -> None:
    lost = cloud_error("InternalError", retryable=retryable)
    fake = FakeInterfaces(interface(), attach_errors=[lost], is_performed_anyway=True)
    assert claim(fake).acquire(clock.deadline()).instance_id == ME
    assert fake.calls == ["describe", "attach 1", "describe"]


def test_device_index_taken_the_next_free_one_is_used(clock: FakeClock) -> None:
    fake = FakeInterfaces(interface(), attach_errors=[cloud_error("InvalidParameterValue")], used=frozenset({0, 1}))
    claim(fake).acquire(clock.deadline())
    assert "attach 2" in fake.calls


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AuthFailure"])
def test_refusal_of_a_young_role_is_retried_only_for_a_while(clock: FakeClock, code: str) -> None:
    denied = [cloud_error(code, retryable=False) for _ in range(500)]
    fake = FakeInterfaces(interface(), attach_errors=denied[:3])
    assert claim(fake).acquire(clock.deadline()).instance_id == ME
    fake = FakeInterfaces(interface(), attach_errors=denied)
    started_s = clock.now_s
    with pytest.raises(CloudError, match=code):
        claim(fake).acquire(clock.deadline(600))
    assert 120 <= clock.now_s - started_s < 125


def test_hopeless_describe_is_raised_with_its_own_code(clock: FakeClock) -> None:
    errors = [cloud_error("InvalidNetworkInterfaceId.Malformed", retryable=False), cloud_error("InternalError")]
    with pytest.raises(CloudError, match="Malformed"):
        claim(FakeInterfaces(interface(), describe_errors=errors)).acquire(clock.deadline())


@pytest.mark.parametrize("state", ["shutting-down", "terminated", None])
def test_dead_holder_is_waited_for(clock: FakeClock, state: str | None) -> None:
    fake = FakeInterfaces(attached_to(OTHER), states={OTHER: state})
    clock.at(20, fake.free)
    assert claim(fake).acquire(clock.deadline()).instance_id == ME
    assert "detach" not in fake.calls
    assert all(0.7 * 1.5 <= wait <= 1.3 * 1.5 for wait in clock.waits)


def test_stop_ends_the_wait(clock: FakeClock) -> None:
    stop = StopRequest()
    clock.at(5, lambda: stop.request("SIGTERM received"))
    fake = FakeInterfaces(attached_to(OTHER), states={OTHER: "running"})
    with pytest.raises(StopRequested, match="SIGTERM received"):
        claim(fake).acquire(clock.deadline(30, stop))


def test_delete_on_termination_is_switched_off(clock: FakeClock) -> None:
    fake = FakeInterfaces(interface(delete_on_termination=True))
    claim(fake).acquire(clock.deadline())
    assert fake.calls[-1] == "keep"
    assert not fake.seen.delete_on_termination


def test_release_detaches_only_what_is_mine(clock: FakeClock) -> None:
    mine, others = FakeInterfaces(attached_to(ME)), FakeInterfaces(attached_to(OTHER), states={OTHER: "running"})
    assert claim(mine).release(clock.deadline())
    assert mine.calls.count("detach") == 1
    assert claim(others).release(clock.deadline())
    assert "detach" not in others.calls


# ------------------------------------------------------------------ the rules, broken on purpose
class Thief(Claim):
    """Takes the network interface from whoever has it."""

    def acquire(self, deadline: Deadline) -> NetworkInterface:
        seen = self._interfaces.network_interface(self._id)
        if seen.instance_id not in ("", ME):
            self._interfaces.detach(seen.attachment_id)
        return super().acquire(deadline)


class Credulous(Claim):
    """Believes an error of the attach call."""

    def acquire(self, deadline: Deadline) -> NetworkInterface:
        self._interfaces.attach(self._id, ME, 1)
        return self._interfaces.network_interface(self._id)


def test_a_thief_is_seen(clock: FakeClock) -> None:
    fake = FakeInterfaces(attached_to(OTHER), states={OTHER: "running"})
    Thief(fake, ZONE, ME, permitted).acquire(clock.deadline())
    assert fake.crimes == ["detached from i-other, which is running"]


def test_a_credulous_claim_fails_where_ours_succeeds(clock: FakeClock) -> None:
    fake = FakeInterfaces(interface(), attach_errors=[cloud_error("InternalError")], is_performed_anyway=True)
    with pytest.raises(CloudError):
        Credulous(fake, ZONE, ME, permitted).acquire(clock.deadline())


def test_a_refusal_of_the_lease_attaches_nothing_and_verified_it_goes_on(clock: FakeClock) -> None:
    fake = FakeInterfaces(interface())
    refusals = ["the lease directory does not answer: nothing is touched"]

    def permit() -> None:
        if refusals:
            raise NotHolder(refusals.pop(0))

    Claim(fake, ZONE, ME, permit).acquire(clock.deadline())
    assert [call for call in fake.calls if call.startswith("attach")] == ["attach 1"]
    assert clock.waits, "the first time it was refused"


# ------------------------------------------------------------------ against the strict AWS
def strict_claim(aws: Cloud, network_interface_id: str, instance_id: str) -> Claim:
    return Claim(Ec2(aws.clients), replace(ZONE, network_interface_id=network_interface_id), instance_id, permitted)


def test_strict_aws_attach_again_and_release(aws: Cloud, clock: FakeClock) -> None:
    instance, eni = aws.run_instance(), aws.network_interface()
    ours = strict_claim(aws, eni, instance)
    for _ in range(2):
        seen = ours.acquire(clock.deadline())
        assert (seen.instance_id, seen.attachment_status, seen.delete_on_termination) == (instance, "attached", False)
    assert Ec2(aws.clients).used_device_indexes(instance) == {0, 1}
    assert ours.release(clock.deadline())
    assert Ec2(aws.clients).network_interface(eni).status == "available"


def test_strict_aws_live_holder_keeps_it_until_it_is_terminated(aws: Cloud, clock: FakeClock) -> None:
    old, new, eni = aws.run_instance(), aws.run_instance(), aws.network_interface()
    strict_claim(aws, eni, old).acquire(clock.deadline())
    newcomer = strict_claim(aws, eni, new)
    with pytest.raises(ClaimRefused, match=f"{old}, which is running"):
        newcomer.acquire(clock.deadline(20))
    assert Ec2(aws.clients).network_interface(eni).instance_id == old
    aws.clients.ec2().terminate_instances(InstanceIds=[old])
    aws.aws.advance(120)
    assert newcomer.acquire(clock.deadline()).instance_id == new


def test_strict_aws_unknown_interface_is_a_named_timeout(aws: Cloud, clock: FakeClock) -> None:
    ours = strict_claim(aws, "eni-0123456789abcdef0", aws.run_instance())
    with pytest.raises(DeadlineExceeded, match=r"InvalidNetworkInterfaceID\.NotFound"):
        ours.acquire(clock.deadline(20))


# ------------------------------------------------------------------ the operating system's side
def test_make_usable_configures_verifies_and_is_idempotent(machine: FakeOs, clock: FakeClock) -> None:
    for _ in range(2):
        assert make_usable(machine, ZONE, "02:00:00:00:00:42", clock.deadline()) == "10.0.100.10 on vec1"


class LateDevice(FakeOs):
    appeared = False

    def find(self, mac: str) -> tuple[str, int] | None:
        return ("vec1", 3) if self.appeared else None


class DeafDevice(FakeOs):
    def configure(self, plan: LinkPlan) -> None:
        """Says nothing and does nothing."""

    def observe(self, plan: LinkPlan) -> LinkState:
        return LinkState(is_up=True, addresses=frozenset(), rules=frozenset(), routes=frozenset())


def test_make_usable_waits_for_the_device(machine: FakeOs, clock: FakeClock) -> None:
    late = LateDevice(machine.root)
    clock.at(3, lambda: setattr(late, "appeared", True))
    make_usable(late, ZONE, "02:00:00:00:00:42", clock.deadline())
    late.appeared = False
    with pytest.raises(DeadlineExceeded, match="no device with MAC 02:00:00:00:00:42"):
        make_usable(late, ZONE, "02:00:00:00:00:42", clock.deadline(10))


def test_make_usable_believes_only_what_it_reads_back(machine: FakeOs, clock: FakeClock) -> None:
    with pytest.raises(
        LinkError, match=r"vec1 has no address 10\.0\.100\.10/24; no rule from 10\.0\.100\.10 to table 20003"
    ):
        make_usable(DeafDevice(machine.root), ZONE, "02:00:00:00:00:42", clock.deadline())
