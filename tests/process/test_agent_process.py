"""The agent as a process: killed at every point of a boot it ends ready the next time, and it always gives back."""

from __future__ import annotations

import json
import signal

import boto3
import pytest

from tests.kit.instance import shipped_steps
from tests.kit.surroundings import ADDRESS, REGION, Surroundings

STEPS = ("metadata", *(step.name for step in shipped_steps()), "ready")


@pytest.mark.parametrize("event", ["started", "finished"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_start_ends_ready(surroundings: Surroundings, step: str, event: str) -> None:
    victim = surroundings.start(f"{event}:{step}")
    assert victim.wait(timeout=60) == -signal.SIGKILL, "the agent was not where it was to be killed"
    surroundings.forget_state()
    # What systemd does: units bound to the agent are stopped when it dies.
    surroundings.os.set_unit("demo.service", "inactive")

    survivor = surroundings.start()
    state = surroundings.await_phase("ready", "failed")
    assert state["phase"] == "ready", state
    surroundings.until(lambda: surroundings.record() == [ADDRESS])
    surroundings.assert_serves()
    assert any(message.startswith("READY=1\nSTATUS=demo serves at") for message in surroundings.notifications)
    assert survivor.poll() is None


def test_sigterm_gives_everything_back_and_a_restart_serves_again(surroundings: Surroundings) -> None:
    agent = surroundings.start()
    surroundings.await_phase("ready")
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    assert surroundings.os.unit("demo.service") == "inactive"
    assert surroundings.os.mounts() == []
    assert surroundings.holder() == ""
    assert surroundings.state()["phase"] == "stopped"
    assert surroundings.state()["sentence"] == "SIGTERM received"

    surroundings.start()
    surroundings.await_phase("ready")
    surroundings.assert_serves()


def test_terminated_stops_completes_the_hook_and_claims_nothing_afterwards(surroundings: Surroundings) -> None:
    agent = surroundings.start()
    surroundings.await_phase("ready")
    boto3.client("autoscaling", region_name=REGION).terminate_instance_in_auto_scaling_group(
        InstanceId=surroundings.instance_id, ShouldDecrementDesiredCapacity=False
    )
    surroundings.aws.settle()
    assert surroundings.lifecycle_state() == "Terminating:Wait"
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
    assert agent.wait(timeout=30) == 0
    assert surroundings.state()["sentence"] == "the group is terminating this instance"
    surroundings.aws.advance(60)
    assert surroundings.lifecycle_state() == ""

    again = surroundings.start()
    assert again.wait(timeout=30) == 0
    assert surroundings.os.mounts() == []
    assert any("target lifecycle state is Terminated: nothing is claimed" in m for m in surroundings.notifications)


def test_failing_step_ends_in_a_named_reason_and_abandons(surroundings: Surroundings) -> None:
    surroundings.os.paths.data_root.mkdir(parents=True)
    (surroundings.os.paths.data_root / ".soloist-file-system").write_text('{"file_system": "fs-1", "service": "other"}')
    agent = surroundings.start()
    state = surroundings.await_phase("failed")
    surroundings.until(lambda: surroundings.lifecycle_state() in ("Terminating:Wait", ""), 20)
    assert state["reason"] == "file-system-refused"
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
    assert agent.wait(timeout=30) == 1
    assert surroundings.os.unit("demo.service") == "inactive"
    assert not any(line.startswith("systemctl start") for line in surroundings.os.log())
    assert surroundings.os.mounts() == []
    written = boto3.client("ssm", region_name=REGION).get_parameter(Name="/soloist/demo/state")["Parameter"]["Value"]
    assert json.loads(written)["reason"] == "file-system-refused"
    outcomes = {entry["name"]: entry["outcome"] for entry in json.loads(written)["timeline"]}
    assert outcomes["mount-data"] == "failed"
    assert outcomes["service-start"] == "skipped"
    surroundings.aws.advance(60)
    assert surroundings.lifecycle_state() == ""


@pytest.mark.parametrize("state", ["Warmed:Running", "Warmed:Stopped"])
def test_warm_pool_instance_claims_nothing(surroundings: Surroundings, state: str) -> None:
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = state
    assert surroundings.start().wait(timeout=30) == 0
    assert (surroundings.os.log(), surroundings.holder(), surroundings.record()) == ([], "", [])


def test_bad_boot_document_touches_nothing(surroundings: Surroundings) -> None:
    surroundings.metadata["user-data"] = "#!/bin/sh\n"
    assert surroundings.start().wait(timeout=30) == 3
    assert (surroundings.os.log(), surroundings.holder()) == ([], "")
    assert any("bad-boot-document: user data holds no boot document" in text for text in surroundings.notifications)


def test_foreign_zone_is_abandoned_with_a_reason(surroundings: Surroundings) -> None:
    surroundings.metadata["meta-data/placement/availability-zone"] = "us-east-1f"
    assert surroundings.start().wait(timeout=30) == 3
    assert surroundings.state()["reason"] == "bad-boot-document"
    assert "none is us-east-1f, only us-east-1a" in surroundings.state()["sentence"]
    assert surroundings.lifecycle_state() != "Pending:Wait"


def test_sigterm_while_booting_ends_the_wait_and_gives_back(surroundings: Surroundings) -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/24"]}])["Subnets"]
    rival = ec2.run_instances(
        ImageId="ami-0123456789abcdef0",
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.medium",
        SubnetId=subnet["SubnetId"],
    )["Instances"][0]["InstanceId"]
    surroundings.aws.advance(10)
    ec2.attach_network_interface(NetworkInterfaceId=surroundings.network_interface_id, InstanceId=rival, DeviceIndex=1)
    agent = surroundings.start()
    surroundings.until(lambda: len(surroundings.os.mounts()) == 3)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    assert surroundings.state()["phase"] == "stopped"
    assert surroundings.os.mounts() == []
    assert surroundings.holder() == rival, "the network interface of a live instance was taken"
    assert surroundings.lifecycle_state() == "Pending:Wait"


def test_service_that_cannot_be_kept_alive_is_reported_unhealthy(surroundings: Surroundings) -> None:
    agent = surroundings.start()
    surroundings.await_phase("ready")
    surroundings.os.forbid("systemctl start")
    surroundings.os.set_unit("demo.service", "failed")
    surroundings.until(lambda: surroundings.state()["phase"] in ("unhealthy", "failed"))
    surroundings.aws.advance(60)
    surroundings.until(lambda: surroundings.lifecycle_state().startswith("Terminating"))
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
    assert agent.wait(timeout=30) == 1
    assert surroundings.state()["sentence"].startswith("3 restarts in 900 s did not help: replace this instance")
    assert (surroundings.os.mounts(), surroundings.holder()) == ([], "")
    surroundings.aws.advance(60)
    assert surroundings.lifecycle_state() == "", "the terminate hook was completed, not waited out"


def test_route53_out_of_reach_never_delays_the_start(surroundings: Surroundings) -> None:
    surroundings.environment["AWS_ENDPOINT_URL_ROUTE_53"] = "http://127.0.0.1:9"
    surroundings.start()
    state = surroundings.await_phase("ready", "failed")
    assert state["phase"] == "ready"
    outcomes = {entry["name"]: entry["outcome"] for entry in state["timeline"]}
    assert outcomes["connection"] == "late"
    assert outcomes["launch-hook"] == "ok"
