"""Faults over HTTP, with boto3 as the agent uses it: each preset, each way to narrow it, and the control endpoint."""

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from lab.aws import Fault
from lab.aws.faults.presets import PRESETS
from lab.base.waiting import wait_for
from tests.contract.http.faulty_account import CALLS, IMAGE, Account


def code_of(call: Any, **kwargs: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**kwargs)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


# -------------------------------------------------------------------- what happens
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "throttled",
            {
                "ec2": ("RequestLimitExceeded", 503),
                "autoscaling": ("Throttling", 400),
                "route53": ("Throttling", 400),
                "efs": ("ThrottlingException", 400),
                "ssm": ("ThrottlingException", 400),
                "cloudwatch": ("Throttling", 400),
            },
        ),
        (
            "denied",
            {
                "ec2": ("UnauthorizedOperation", 403),
                "route53": ("AccessDenied", 403),
                "ssm": ("AccessDeniedException", 400),
                "efs": ("AccessDeniedException", 403),
                "iam": ("AccessDenied", 403),
            },
        ),
        ("unavailable", {"ec2": ("Unavailable", 503), "autoscaling": ("ServiceUnavailable", 503)}),
        ("internal-error", {"ec2": ("InternalError", 500), "ssm": ("InternalServerError", 500)}),
    ],
)
def test_each_service_refuses_in_its_own_words(
    account: Account, kind: str, expected: dict[str, tuple[str, int]]
) -> None:
    account.plane.inject(kind)
    for service, words in expected.items():
        assert code_of(getattr(account.client(service), CALLS[service])) == words, service


def test_an_error_of_our_own_arrives_in_every_protocol(account: Account) -> None:
    account.plane.faults.add(Fault(code="ThrottlingException", message="slow down", count=None))
    for service, operation in CALLS.items():
        with pytest.raises(ClientError) as caught:
            getattr(account.client(service), operation)()
        error = caught.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("ThrottlingException", "slow down"), service


def test_a_dropped_connection_is_work_not_done(account: Account) -> None:
    fault = account.plane.inject("dropped", service="ec2", action="AttachNetworkInterface")
    with pytest.raises(ConnectionClosedError):
        account.attach("a")
    assert not account.is_attached("a")
    account.attach("a")
    assert (fault.hits, account.is_attached("a")) == (1, True)


def test_a_dropped_connection_is_retried_by_the_sdk(account: Account) -> None:
    fault = account.plane.inject("dropped", service="ec2")
    account.client("ec2", attempts=2).describe_vpcs()
    assert fault.hits == 1


def test_a_slow_answer_comes_late_but_comes(account: Account) -> None:
    account.plane.inject("slow", delay_s=0.3)
    before = time.monotonic()
    account.client("ec2").describe_vpcs()
    assert time.monotonic() - before >= 0.3


def test_a_silent_api_is_a_read_timeout_and_clearing_lets_go(account: Account) -> None:
    fault = account.plane.inject("api-silent", service="ssm")
    with pytest.raises(ReadTimeoutError):
        account.client("ssm", read_timeout_s=0.2).describe_parameters()
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(ConnectionClosedError):
            account.client("ssm").describe_parameters()
        ended.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_for(lambda: fault.hits == 2, "the second call", deadline_s=10.0)
    assert not ended.is_set()
    account.plane.faults.clear()
    waiting.join(10)
    assert ended.is_set()


# -------------------------------------------------------------------- whom it hits
def test_the_api_is_away_for_one_instance_only(account: Account) -> None:
    account.plane.inject("api-away", caller=account.instances["a"])
    with pytest.raises(ConnectionClosedError):
        account.client("ec2", of="a").describe_vpcs()
    with pytest.raises(ConnectionClosedError):
        account.client("route53", of="a").list_hosted_zones()
    account.client("ec2", of="b").describe_vpcs()
    account.client("ec2").describe_vpcs()


def test_a_role_that_has_not_propagated_works_after_a_while(account: Account) -> None:
    account.plane.inject("role-not-propagated", caller="assumed-role/agent/")
    assert code_of(account.client("ec2", of="a").describe_vpcs) == ("UnauthorizedOperation", 403)
    account.client("ec2").describe_vpcs()
    account.plane.advance(10)
    account.client("ec2", of="a").describe_vpcs()


def test_a_zone_whose_control_plane_is_away(account: Account) -> None:
    account.plane.inject("zone-away", zone="us-east-1a")
    assert code_of(account.attach, letter="a") == ("Unavailable", 503)
    account.attach("b")
    account.client("ec2").describe_instances()


