"""The calls of AWS, as boto3 is asked for them, and errors that say whether trying again may help."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.errors import CloudError
from bootstrap.base.metric import Metric
from bootstrap.base.threads import SystemThreads
from bootstrap.base.timing import LeaseTiming
from bootstrap.base.watchdog import WatchdogSettings
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import PROPAGATION_S, Clients, converted, passes_with_time
from bootstrap.cloud.ec2 import Ec2
from bootstrap.cloud.log_stream import LogStream
from bootstrap.cloud.metrics import Metrics
from bootstrap.cloud.parameters import Parameter
from bootstrap.cloud.topic import Topic
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.rules.observation import HolderAnswer
from bootstrap.lease.takeover import Takeover
from tests.kit.clock import FakeClock
from tests.kit.cloud import REGION, Cloud
from tests.kit.lease import ME, OTHER, Newcomer


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Call",
    )


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (client_error("Throttling"), "Throttling", True),
        (client_error("RequestLimitExceeded"), "RequestLimitExceeded", True),
        (client_error("PriorRequestNotComplete"), "PriorRequestNotComplete", True),
        (client_error("Strange", 503), "Strange", True),
        (client_error("Wanted"), "Wanted", True),
        (client_error("UnauthorizedOperation", 403), "UnauthorizedOperation", False),
        (client_error("ValidationError"), "ValidationError", False),
        (EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError", True),
        (ReadTimeoutError(endpoint_url="http://x"), "ReadTimeoutError", True),
        (NoCredentialsError(), "NoCredentialsError", True),
        (ParamValidationError(report="x"), "ParamValidationError", False),
    ],
)
def test_each_error_keeps_its_code_and_says_if_it_may_pass(error: Exception, code: str, *, retryable: bool) -> None:
    with (
        pytest.raises(CloudError, match="attach eni-1") as caught,
        converted("attach eni-1", retryable=frozenset({"Wanted"})),
    ):
        raise error
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("RequestExpired", "because", "clock-skew"),
        ("RequestTimeTooSkewed", "because", "clock-skew"),
        ("InvalidSignatureException", "Signature expired: 20261129T000000Z is now earlier than ...", "clock-skew"),
        ("SignatureDoesNotMatch", "Signature not yet current: ...", "clock-skew"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "aws-call-failed"),
        ("UnauthorizedOperation", "because", "access-denied"),
        ("AccessDenied", "because", "access-denied"),
        ("ValidationError", "because", "aws-call-failed"),
    ],
)
def test_a_known_cause_is_a_reason_with_a_remedy(code: str, message: str, reason: str) -> None:
    error = client_error(code, 403)
    error.response["Error"]["Message"] = message
    with pytest.raises(CloudError) as caught, converted("attach eni-1"):
        raise error
    assert caught.value.reason == reason
    assert bool(caught.value.remedy) is (reason != "aws-call-failed")


@pytest.mark.parametrize(
    "code", ["RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException", "ExpiredTokenException"]
)
def test_a_clock_that_is_not_set_yet_is_waited_for(code: str) -> None:
    error = CloudError("attach", code=code, retryable=False)
    assert passes_with_time(error, 75.0)
    assert not passes_with_time(error, PROPAGATION_S)


@pytest.mark.parametrize(
    ("given", "date", "found"),
    [
        (None, "Mon, 30 Nov 2026 12:00:00 GMT", ("", 0.0)),
        ("2026-12-24T00:00:00.000Z", "Mon, 30 Nov 2026 12:00:00 GMT", ("2026-12-24", 23.5 * 86_400)),
        ("2026-11-29T12:00:00.000Z", "Mon, 30 Nov 2026 12:00:00 GMT", ("2026-11-29", -86_400.0)),
        ("2026-12-24T00:00:00.000Z", "", None),
        ("soon", "Mon, 30 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_the_deprecation_of_an_image_is_counted_on_awss_clock(
    given: str | None, date: str, found: tuple[str, float] | None
) -> None:
    image = {"ImageId": "ami-1"} | ({"DeprecationTime": given} if given else {})
    answer = {"Images": [image], "ResponseMetadata": {"HTTPHeaders": {"date": date}}}
    api = SimpleNamespace(describe_images=lambda ImageIds: answer if ImageIds == ["ami-1"] else None)  # noqa: N803
    ec2 = Ec2(SimpleNamespace(ec2=lambda: api))  # type: ignore[arg-type]
    if found is None:
        with pytest.raises(CloudError, match="describe ami-1: no date in the answer"):
            ec2.deprecation("ami-1")
    else:
        assert ec2.deprecation("ami-1") == found


class LogsApi:
    """CloudWatch Logs with one group; `streams` are those in it, None while there is no group."""

    def __init__(self) -> None:
        self.streams: set[str] | None = set()
        self.calls: list[str] = []
        self.answer: dict[str, Any] = {}

    def create_log_stream(self, logGroupName: str, logStreamName: str) -> None:  # noqa: N803
        self.calls.append("create")
        assert logGroupName == "/soloist/demo"
        if self.streams is None:
            raise client_error("ResourceNotFoundException")
        if logStreamName in self.streams:
            raise client_error("ResourceAlreadyExistsException")
        self.streams.add(logStreamName)

    def put_log_events(self, logGroupName: str, logStreamName: str, logEvents: list[Any]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("put")
        if self.streams is None or logStreamName not in self.streams:
            raise client_error("ResourceNotFoundException")
        assert logEvents[0] == {"timestamp": 1, "message": "a"}
        return self.answer


def log_stream(api: LogsApi) -> LogStream:
    clients: Any = SimpleNamespace(logs=lambda: api)
    return LogStream(clients, "/soloist/demo", "i-1")


def test_a_log_stream_is_made_once_and_again_after_it_was_deleted() -> None:
    api = LogsApi()
    stream = log_stream(api)
    assert [stream.put([(1, "a")]) for _ in range(2)] == [0, 0]
    assert api.calls == ["create", "put", "put"]
    assert log_stream(api).put([(1, "a")]) == 0, "an earlier run of the agent has made it"
    api.streams = set()
    with pytest.raises(CloudError, match="put log events into /soloist/demo/i-1"):
        stream.put([(1, "a")])
    assert stream.put([(1, "a")]) == 0
    api.streams = None
    for _ in range(2):
        with pytest.raises(CloudError, match="ResourceNotFoundException"):
            stream.put([(1, "a")])
    api.streams = set()
    assert stream.put([(1, "a")]) == 0, "the group is there again"


@pytest.mark.parametrize(
    ("info", "rejected"),
    [
        (None, 0),
        ({"tooOldLogEventEndIndex": 2}, 2),
        ({"expiredLogEventEndIndex": 3, "tooOldLogEventEndIndex": 1}, 3),
        ({"tooNewLogEventStartIndex": 4}, 1),
        ({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3}, 3),
    ],
)
def test_log_events_that_were_not_taken_are_counted(info: dict[str, int] | None, rejected: int) -> None:
    api = LogsApi()
    api.answer = {"rejectedLogEventsInfo": info} if info else {}
    assert log_stream(api).put([(1, "a")] * 5) == rejected


def test_clients_are_made_once_and_bounded(aws: Cloud) -> None:
    clients = Clients(REGION)
    assert clients.ec2() is clients.ec2()
    config: Any = clients.ec2().meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (3, 8, 2)


def test_a_beat_without_an_answer_is_over_before_the_next_one(aws: Cloud) -> None:
    config: Any = Clients(REGION).cloudwatch().meta.config
    longest_s = (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"]
    assert longest_s < WatchdogSettings().heartbeat_s == 10


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Clients, dict[str, Stubber]]]:
    """The real clients, which check each request against the service's own model; the stubs answer instead of the
    network, refuse what is not exactly the next request expected, and have no answer left at the end."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    clients = Clients(REGION)
    stubs = {name: Stubber(getattr(clients, name)()) for name in ("ec2", "autoscaling", "ssm", "sns", "cloudwatch")}
    for stub in stubs.values():
        stub.activate()
    yield clients, stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


