"""The metadata service: token always, 404 is nothing, every wait ends."""

import pytest
import requests

from bootstrap.base.errors import BadBootDocument, SurroundingsError
from bootstrap.cloud.imds import TOKEN_TTL_S, Answer, MetadataService
from tests.kit.clock import FakeClock

VALUES = {
    "meta-data/instance-id": "i-me",
    "meta-data/placement/availability-zone": "us-east-1a",
    "meta-data/ami-id": "ami-1",
    "meta-data/mac": "02:AA:00:00:00:01\n",
}


class FakeService:
    """Demands a token, counts how many it gave, fails as told."""

    def __init__(self) -> None:
        self.values = dict(VALUES)
        self.tokens = 0
        self.token: str | None = None  # given instead of a good one
        self.failures: list[Exception | int] = []
        self.is_forgetful = False  # refuses the current token once
        self.timeouts: list[float] = []

    def __call__(self, method: str, path: str, headers: dict[str, str], timeout_s: float) -> Answer:
        self.timeouts.append(timeout_s)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return Answer(status=failure, body="")
        if method == "PUT":
            assert path == "/latest/api/token"
            assert headers == {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
            self.tokens += 1
            return Answer(status=200, body=f"token-{self.tokens}" if self.token is None else self.token)
        if self.is_forgetful or headers.get("X-aws-ec2-metadata-token") != f"token-{self.tokens}":
            self.is_forgetful = False
            return Answer(status=401, body="")
        value = self.values.get(path.removeprefix("/latest/"))
        return Answer(status=404, body="") if value is None else Answer(status=200, body=value)


@pytest.fixture
def service() -> FakeService:
    return FakeService()


def test_identity_with_one_token(service: FakeService, clock: FakeClock) -> None:
    identity = MetadataService(clock, service).identity(clock.deadline())
    assert (identity.instance_id, identity.zone, identity.image_id) == ("i-me", "us-east-1a", "ami-1")
    assert identity.mac == "02:aa:00:00:00:01"
    assert service.tokens == 1


def test_token_is_renewed_after_half_its_life_and_after_a_401(service: FakeService, clock: FakeClock) -> None:
    metadata = MetadataService(clock, service)
    metadata.identity(clock.deadline())
    clock.advance(TOKEN_TTL_S / 2)
    metadata.identity(clock.deadline())
    assert service.tokens == 2
    service.is_forgetful = True
    metadata.identity(clock.deadline())
    assert service.tokens == 3


@pytest.mark.parametrize(
    "failure", [ConnectionRefusedError("refused"), TimeoutError("slow"), requests.ConnectionError("x"), 500, 503, 429]
)
def test_passing_failure_is_retried(service: FakeService, clock: FakeClock, failure: Exception | int) -> None:
    service.failures = [failure, failure]
    assert MetadataService(clock, service).identity(clock.deadline()).instance_id == "i-me"
    assert clock.waits == [0.5, 1]


def test_lasting_failure_is_a_named_reason(service: FakeService, clock: FakeClock) -> None:
    service.failures = [ConnectionRefusedError("refused")] * 999
    with pytest.raises(SurroundingsError, match=r"did not answer /latest/meta-data/instance-id within 60 s \(Conn"):
        MetadataService(clock, service).identity(clock.deadline(60))
    assert sum(clock.waits) == 60
    assert (service.timeouts[0], service.timeouts[-3:]) == (2, [2, 1.5, 0.5]), "no request outlasts the deadline"


HTML = "<html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("", "to\nken"),
        ("", "tok\u20acn"),
        ("", ""),
        ("", "x" * 5000),
        ("", HTML),
        ("meta-data/instance-id", HTML),
        ("meta-data/instance-id", "i-1\ni-2"),
        ("meta-data/placement/availability-zone", "us east"),
        ("meta-data/ami-id", "\x00"),
        ("meta-data/mac", "02:AA"),
    ],
)
def test_an_answer_that_cannot_be_one_is_asked_for_again_and_named_at_the_deadline(
    service: FakeService, clock: FakeClock, path: str, answer: str
) -> None:
    if path:
        service.values[path] = answer
    else:
        service.token = answer
    with pytest.raises(SurroundingsError, match=r"cannot be one: '") as error:
        MetadataService(clock, service).identity(clock.deadline(30))
    assert (sum(clock.waits), len(str(error.value)) < 400) == (30, True)


def test_a_lifecycle_state_that_cannot_be_one_is_no_answer(service: FakeService, clock: FakeClock) -> None:
    service.values["meta-data/autoscaling/target-lifecycle-state"] = HTML
    with pytest.raises(SurroundingsError, match="cannot be one"):
        MetadataService(clock, service).target_lifecycle_state(clock.deadline(5))


def test_switched_off_is_said_at_once(service: FakeService, clock: FakeClock) -> None:
    service.failures = [403]
    with pytest.raises(SurroundingsError, match="HttpTokens=required"):
        MetadataService(clock, service).identity(clock.deadline())
    assert clock.waits == []


def test_not_found_is_nothing(service: FakeService, clock: FakeClock) -> None:
    metadata = MetadataService(clock, service)
    assert metadata.target_lifecycle_state(clock.deadline()) == ""
    with pytest.raises(BadBootDocument, match="this instance has no user data"):
        metadata.user_data(clock.deadline())
    del service.values["meta-data/mac"]
    with pytest.raises(SurroundingsError, match="has no /latest/meta-data/mac"):
        metadata.identity(clock.deadline())