@pytest.mark.parametrize("letter", ["a", "b"])
def test_a_zone_is_also_named_by_an_attachment_an_instance_or_a_mount_target(account: Account, letter: str) -> None:
    ec2, efs = account.client("ec2"), account.client("efs")
    attachment_id = account.attach(letter)["AttachmentId"]
    file_system_id = efs.create_file_system(CreationToken="one")["FileSystemId"]
    account.plane.advance(60)
    target = efs.create_mount_target(FileSystemId=file_system_id, SubnetId=account.subnets[letter])["MountTargetId"]
    account.plane.advance(60)
    account.plane.inject("zone-away", zone="us-east-1a")
    for call in (
        lambda: efs.describe_mount_targets(MountTargetId=target),
        lambda: ec2.detach_network_interface(AttachmentId=attachment_id),
        lambda: ec2.terminate_instances(InstanceIds=[account.instances[letter]]),
    ):
        if letter == "a":
            assert code_of(call)[1] == 503
        else:
            call()


def test_a_group_launches_elsewhere_while_a_zones_control_plane_is_away(account: Account) -> None:
    account.plane.inject("zone-away", zone="us-east-1a")
    template = account.client("ec2").create_launch_template(
        LaunchTemplateName="one", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.micro"}
    )
    account.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="one",
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"},
        VPCZoneIdentifier=",".join(account.subnets.values()),
    )
    account.plane.advance(5)
    group = account.plane.group("one")
    assert group is not None
    assert [member.zone for member in group.members] == ["us-east-1b"]
    found = account.client("autoscaling").describe_scaling_activities(AutoScalingGroupName="one")["Activities"]
    assert [one["StatusCode"] for one in found] == ["Successful", "Failed"]


def test_nobody_in_a_cut_off_zone_reaches_the_api(account: Account) -> None:
    account.plane.inject("cut-off-zone", from_zone="us-east-1b")
    with pytest.raises(ConnectionClosedError):
        account.client("ec2", of="b").describe_vpcs()
    account.client("ec2", of="a").describe_vpcs()


def test_one_service_away_leaves_the_others(account: Account) -> None:
    account.plane.inject("service-away", service="route53")
    assert code_of(account.client("route53").list_hosted_zones) == ("ServiceUnavailable", 503)
    account.client("ec2").describe_vpcs()


def test_rest_operations_are_known_by_name(account: Account) -> None:
    account.plane.faults.add(Fault(service="efs", action="CreateFileSystem", kind="internal-error"))
    account.client("efs").describe_file_systems()
    assert code_of(account.client("efs").create_file_system, CreationToken="x")[0] == "InternalServerError"


# -------------------------------------------------------------------- how often and when
def test_skip_count_and_window(account: Account) -> None:
    fault = account.plane.inject("denied", service="ec2", skip=1, count=2, starts_in_s=5, lasts_s=20)
    describe = account.client("ec2").describe_vpcs
    describe()  # not begun
    account.plane.advance(5)
    describe()  # skipped
    assert code_of(describe)[0] == "UnauthorizedOperation"
    assert code_of(describe)[0] == "UnauthorizedOperation"
    describe()  # used up
    assert fault.hits == 2
    account.plane.faults.clear()
    account.plane.inject("denied", lasts_s=20)
    account.plane.advance(21)
    describe()  # over


def test_a_share_is_drawn_and_repeatable(account: Account) -> None:
    def outcomes() -> list[bool]:
        account.plane.faults.clear()
        account.plane.inject("throttling-burst", service="ssm", lasts_s=None, seed=7)
        describe = account.client("ssm").describe_parameters
        found = []
        for _ in range(12):
            try:
                describe()
                found.append(True)
            except ClientError:
                found.append(False)
        return found

    first = outcomes()
    assert set(first) == {True, False}
    assert outcomes() == first


# -------------------------------------------------------------------- the endpoint
def test_faults_over_the_control_endpoint(account: Account) -> None:
    caller = account.instances["a"]
    status, made = account.control("POST", document={"preset": "api-away", "caller": caller, "lasts_s": 30})
    assert (status, made["caller"], made["outcome"]) == (201, caller, "drop")
    with pytest.raises(ConnectionClosedError):
        account.client("ec2", of="a").describe_vpcs()
    status, listed = account.control("GET")
    assert [(one["id"], one["hits"]) for one in listed["faults"]] == [(made["id"], 1)]
    assert set(listed["presets"]) == set(PRESETS)
    assert account.control("DELETE", f"/{made['id']}") == (200, {"removed": made["id"]})
    account.client("ec2", of="a").describe_vpcs()
    status, made = account.control(
        "POST", document={"service": "ec2", "action": "Describe.*", "code": "X", "status": 503}
    )
    assert status == 201
    assert code_of(account.client("ec2").describe_vpcs) == ("X", 503)
    assert account.control("DELETE")[0] == 200
    assert account.control("GET")[1]["faults"] == []
    assert any(event.kind == "fault" and caller in event.text for event in account.events)


def test_what_the_endpoint_does_not_know(account: Account) -> None:
    assert account.control("DELETE", "/f-99")[0] == 404
    assert account.control("PUT", document={})[0] == 405
    status, answer = account.control("POST", document={"preset": "apiaway"})
    assert status == 400
    assert answer["error"].startswith("there is no preset 'apiaway'")
    assert account.control("GET")[1]["faults"] == []
