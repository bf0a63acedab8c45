"""Ending a former holder, as boto3 is asked for it: never its operating system first, Force only when it is stuck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.errors import CloudError
from bootstrap.base.threads import SystemThreads
from bootstrap.base.timing import LeaseTiming
from bootstrap.cloud.ec2 import Ec2
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.rules.observation import HolderAnswer
from bootstrap.lease.takeover import Takeover
from tests.kit.clock import FakeClock
from tests.kit.cloud import REGION
from tests.kit.lease import ME, OTHER, Newcomer


class StubbedClients:
    """The real EC2 client, which checks each request against EC2's own model; the stub answers instead of the network,
    and refuses a request that is not exactly the next one expected."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "ec2", region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
        )

    def ec2(self) -> Any:
        return self.client


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> StubbedClients:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return StubbedClients()


@pytest.fixture
def stub(clients: StubbedClients) -> Iterator[Stubber]:
    with Stubber(clients.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def ec2_of(clients: Any) -> Ec2:
    return Ec2(clients)


def expect(stub: Stubber, *, is_forced: bool) -> None:
    wanted = {"InstanceIds": [OTHER], "SkipOsShutdown": True, "Force": is_forced}
    stub.add_response("terminate_instances", {"TerminatingInstances": []}, wanted)


@pytest.mark.parametrize("is_forced", [False, True])
def test_the_request_says_both_switches_and_names_one_instance(
    clients: StubbedClients, stub: Stubber, *, is_forced: bool
) -> None:
    expect(stub, is_forced=is_forced)
    ec2_of(clients).terminate(OTHER, is_forced=is_forced)


def test_an_instance_that_ec2_does_not_know_needs_no_ending(clients: StubbedClients, stub: Stubber) -> None:
    stub.add_client_error("terminate_instances", "InvalidInstanceID.NotFound", http_status_code=400)
    ec2_of(clients).terminate(OTHER, is_forced=False)


@pytest.mark.parametrize(
    ("code", "status", "is_retryable"),
    [("OperationNotPermitted", 400, False), ("UnauthorizedOperation", 403, False), ("RequestLimitExceeded", 503, True)],
)
def test_any_other_answer_is_an_error_that_says_whether_again_may_help(
    clients: StubbedClients, stub: Stubber, code: str, status: int, *, is_retryable: bool
) -> None:
    stub.add_client_error("terminate_instances", code, http_status_code=status)
    with pytest.raises(CloudError, match=f"terminate {OTHER}: {code}") as error:
        ec2_of(clients).terminate(OTHER, is_forced=True)
    assert (error.value.code, error.value.retryable) == (code, is_retryable)


class StuckEvidence:
    """EC2 has the holder shutting-down for good, until it is ended by force; the requests are the real adapter's."""

    def __init__(self, world: Newcomer, evidence: LeaseEvidence) -> None:
        self._world, self._evidence = world, evidence
        self.asked_s: list[tuple[bool, float]] = []

    def gather(self, holder: str, deadline: Deadline) -> Any:
        return self._world.evidence.gather(holder, deadline)

    def terminate(self, holder: str, deadline: Deadline, *, is_forced: bool) -> str:
        self.asked_s.append((is_forced, self._world.clock.now_s))
        answer = self._evidence.terminate(holder, Deadline(SystemClock(), 10, "terminate"), is_forced=is_forced)
        self._world.evidence.holder = HolderAnswer(state="terminated" if is_forced else "shutting-down")
        return answer


def test_a_stuck_holder_is_asked_without_its_shutdown_first_and_by_force_after_the_deadline(
    clients: StubbedClients, stub: Stubber, clock: FakeClock, tmp_path: Any
) -> None:
    expect(stub, is_forced=False)
    expect(stub, is_forced=True)
    world, members = Newcomer(tmp_path, clock), Any
    world.put()
    evidence: Any = StuckEvidence(world, LeaseEvidence(ec2_of(clients), members, ME, SystemThreads()))  # type: ignore[arg-type]
    takeover: Takeover = world.takeover("proof")
    takeover._evidence = evidence
    taken = takeover.run(clock.deadline(300))
    assert taken.hold.record.generation == 8
    (first, first_s), (second, second_s) = evidence.asked_s
    assert (first, second) == (False, True)
    assert second_s - first_s >= LeaseTiming().terminate_deadline_s