Stubbed = tuple[Clients, dict[str, Stubber]]
HOOK = {"AutoScalingGroupName": "g", "LifecycleHookName": "boot", "InstanceId": "i-1"}


EXPECTED: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "ec2",
        "attach_network_interface",
        {"AttachmentId": "eni-attach-1"},
        {"NetworkInterfaceId": "eni-1", "InstanceId": "i-1", "DeviceIndex": 1},
    ),
    ("ec2", "detach_network_interface", {}, {"AttachmentId": "eni-attach-1"}),
    (
        "ec2",
        "modify_network_interface_attribute",
        {},
        {"NetworkInterfaceId": "eni-1", "Attachment": {"AttachmentId": "eni-attach-1", "DeleteOnTermination": False}},
    ),
    ("autoscaling", "complete_lifecycle_action", {}, HOOK | {"LifecycleActionResult": "CONTINUE"}),
    ("autoscaling", "record_lifecycle_action_heartbeat", {}, HOOK),
    (
        "autoscaling",
        "set_instance_health",
        {},
        {"InstanceId": "i-1", "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": False},
    ),
    ("ssm", "put_parameter", {"Version": 1}, {"Name": "/s", "Value": "{}", "Type": "String", "Overwrite": True}),
    ("ssm", "get_parameter", {"Parameter": {"Value": "{}"}}, {"Name": "/s"}),
    ("ssm", "get_parameter", {"Parameter": {"Value": "{}"}}, {"Name": "/s", "WithDecryption": True}),
    (
        "sns",
        "publish",
        {"MessageId": "1"},
        {
            "TopicArn": "arn:t",
            "Subject": "a b",
            "Message": "text",
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "x"}},
        },
    ),
    (
        "cloudwatch",
        "put_metric_data",
        {},
        {
            "Namespace": "soloist",
            "MetricData": [
                {
                    "MetricName": "Heartbeat",
                    "Value": 1,
                    "Unit": "Count",
                    "Dimensions": [{"Name": "Service", "Value": "demo"}, {"Name": "InstanceId", "Value": "i-1"}],
                    "StorageResolution": 1,
                },
                {
                    "MetricName": "LeaseAge",
                    "Value": 2.5,
                    "Unit": "Seconds",
                    "Dimensions": [{"Name": "Service", "Value": "demo"}],
                    "StorageResolution": 60,
                },
            ],
        },
    ),
]


