"""Time is drawn and repeatable, and races have one winner: with threads and with processes, over HTTP."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.aws import AWS, FAST, ControlPlane, ManualClock, NoMachines
from lab.aws.core.cloud import Cloud
from lab.aws.ec2 import network_interfaces
from lab.base.waiting import wait_for
from tests.kit.lab_race import attach_all, client, in_process

IMAGE = "ami-00000000000000001"
IN_USE = "InvalidNetworkInterface.InUse"
ROUNDS = 10
CALLERS = 4


def subnet_of_a_vpc(ec2: Any) -> str:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")
    subnet: str = made["Subnet"]["SubnetId"]
    return subnet


class Race:
    """One interface per round, and as many instances as callers, all in one zone."""

    def __init__(self, plane: ControlPlane) -> None:
        plane.register_image(IMAGE, "service-1")
        self.endpoint_url = plane.endpoint_url
        ec2 = client(plane.endpoint_url)
        subnet = subnet_of_a_vpc(ec2)
        ran = ec2.run_instances(
            ImageId=IMAGE, MinCount=CALLERS, MaxCount=CALLERS, InstanceType="m5.24xlarge", SubnetId=subnet
        )
        self.instances = [one["InstanceId"] for one in ran["Instances"]]
        self.interfaces = [
            ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
            for _ in range(ROUNDS)
        ]
        wait_for(
            lambda: all(one.state == "running" for one in plane.instances()), "the instances to run", deadline_s=20.0
        )


def judge(race: Race, plane: ControlPlane, outcomes: dict[str, list[str]]) -> None:
    """Each round: exactly one has won, the others were refused, and EC2 says the same."""
    held = {nic.id: nic.instance_id for nic in plane.network_interfaces()}
    for number, interface in enumerate(race.interfaces):
        found = {instance: those[number] for instance, those in outcomes.items()}
        winners = [instance for instance, outcome in found.items() if outcome == "won"]
        assert len(winners) == 1, (number, found)
        assert sorted(found.values()) == sorted(["won"] + [IN_USE] * (CALLERS - 1)), (number, found)
        assert held[interface] == winners[0]


def race_with_threads(race: Race) -> dict[str, list[str]]:
    barrier = threading.Barrier(CALLERS)
    with ThreadPoolExecutor(CALLERS) as pool:
        running = {
            instance: pool.submit(attach_all, race.endpoint_url, instance, race.interfaces, lambda: barrier.wait(30))
            for instance in race.instances
        }
        return {instance: one.result(60) for instance, one in running.items()}


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as opened:
        yield opened


def test_of_many_threads_that_attach_at_once_one_wins(plane: ControlPlane) -> None:
    race = Race(plane)
    judge(race, plane, race_with_threads(race))
    assert plane.errors == []


def test_of_many_processes_that_attach_at_once_one_wins(plane: ControlPlane) -> None:
    race = Race(plane)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(CALLERS), context.Queue()
    running = [
        context.Process(target=in_process, args=(race.endpoint_url, instance, race.interfaces, barrier, results))
        for instance in race.instances
    ]
    for one in running:
        one.start()
    try:
        outcomes = dict(results.get(timeout=90) for _ in running)
    finally:
        for one in running:
            one.join(10)
            one.kill()
    judge(race, plane, outcomes)
    assert plane.errors == []


def test_without_the_lock_the_race_is_lost(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge can see two winners: with no lock, and a moment between check and attach, there are some."""

    def slow_check(cloud: Cloud, eni: Any, instance: Any, index: int) -> None:
        network_interfaces_rule(cloud, eni, instance, index)
        time.sleep(0.05)

    network_interfaces_rule = network_interfaces.refuse_attachment
    race = Race(plane)
    with monkeypatch.context() as breaking:
        breaking.setattr(network_interfaces, "refuse_attachment", slow_check)
        breaking.setattr(Cloud, "call", lambda *_, **__: nullcontext())
        outcomes = race_with_threads(race)
    with pytest.raises(AssertionError):
        judge(race, plane, outcomes)


def test_of_many_creations_of_one_record_one_wins(plane: ControlPlane) -> None:
    zone = client(plane.endpoint_url, "route53").create_hosted_zone(Name="lab.internal", CallerReference="1")
    barrier = threading.Barrier(CALLERS)

    def create(number: int) -> str:
        route53 = client(plane.endpoint_url, "route53")
        record = {"Name": "a.lab.internal", "Type": "A", "TTL": 10}
        record |= {"ResourceRecords": [{"Value": f"10.0.0.{number}"}]}
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        barrier.wait(30)
        try:
            route53.change_resource_record_sets(HostedZoneId=zone["HostedZone"]["Id"], ChangeBatch=change)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(CALLERS) as pool:
        outcomes = list(pool.map(create, range(1, CALLERS + 1)))
    assert outcomes.count("won") == 1
    assert set(outcomes) <= {"won", "InvalidChangeBatch", "PriorRequestNotComplete"}
    assert len([one for one in plane.hosted_zone_records() if one.type == "A"]) == 1


# -------------------------------------------------------------------- time
def test_a_clockwork_with_nothing_to_do_rests(plane: ControlPlane) -> None:
    """Its own look at the cloud must not wake it again: that would keep one core busy for as long as the lab runs."""
    looks: list[float] = []
    plane.cloud.observers.append(lambda _: looks.append(time.monotonic()))
    wait_for(lambda: len(looks) >= 4, "four looks", deadline_s=20.0)
    assert looks[3] - looks[0] >= 0.5, "four looks, 0.2 s apart"


def attach_times(seed: int) -> list[float]:
    """Seconds of AWS's time from launch to running and from attach to attached, with the profile `aws`."""
    clock = ManualClock(1_800_000_000.0)
    with ControlPlane(NoMachines(), AWS, address="127.0.0.1", port=0, clock=clock, seed=seed) as plane:
        plane.register_image(IMAGE, "service-1")
        ec2 = client(plane.endpoint_url)
        subnet = subnet_of_a_vpc(ec2)
        ran = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet)
        instance = ran["Instances"][0]["InstanceId"]
        times = [until(plane, clock, lambda: plane.instances()[0].state == "running")]
        interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)

        def attachment() -> str:
            return next(nic.attachment_status for nic in plane.network_interfaces() if nic.id == interface)

        assert attachment() == "attaching"
        return [*times, until(plane, clock, lambda: attachment() == "attached")]


def until(plane: ControlPlane, clock: ManualClock, is_done: Callable[[], bool]) -> float:
    """How long it takes on AWS's clock, in steps of a tenth of a second."""
    begun = clock()
    while not is_done():
        assert clock() - begun < 600, "nothing has happened after 600 s of AWS's time"
        plane.advance(0.1)
    return round(clock() - begun, 1)


def test_the_profile_aws_takes_as_long_as_was_measured_and_repeats_with_its_seed() -> None:
    first = attach_times(1)
    running_s, attached_s = first
    assert 12.0 <= running_s <= 60.0
    assert 1.0 <= attached_s <= 60.0
    assert attach_times(1) == first != attach_times(2)
