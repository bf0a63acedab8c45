"""The contract of a connection, with a second kind: an Elastic IP address, associated with the holder's interface."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, CloudError, DeadlineExceeded, NotHolder
from bootstrap.base.retry import NotYet
from bootstrap.claims.connection.contract import Connection, establish
from bootstrap.cloud.clients import passes_with_time
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error


@dataclass
class ElasticIp:
    """Associations of one address, as EC2 would keep them."""

    name: str = "203.0.113.7"
    mine: str = "eni-1"
    associated: str = "eni-0"
    is_holder: bool = True
    errors: list[CloudError] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def claim(self, generation: int) -> str:
        self.said.append(f"claim {generation}")
        if not self.is_holder:
            raise NotYet(str(NotHolder("there is generation 9: nothing is touched")))
        if self.errors:
            raise self.errors.pop(0)
        before, self.associated = self.associated, self.mine
        return f"{self.name} moves from {before} to {self.mine}"

    def verify(self, _generation: int) -> str:
        return "" if self.associated == self.mine else f"{self.name} is associated with {self.associated}"

    def release(self, _deadline: Deadline) -> list[str]:
        self.associated = ""
        return []

    def passes(self, error: AgentError, elapsed_s: float) -> bool:
        return passes_with_time(error, elapsed_s)


def established(connection: Connection, clock: FakeClock) -> str:
    return establish(connection, 8, clock.deadline(30))


def test_another_kind_is_claimed_with_the_generation_and_verified(clock: FakeClock) -> None:
    address = ElasticIp(errors=[cloud_error("RequestLimitExceeded")])
    assert established(address, clock) == "203.0.113.7 moves from eni-0 to eni-1"
    assert address.said == ["claim 8", "claim 8"]
    assert clock.waits == [1]


class Forgetful(ElasticIp):
    def claim(self, generation: int) -> str:
        super().claim(generation)
        self.associated = "eni-9"
        return "moved"


def test_a_claim_that_is_not_there_afterwards_is_not_believed(clock: FakeClock) -> None:
    with pytest.raises(DeadlineExceeded, match=r"last seen: 203\.0\.113\.7 is associated with eni-9"):
        established(Forgetful(), clock)


def test_who_is_not_the_holder_changes_nothing(clock: FakeClock) -> None:
    address = ElasticIp(is_holder=False)
    with pytest.raises(DeadlineExceeded, match="there is generation 9: nothing is touched"):
        established(address, clock)
    assert address.associated == "eni-0"


def test_an_error_that_does_not_pass_is_raised_at_once(clock: FakeClock) -> None:
    with pytest.raises(CloudError, match="InvalidAllocationID"):
        established(ElasticIp(errors=[cloud_error("InvalidAllocationID.NotFound", retryable=False)]), clock)
    assert clock.waits == []
