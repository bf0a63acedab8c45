"""Calls that fail, get lost or are cut off on their way to a deployed stack, as a client sees them."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.aws import ControlPlane, Fault, NoMachines
from tests.contract.deployed_account import Account, template


def test_an_injected_error_hits_so_many_calls(account: Account) -> None:
    fault = account.plane.faults.add(
        Fault(service="ec2", action="Describe.*", code="RequestLimitExceeded", status=503, count=2)
    )
    for _ in range(2):
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            account.client("ec2").describe_vpcs()
    account.client("ec2").describe_vpcs()
    assert fault.hits == 2


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ssm", "describe_parameters"),
        ("route53", "list_hosted_zones"),
        ("autoscaling", "describe_auto_scaling_groups"),
        ("efs", "describe_file_systems"),
    ],
)
def test_injected_errors_arrive_in_every_protocol(account: Account, service: str, operation: str) -> None:
    account.plane.faults.add(Fault(code="ThrottlingException", message="slow down"))
    with pytest.raises(ClientError) as caught:
        getattr(account.client(service), operation)()
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert caught.value.response["Error"]["Message"] == "slow down"


def test_work_whose_answer_is_lost_is_done_all_the_same(account: Account) -> None:
    account.plane.faults.add(Fault(service="ec2", action="CreateVpc", lose_answer=True))
    before = len(account.client("ec2").describe_vpcs()["Vpcs"])
    with pytest.raises(ConnectionClosedError):
        account.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    assert len(account.client("ec2").describe_vpcs()["Vpcs"]) == before + 1


def test_an_attach_whose_answer_is_lost_looks_like_a_theft_to_the_retry(account: Account) -> None:
    account.create(template())
    interface = next(nic for nic in account.plane.network_interfaces() if nic.address == "10.0.0.10")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not any(one.state == "running" for one in account.plane.instances()):
        time.sleep(0.05)
    instance = account.plane.instances()[0].id
    account.plane.faults.add(Fault(service="ec2", action="AttachNetworkInterface", lose_answer=True))
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        account.client("ec2", attempts=3).attach_network_interface(
            NetworkInterfaceId=interface.id, InstanceId=instance, DeviceIndex=1
        )
    held = next(nic for nic in account.plane.network_interfaces() if nic.id == interface.id)
    assert held.instance_id == instance


def test_a_dropped_connection_is_retried_by_the_sdk(account: Account) -> None:
    fault = account.plane.faults.add(Fault(service="ec2", drop=True))
    account.client("ec2", attempts=2).describe_vpcs()
    assert fault.hits == 1


def test_what_moto_cannot_do_is_said_and_kept(account: Account) -> None:
    with pytest.raises(ClientError) as caught:
        account.client("autoscaling").start_instance_refresh(AutoScalingGroupName="x")
    assert caught.value.response["Error"]["Code"] == "NotModelledByTheLab"
    assert any("start_instance_refresh" in error for error in account.plane.errors)


def test_the_port_taken_is_an_error_and_nothing_stays_patched() -> None:
    with ControlPlane(NoMachines(), address="127.0.0.1", port=0) as plane:
        port = int(plane.endpoint_url.rpartition(":")[2])
    first = ControlPlane(NoMachines(), address="127.0.0.1", port=port)
    with first, pytest.raises(OSError, match=rf"127.0.0.1 port {port}: Address already in use$"):
        ControlPlane(NoMachines(), address="127.0.0.1", port=port).start()
    with ControlPlane(NoMachines(), address="127.0.0.1", port=0):
        pass
