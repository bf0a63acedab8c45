"""The connection by Route 53: the record moves by compare-and-swap and never overwrites what it has not seen."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import (
    AgentError,
    CloudError,
    DeadlineExceeded,
    NotHolder,
    RecordOfAnotherKind,
    StopRequested,
)
from bootstrap.claims.connection.contract import PATIENCE_S, WatchedConnection, establish
from bootstrap.claims.connection.route53 import (
    TTL_STEPS,
    Permit,
    RecordAction,
    RecordStore,
    Route53Connection,
    decide_record,
    record_ttl_s,
)
from bootstrap.cloud.clients import passes_with_time
from bootstrap.cloud.route53 import RecordSet, Route53, normalized
from tests.kit.clock import FakeClock
from tests.kit.cloud import Cloud, cloud_error, permitted
from tests.kit.lease import SeenTroubles

NAME = "demo.lab.internal"
GENERATION = 8  # the record of this generation has the whole TTL
WANTED = RecordSet(name=NAME, values=("10.0.100.10",), ttl_s=10)


def record(value: str, ttl_s: int = 10) -> RecordSet:
    return RecordSet(name=NAME, values=(value,), ttl_s=ttl_s)


def move_record(store: RecordStore, wanted: RecordSet, deadline: Deadline, permit: Permit) -> str:
    """Have the connection lead to the address of `wanted`."""
    connection = Route53Connection(store, name=NAME, address=wanted.values[0], ttl_s=wanted.ttl_s, permit=permit)
    return establish(connection, GENERATION, deadline)


class FakeStore:
    """A record set that refuses a stale DELETE, as Route 53 does; `rival` writes between a read and a swap."""

    def __init__(self, held: RecordSet | None) -> None:
        self.held = held
        self.errors: list[CloudError] = []
        self.is_performed_anyway = False
        self.rival: Callable[[], None] | None = None
        self.swaps: list[tuple[RecordSet | None, RecordSet]] = []

    def address_record(self, name: str) -> RecordSet | None:
        return self.held

    def swap(self, old: RecordSet | None, new: RecordSet) -> None:
        if self.rival is not None:
            self.rival()
            self.rival = None
        error = self.errors.pop(0) if self.errors else None
        if error is not None and not self.is_performed_anyway:
            raise error
        if old != self.held:
            raise cloud_error("InvalidChangeBatch")
        self.swaps.append((old, new))
        self.held = new
        if error is not None:
            raise error

    def overwrite(self, new: RecordSet) -> None:
        """An UPSERT, which the agent must never use."""
        self.held = new


@pytest.mark.parametrize(
    ("seen", "action", "sentence"),
    [
        (None, RecordAction.CREATE, f"{NAME} is missing: create 10.0.100.10"),
        (record("10.0.100.10"), RecordAction.KEEP, f"{NAME} already is 10.0.100.10"),
        (record("10.0.101.10"), RecordAction.SWAP, f"{NAME} moves from 10.0.101.10 to 10.0.100.10"),
        (record("10.0.100.10", 300), RecordAction.SWAP, f"{NAME} moves from 10.0.100.10 to 10.0.100.10"),
        (replace(WANTED, other_kind="a CNAME to b"), RecordAction.REFUSE, f"{NAME} is a CNAME to b"),
    ],
)
def test_each_record_found_has_its_action(seen: RecordSet | None, action: RecordAction, sentence: str) -> None:
    decision = decide_record(seen, WANTED)
    assert (decision.action, decision.sentence) == (action, sentence)


@pytest.mark.parametrize(
    "code", ["Throttling", "PriorRequestNotComplete", "InvalidChangeBatch", "InternalError", "EndpointConnectionError"]
)
def test_error_is_retried_with_growing_pauses(clock: FakeClock, code: str) -> None:
    store = FakeStore(record("10.0.101.10"))
    store.errors = [cloud_error(code) for _ in range(6)]
    move_record(store, WANTED, clock.deadline(), permitted)
    assert store.held == WANTED
    assert clock.waits == [1, 2, 4, 8, 16, 20]


def test_lost_answer_is_found_done(clock: FakeClock) -> None:
    store = FakeStore(record("10.0.101.10"))
    store.errors, store.is_performed_anyway = [cloud_error("ReadTimeoutError")], True
    assert move_record(store, WANTED, clock.deadline(), permitted) == f"{NAME} already is 10.0.100.10"
    assert len(store.swaps) == 1


def test_a_swap_is_believed_only_when_it_was_read_back(clock: FakeClock) -> None:
    store = FakeStore(record("10.0.101.10"))
    ignored = [True, True]

    def ignore() -> None:
        """Route 53 accepts the change, and something else puts the old value back."""
        if ignored:
            ignored.pop()
            store.swap = lambda _old, _new: None  # type: ignore[method-assign]
        else:
            del store.swap  # type: ignore[method-assign]

    move_record(store, WANTED, clock.deadline(), ignore)
    assert store.held == WANTED
    assert clock.waits == [1, 2]


def test_a_stop_ends_the_claim(clock: FakeClock) -> None:
    stop = StopRequest()
    stop.request("SIGTERM received")
    with pytest.raises(StopRequested, match="SIGTERM"):
        move_record(FakeStore(None), WANTED, clock.deadline(30, stop), permitted)


def never_overwrites_unseen(move: Callable[[Any], object]) -> bool:
    """The checker: a rival's value, written while we were deciding, must be named exactly by what replaces it."""
    store = FakeStore(record("10.0.101.10"))
    store.rival = lambda: store.overwrite(record("10.0.102.10"))
    move(store)
    return store.swaps == [(record("10.0.102.10"), WANTED)]


