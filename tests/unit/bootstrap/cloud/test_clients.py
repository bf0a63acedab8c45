"""Every foreign error becomes a CloudError that says whether trying again may help."""

from __future__ import annotations

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

from bootstrap.base.errors import CloudError
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients, converted
from bootstrap.cloud.ec2 import Ec2
from bootstrap.cloud.parameters import Parameter
from bootstrap.cloud.topic import Topic
from tests.kit.cloud import REGION, Cloud


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
def test_converted(error: Exception, code: str, *, retryable: bool) -> None:
    with (
        pytest.raises(CloudError, match="attach eni-1") as caught,
        converted("attach eni-1", retryable=frozenset({"Wanted"})),
    ):
        raise error
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_clients_are_made_once_and_bounded(aws: Cloud) -> None:
    clients = Clients(REGION)
    assert clients.ec2() is clients.ec2()
    config: Any = clients.ec2().meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (3, 8, 2)


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> tuple[Clients, dict[str, Stubber]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    clients = Clients(REGION)
    stubs = {name: Stubber(getattr(clients, name)()) for name in ("ec2", "autoscaling", "ssm", "sns")}
    for stub in stubs.values():
        stub.activate()
    return clients, stubs


Stubbed = tuple[Clients, dict[str, Stubber]]


def test_every_call_sends_what_it_should(stubbed: Stubbed) -> None:
    clients, stubs = stubbed
    stubs["ec2"].add_response(
        "attach_network_interface",
        {"AttachmentId": "eni-attach-1"},
        {"NetworkInterfaceId": "eni-1", "InstanceId": "i-1", "DeviceIndex": 1},
    )
    stubs["ec2"].add_response("detach_network_interface", {}, {"AttachmentId": "eni-attach-1"})
    stubs["ec2"].add_response(
        "modify_network_interface_attribute",
        {},
        {
            "NetworkInterfaceId": "eni-1",
            "Attachment": {"AttachmentId": "eni-attach-1", "DeleteOnTermination": False},
        },
    )
    stubs["autoscaling"].add_response(
        "complete_lifecycle_action",
        {},
        {
            "AutoScalingGroupName": "g",
            "LifecycleHookName": "boot",
            "InstanceId": "i-1",
            "LifecycleActionResult": "CONTINUE",
        },
    )
    stubs["autoscaling"].add_response(
        "record_lifecycle_action_heartbeat",
        {},
        {"AutoScalingGroupName": "g", "LifecycleHookName": "boot", "InstanceId": "i-1"},
    )
    stubs["autoscaling"].add_response(
        "set_instance_health",
        {},
        {"InstanceId": "i-1", "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": False},
    )
    stubs["ssm"].add_response(
        "put_parameter", {"Version": 1}, {"Name": "/s", "Value": "{}", "Type": "String", "Overwrite": True}
    )
    stubs["ssm"].add_response("get_parameter", {"Parameter": {"Value": "{}"}}, {"Name": "/s"})
    stubs["ssm"].add_client_error("get_parameter", "ParameterNotFound")
    stubs["sns"].add_response("publish", {"MessageId": "1"}, {"TopicArn": "arn:t", "Subject": "a b", "Message": "text"})
    ec2, group = Ec2(clients), AutoScaling(clients, "g", "i-1")
    ec2.attach("eni-1", "i-1", 1)
    ec2.detach("eni-attach-1")
    ec2.keep_on_termination("eni-1", "eni-attach-1")
    assert group.complete_hook("boot", "CONTINUE")
    assert group.prolong_hook("boot")
    group.report_unhealthy()
    Parameter(clients, "/s").write("{}")
    assert Parameter(clients, "/s").read() == "{}"
    assert Parameter(clients, "/s").read() == ""
    Topic(clients, "arn:t").publish("a\nb", "text")
    for stub in stubs.values():
        stub.assert_no_pending_responses()


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


def test_unknown_instance_is_gone_and_other_errors_are_not(stubbed: Stubbed) -> None:
    clients, stubs = stubbed
    stubs["ec2"].add_client_error("describe_instances", "InvalidInstanceID.NotFound")
    stubs["ec2"].add_client_error("describe_instances", "RequestLimitExceeded")
    assert Ec2(clients).instance_state("i-1") is None
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