def test_every_call_sends_what_it_should(stubbed: Stubbed) -> None:
    clients, stubs = stubbed
    for service, operation, answer, expected in EXPECTED:
        stubs[service].add_response(operation, answer, expected)
    stubs["ssm"].add_client_error("get_parameter", "ParameterNotFound")
    ec2, group = Ec2(clients), AutoScaling(clients, "g", "i-1")
    ec2.attach("eni-1", "i-1", 1)
    ec2.detach("eni-attach-1")
    ec2.keep_on_termination("eni-1", "eni-attach-1")
    assert group.complete_hook("boot", "CONTINUE")
    assert group.prolong_hook("boot")
    group.report_unhealthy()
    Parameter(clients, "/s").write("{}")
    assert Parameter(clients, "/s").read() == "{}"
    assert Parameter(clients, "/s").read_secret() == "{}"
    assert Parameter(clients, "/s").read() == ""
    Topic(clients, "arn:t").publish("a\nb", "text", {"kind": "x"})
    service = ("Service", "demo")
    alive = Metric(name="Heartbeat", value=1, dimensions=(service, ("InstanceId", "i-1")), is_fine=True)
    Metrics(clients).put([alive, Metric(name="LeaseAge", value=2.5, dimensions=(service,), unit="Seconds")])


def test_hook_that_does_not_wait_is_an_answer(stubbed: Stubbed) -> None:
    clients, stubs = stubbed
    message = "No active Lifecycle Action found with instance ID i-1"
    stubs["autoscaling"].add_client_error("complete_lifecycle_action", "ValidationError", message)
    stubs["autoscaling"].add_client_error("complete_lifecycle_action", "ValidationError", "something else")
    stubs["autoscaling"].add_client_error("record_lifecycle_action_heartbeat", "ValidationError", message)
    group = AutoScaling(clients, "g", "i-1")
    assert not group.complete_hook("boot", "CONTINUE")
    with pytest.raises(CloudError, match="something else"):
        group.complete_hook("boot", "CONTINUE")
    assert not group.prolong_hook("boot")


def test_unknown_instance_is_gone_and_needs_no_ending_and_other_errors_are_not(stubbed: Stubbed) -> None:
    clients, stubs = stubbed
    for call in ("describe_instances", "terminate_instances"):
        stubs["ec2"].add_client_error(call, "InvalidInstanceID.NotFound")
    stubs["ec2"].add_client_error("describe_instances", "RequestLimitExceeded")
    assert Ec2(clients).instance_state("i-1") is None
    Ec2(clients).terminate("i-1", is_forced=False)
    with pytest.raises(CloudError):
        Ec2(clients).instance_state("i-1")


@pytest.mark.parametrize(
    "code", ["InvalidNetworkInterface.InUse", "InvalidParameterValue", "IncorrectState", "InvalidInstanceID.NotFound"]
)
def test_attach_refusals_are_retryable(stubbed: Stubbed, code: str) -> None:
    clients, stubs = stubbed
    stubs["ec2"].add_client_error("attach_network_interface", code)
    with pytest.raises(CloudError) as caught:
        Ec2(clients).attach("eni-1", "i-1", 1)
    assert caught.value.retryable


# ------------------------------------------------------------------ the end of a former holder
@pytest.mark.parametrize(
    ("code", "status", "is_retryable"),
    [("OperationNotPermitted", 400, False), ("UnauthorizedOperation", 403, False), ("RequestLimitExceeded", 503, True)],
)
def test_any_other_answer_is_an_error_that_says_whether_again_may_help(
    stubbed: Stubbed, code: str, status: int, *, is_retryable: bool
) -> None:
    stubbed[1]["ec2"].add_client_error("terminate_instances", code, http_status_code=status)
    with pytest.raises(CloudError, match=f"terminate {OTHER}: .*{code}") as error:
        Ec2(stubbed[0]).terminate(OTHER, is_forced=True)
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
    stubbed: Stubbed, clock: FakeClock, tmp_path: Any
) -> None:
    for is_forced in (False, True):
        wanted = {"InstanceIds": [OTHER], "SkipOsShutdown": True, "Force": is_forced}
        stubbed[1]["ec2"].add_response("terminate_instances", {"TerminatingInstances": []}, wanted)
    world, members = Newcomer(tmp_path, clock), Any
    world.put()
    evidence: Any = StuckEvidence(world, LeaseEvidence(Ec2(stubbed[0]), members, ME, SystemThreads()))  # type: ignore[arg-type]
    takeover: Takeover = world.takeover("proof")
    takeover._evidence = evidence
    taken = takeover.run(clock.deadline(300))
    assert taken.hold.record.generation == 8
    (first, first_s), (second, second_s) = evidence.asked_s
    assert (first, second) == (False, True)
    assert second_s - first_s >= LeaseTiming().terminate_deadline_s