def test_unconditional_upsert_is_seen(clock: FakeClock) -> None:
    def upsert(store: FakeStore) -> None:
        if store.rival is not None:
            store.rival()
        store.overwrite(WANTED)

    assert not never_overwrites_unseen(upsert)
    assert never_overwrites_unseen(lambda store: move_record(store, WANTED, clock.deadline(), permitted))


# ------------------------------------------------------------------ against the strict AWS
@pytest.fixture
def zone_id(aws: Cloud) -> str:
    made = boto3.client("route53").create_hosted_zone(Name="lab.internal", CallerReference="1")
    found: str = made["HostedZone"]["Id"].rsplit("/", 1)[-1]
    return found


def test_strict_aws_creates_keeps_and_moves(aws: Cloud, clock: FakeClock, zone_id: str) -> None:
    store: RecordStore = Route53(aws.clients, zone_id)
    assert store.address_record(NAME) is None
    assert move_record(store, WANTED, clock.deadline(), permitted).endswith("create 10.0.100.10")
    assert move_record(store, WANTED, clock.deadline(), permitted).endswith("already is 10.0.100.10")
    assert move_record(store, record("10.0.101.10"), clock.deadline(), permitted).endswith("to 10.0.101.10")
    assert store.address_record(NAME) == record("10.0.101.10")
    assert clock.waits == []


def test_strict_aws_stale_swap_is_an_invalid_change_batch(aws: Cloud, clock: FakeClock, zone_id: str) -> None:
    store = Route53(aws.clients, zone_id)
    store.swap(None, record("10.0.101.10"))
    stale = store.address_record(NAME)
    store.swap(stale, record("10.0.102.10"))
    with pytest.raises(CloudError) as caught:
        store.swap(stale, WANTED)
    assert (caught.value.code, caught.value.retryable) == ("InvalidChangeBatch", True)
    assert store.address_record(NAME) == record("10.0.102.10")


def test_strict_aws_neighbour_is_not_taken_for_the_record(aws: Cloud, zone_id: str) -> None:
    store = Route53(aws.clients, zone_id)
    store.swap(None, RecordSet(name="zebra.lab.internal", values=("10.0.0.1",), ttl_s=10))
    assert store.address_record(NAME) is None


PLAIN = {"TTL": 10, "ResourceRecords": [{"Value": "10.0.101.10"}]}
OTHER_KINDS: list[tuple[str, list[dict[str, Any]]]] = [
    ("a CNAME to b.lab.internal", [{"Type": "CNAME", "TTL": 10, "ResourceRecords": [{"Value": "b.lab.internal"}]}]),
    (
        "an alias of b.lab.internal.",
        [
            {
                "Type": "A",
                "AliasTarget": {"HostedZoneId": "Z", "DNSName": "b.lab.internal.", "EvaluateTargetHealth": False},
            }
        ],
    ),
    (
        "a set of A records with weights, one of them 'one'",
        [{"Type": "A", "SetIdentifier": name, "Weight": weight, **PLAIN} for name, weight in (("one", 1), ("two", 0))],
    ),
    (
        "a set of A records with latency routing, one of them 'one'",
        [{"Type": "A", "SetIdentifier": "one", "Region": "us-east-1", **PLAIN}],
    ),
    (
        "a set of A records with failover routing, one of them 'one'",
        [{"Type": "A", "SetIdentifier": "one", "Failover": "PRIMARY", **PLAIN}],
    ),
    (
        "a set of CNAME records with weights, one of them 'one'",
        [{"Type": "CNAME", "SetIdentifier": "one", "Weight": 1, "TTL": 10, "ResourceRecords": [{"Value": "b.lab"}]}],
    ),
]


@pytest.mark.parametrize(("kind", "present"), OTHER_KINDS, ids=[kind for kind, _ in OTHER_KINDS])
def test_strict_aws_a_record_of_another_kind_is_left_alone_and_said_until_it_is_gone(
    aws: Cloud, clock: FakeClock, zone_id: str, kind: str, present: list[dict[str, Any]]
) -> None:
    """kubernetes-sigs/external-dns#1852 and #2863."""
    client, troubles = boto3.client("route53"), SeenTroubles()

    def change(action: str) -> None:
        aws.aws.advance(10)
        changes: Any = [{"Action": action, "ResourceRecordSet": {"Name": NAME, **each}} for each in present]
        client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})

    def records() -> list[Any]:
        return client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]

    change("CREATE")
    before = records()
    store = Route53(aws.clients, zone_id)
    plain = Route53Connection(store, name=NAME, address="10.0.100.10", ttl_s=10, permit=permitted)
    connection = WatchedConnection(plain, clock, troubles)
    with pytest.raises(RecordOfAnotherKind, match=f"{NAME} is {kind}.*Remove it"):
        establish(connection, GENERATION, clock.deadline())
    with pytest.raises(RecordOfAnotherKind):
        connection.verify(GENERATION)
    assert (records(), clock.waits, troubles.seen) == (before, [], ["record-of-another-kind"])
    change("DELETE")
    assert establish(connection, GENERATION, clock.deadline()).endswith("create 10.0.100.10")
    assert troubles.seen == ["record-of-another-kind", "record-of-another-kind is over"]


class Failing:
    """A connection that fails with each of its errors in turn, then leads here."""

    name = NAME

    def __init__(self, *errors: AgentError) -> None:
        self.errors = list(errors)

    def claim(self, generation: int) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def verify(self, generation: int) -> str:
        return "it is elsewhere" if self.errors else ""

    def release(self, deadline: Deadline) -> list[str]:
        return []

    def passes(self, error: AgentError, elapsed_s: float) -> bool:
        return passes_with_time(error, elapsed_s)


@pytest.mark.parametrize(
    ("error", "first_s", "reason"),
    [
        (cloud_error("EndpointConnectionError"), PATIENCE_S, "aws-call-failed"),
        (CloudError("no", code="AccessDenied", retryable=False, reason="access-denied"), PATIENCE_S, "access-denied"),
        (CloudError("no", code="NoSuchHostedZone", retryable=False), 0.0, "aws-call-failed"),
    ],
)
def test_a_connection_that_cannot_be_made_is_said_once_it_does_not_pass_by_itself(
    clock: FakeClock, error: CloudError, first_s: float, reason: str
) -> None:
    troubles = SeenTroubles()
    connection = WatchedConnection(Failing(*[error] * 99), clock, troubles)
    said_s = None
    for _ in range(int(PATIENCE_S) + 1):
        with pytest.raises(CloudError):
            connection.claim(GENERATION)
        assert connection.verify(GENERATION) or not troubles.seen, "to be able to read is not to lead here"
        if troubles.seen and said_s is None:
            said_s = clock.now_s - 1000.0
        clock.advance(2.0)
        if clock.now_s > 1000.0 + PATIENCE_S:
            break
    assert (said_s, troubles.seen) == (first_s, [reason])
    well = WatchedConnection(Failing(error), clock, troubles)
    well._standing = error
    with pytest.raises(CloudError):
        well.claim(GENERATION)
    well.claim(GENERATION)
    assert troubles.seen == [reason, f"{reason} is over"]


@pytest.mark.parametrize(
    ("name", "normal"), [("A.Lab.", "a.lab"), ("a.lab", "a.lab"), ("\\052.lab.internal.", "*.lab.internal")]
)
def test_a_name_is_compared_in_lower_case_without_escapes_and_the_last_dot(name: str, normal: str) -> None:
    assert normalized(name) == normal


def test_a_refusal_of_the_lease_swaps_nothing_and_verified_it_goes_on(clock: FakeClock) -> None:
    """An old holder that wakes up between its read and its swap."""
    store = FakeStore(record("10.0.101.10"))
    refusals = ["generation 1 is not the highest", "the lease directory does not answer"]

    def permit() -> None:
        if refusals:
            raise NotHolder(refusals.pop(0))

    move_record(store, WANTED, clock.deadline(), permit)
    assert (refusals, len(store.swaps)) == ([], 1)


def test_lease_is_proven_after_the_read_so_that_a_successors_value_is_never_named(clock: FakeClock) -> None:
    """Broken on purpose, with the proof before the read, the successor's value would be read and swapped away."""
    taken: list[str] = []
    store = FakeStore(record("10.0.101.10"))

    def permit() -> None:
        if taken:
            raise NotHolder("there is generation 2")

    def successor() -> None:
        taken.append("generation 2")
        store.overwrite(record("10.0.102.10"))

    store.rival = successor  # after the proof: then the swap names an old value and fails
    with pytest.raises(DeadlineExceeded):
        move_record(store, WANTED, clock.deadline(30), permit)
    assert store.held == record("10.0.102.10")


@pytest.mark.parametrize("ttl_s", [1, 2, 5, 10, 300])
def test_the_records_of_neighbouring_generations_differ_and_never_live_longer_than_asked(ttl_s: int) -> None:
    ttls = [record_ttl_s(ttl_s, generation) for generation in range(1, 40)]
    assert all(1 <= ttl <= ttl_s for ttl in ttls)
    steps = min(TTL_STEPS, ttl_s)
    assert all(len(set(ttls[start : start + steps])) == steps for start in range(20))
