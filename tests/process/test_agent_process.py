"""The agent as a process: killed at every point of a boot it ends ready the next time, and it always gives back."""

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from bootstrap.base.errors import ExitCode
from bootstrap.base.names import maintenance_parameter
from tests.kit.agent_cloud import ADDRESS, IMAGE, REGION
from tests.kit.instance import shipped_steps
from tests.kit.surroundings import TARGET_STATE, Surroundings

STEPS = ("metadata", "site", *(step.name for step in shipped_steps()), "ready")


@pytest.mark.parametrize("event", ["started", "finished"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_start_ends_ready(surroundings: Surroundings, step: str, event: str) -> None:
    victim = surroundings.start(f"{event}:{step}")
    assert victim.wait(timeout=60) == -signal.SIGKILL, "the agent was not where it was to be killed"
    surroundings.forget_state()
    # What systemd does: units bound to the agent are stopped when it dies.
    surroundings.os.set_unit("demo.service", "inactive")

    assert surroundings.asked("/ready") == (0, "")
    survivor = surroundings.serve()
    surroundings.until(lambda: surroundings.asked("/ready")[0] == 200)
    surroundings.until(lambda: surroundings.record() == [ADDRESS])
    surroundings.assert_serves()
    surroundings.await_notification(begins="READY=1\nSTATUS=demo serves at")
    assert survivor.poll() is None


def test_terminated_stops_completes_the_hook_and_claims_nothing_afterwards(surroundings: Surroundings) -> None:
    agent = surroundings.serve()
    boto3.client("autoscaling", region_name=REGION).terminate_instance_in_auto_scaling_group(
        InstanceId=surroundings.instance_id, ShouldDecrementDesiredCapacity=False
    )
    surroundings.aws.settle()
    assert surroundings.lifecycle_state() == "Terminating:Wait"
    surroundings.let_the_group_end_it()
    assert agent.wait(timeout=30) == 0
    assert surroundings.state()["sentence"] == "the group is terminating this instance"
    surroundings.aws.advance(60)
    assert surroundings.lifecycle_state() == ""

    again = surroundings.start()
    assert again.wait(timeout=30) == 0
    assert surroundings.os.mounts() == []
    surroundings.await_notification(holds="target lifecycle state is Terminated: nothing is claimed")


@pytest.mark.parametrize("state", ["Warmed:Running", "Warmed:Stopped"])
def test_warm_pool_instance_claims_nothing(surroundings: Surroundings, state: str) -> None:
    surroundings.metadata[TARGET_STATE] = state
    assert surroundings.start().wait(timeout=30) == 0
    assert (surroundings.os.log(), surroundings.holder(), surroundings.record()) == ([], "", [])


def test_bad_boot_document_touches_nothing(surroundings: Surroundings) -> None:
    surroundings.metadata["user-data"] = "#!/bin/sh\n"
    assert surroundings.start().wait(timeout=30) == ExitCode.BAD_BOOT_DOCUMENT
    assert (surroundings.os.log(), surroundings.holder()) == ([], "")
    surroundings.await_notification(holds="bad-boot-document: user data holds no boot document")


def test_foreign_zone_is_abandoned_with_a_reason(surroundings: Surroundings) -> None:
    surroundings.metadata["meta-data/placement/availability-zone"] = "us-east-1f"
    assert surroundings.start().wait(timeout=30) == ExitCode.BAD_BOOT_DOCUMENT
    assert surroundings.state()["reason"] == "wrong-zone"
    assert "is in us-east-1f, and the service has a network" in surroundings.state()["sentence"]
    assert surroundings.lifecycle_state() != "Pending:Wait"


def test_sigterm_while_booting_ends_the_wait_and_gives_back(surroundings: Surroundings) -> None:
    rival = surroundings.let_a_rival_hold_the_address()
    agent = surroundings.start()
    surroundings.until(lambda: len(surroundings.os.mounts()) == 3)
    status, sentence = surroundings.asked("/ready")
    assert (status, sentence.split(",")[0]) == (503, "not ready: holder")
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    assert surroundings.state()["phase"] == "stopped"
    assert surroundings.os.mounts() == []
    assert surroundings.holder() == rival, "the network interface of a live instance was taken"
    assert surroundings.lifecycle_state() == "Pending:Wait"


def test_in_maintenance_a_dead_service_is_looked_at_and_left(surroundings: Surroundings) -> None:
    paused = json.dumps({"for_s": 3600.0, "by": "ada@desk", "why": "index rebuild"})
    ssm = boto3.client("ssm", region_name=REGION)
    ssm.put_parameter(Name=maintenance_parameter("demo"), Value=paused, Type="String")
    agent = surroundings.serve()
    surroundings.os.set_unit("demo.service", "failed")
    surroundings.until(lambda: "so not: restart the service here" in surroundings.log())
    assert surroundings.os.unit("demo.service") == "failed"
    assert (surroundings.state()["phase"], surroundings.state()["reason"]) == ("ready", "maintenance")
    assert "ada@desk works on it for 60 min: index rebuild" in surroundings.state()["sentence"]
    assert agent.poll() is None


def test_an_interruption_that_ec2_announces_ends_in_order_and_at_once(surroundings: Surroundings) -> None:
    agent = surroundings.serve()
    surroundings.metadata["meta-data/spot/instance-action"] = '{"action": "terminate", "time": "2026-01-01T00:02:00Z"}'
    surroundings.until(lambda: surroundings.state()["reason"] == "spot-interruption")
    surroundings.aws.advance(60)
    surroundings.until(lambda: surroundings.lifecycle_state().startswith("Terminating"))
    surroundings.let_the_group_end_it()
    assert agent.wait(timeout=30) == ExitCode.FAILED
    assert "EC2 takes this Spot Instance back: terminate at 2026-01-01T00:02:00Z" in surroundings.state()["sentence"]
    assert (surroundings.os.mounts(), surroundings.holder()) == ([], ""), "all is released for the next instance"


def test_service_that_cannot_be_kept_alive_is_reported_unhealthy(surroundings: Surroundings) -> None:
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    restarts = {"restarted_at_s": [now_s - before_s for before_s in (120, 90, 60)]}  # by an earlier run of the agent
    surroundings.os.paths.run.mkdir(parents=True, exist_ok=True)
    surroundings.os.paths.restarts.write_text(json.dumps(restarts))
    agent = surroundings.serve()
    surroundings.os.forbid("systemctl start")
    surroundings.os.set_unit("demo.service", "failed")
    surroundings.until(lambda: surroundings.state()["phase"] in ("unhealthy", "failed"))
    surroundings.aws.advance(60)
    surroundings.until(lambda: surroundings.lifecycle_state().startswith("Terminating"))
    surroundings.let_the_group_end_it()
    assert agent.wait(timeout=30) == ExitCode.FAILED
    assert surroundings.state()["sentence"].startswith("3 restarts in 900 s did not help: replace this instance")
    assert (surroundings.os.mounts(), surroundings.holder()) == ([], "")
    surroundings.aws.advance(60)
    assert surroundings.lifecycle_state() == "", "the terminate hook was completed, not waited out"


def test_what_is_changed_while_it_serves_is_put_back_and_said(surroundings: Surroundings) -> None:
    machine, ec2 = surroundings.os, boto3.client("ec2", region_name=REGION)
    surroundings.serve()
    surroundings.until(lambda: surroundings.record() == [ADDRESS])
    mine = [surroundings.network_interface_id]
    (seen,) = ec2.describe_network_interfaces(NetworkInterfaceIds=mine)["NetworkInterfaces"]
    surroundings.change_record("10.0.100.99")
    machine.paths.generation_environment.unlink()
    (machine.paths.run / "granted").unlink()
    surroundings.until((machine.paths.run / "granted").exists)
    ec2.detach_network_interface(AttachmentId=seen["Attachment"]["AttachmentId"])
    surroundings.aws.advance(10)
    machine.know(is_unplugged=True, links={})
    machine.unmount(str(machine.root / "service"), is_lazy=True)

    surroundings.until(lambda: surroundings.holder() == surroundings.instance_id)
    machine.know(is_unplugged=False)
    for part in ("unit-files: ", "data: nothing is mounted at", "connection: demo.lab.internal moves"):
        surroundings.until(lambda part=part: f"upkeep: mended {part}" in surroundings.log())
    seen_first = ("upkeep: mended address: no device", "upkeep: mended network-interface: ")  # by the kernel, or by EC2
    surroundings.until(lambda: any(sentence in surroundings.log() for sentence in seen_first))
    surroundings.until(lambda: surroundings.state()["sentence"].startswith("healthy; mended "))
    surroundings.assert_serves()
    assert (surroundings.state()["phase"], surroundings.state()["reason"]) == ("ready", "")


def test_route53_out_of_reach_never_delays_the_start(surroundings: Surroundings) -> None:
    surroundings.environment["AWS_ENDPOINT_URL_ROUTE_53"] = "http://127.0.0.1:9"
    surroundings.serve()
    assert (surroundings.outcomes()["connection"], surroundings.outcomes()["launch-hook"]) == ("late", "ok")


def measured(surroundings: Surroundings, name: str, *dimensions: tuple[str, str]) -> list[float]:
    """The values of one of this service's metrics, as CloudWatch has them."""
    now = datetime.fromtimestamp(surroundings.aws.cloud.now(), UTC)
    found = boto3.client("cloudwatch", region_name=REGION).get_metric_statistics(
        Namespace="soloist",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in (("Service", "demo"), *dimensions)],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=60,
        Statistics=["Maximum"],
    )
    return [point["Maximum"] for point in found["Datapoints"]]


def test_a_boot_and_the_life_after_it_are_seen_from_outside(surroundings: Surroundings) -> None:
    me = ("InstanceId", surroundings.instance_id)
    surroundings.serve()
    surroundings.until(lambda: measured(surroundings, "Takeover") == [1])
    assert measured(surroundings, "Heartbeat", me) == [1]
    assert measured(surroundings, "BootTime")[0] >= measured(surroundings, "BootPhase", ("Phase", "lease"))[0] > 0
    surroundings.until(lambda: measured(surroundings, "Serving") == [1])


def test_every_takeover_is_noted_on_the_data_and_shown(surroundings: Surroundings) -> None:
    surroundings.serve().send_signal(signal.SIGTERM)
    surroundings.await_phase("stopped")
    surroundings.forget_state()
    surroundings.serve()

    def shown() -> list[dict[str, Any]]:
        status, text = surroundings.asked("/history?limit=2")
        return json.loads(text)["takeovers"] if status == 200 else []

    newest, first = surroundings.until(lambda: found if len(found := shown()) == 2 else None)
    assert (first["generation"], first["predecessor_generation"]) == (1, 0)
    assert (newest["predecessor_generation"], newest["ground"]) == (1, "released")
    assert {"lease", "mount-data", "healthy"} <= {phase["name"] for phase in newest["phases"]}
    seen = json.loads(surroundings.asked("/state")[1])["file_system"]
    assert (seen["id"], 0 < seen["used_bytes"] <= seen["total_bytes"]) == ("fs-1", True)


def copy_the_log(surroundings: Surroundings) -> None:
    """As the stack does where the service file says `logs.cloudwatch`."""
    boto3.client("logs", region_name=REGION).create_log_group(logGroupName="/soloist/demo")
    surroundings.change_document(lambda tree: tree.update(copies_log=True))


def copied(surroundings: Surroundings) -> list[dict[str, str]]:
    """The lines of this instance's stream, in CloudWatch Logs' order."""
    logs = boto3.client("logs", region_name=REGION)
    where = {"logGroupName": "/soloist/demo", "logStreamName": surroundings.instance_id}
    try:
        events = logs.get_log_events(**where, startFromHead=True, limit=10_000)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(event["message"]) for event in events]


def holds(lines: list[dict[str, str]], words: str) -> bool:
    return any(words in line["MESSAGE"] for line in lines)


def test_the_log_of_a_boot_is_copied_from_its_first_line_and_that_of_the_end_before_the_end(
    surroundings: Surroundings,
) -> None:
    copy_the_log(surroundings)
    agent = surroundings.serve()
    surroundings.until(lambda: holds(copied(surroundings), "ready: demo serves at"))
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    lines = copied(surroundings)
    assert "metadata: started" in lines[0]["MESSAGE"]
    for step in ("site", "lease", "mount-data", "service-start", "ready"):
        assert holds(lines, f"{step}: ok"), step
    assert holds(lines, "stopped: SIGTERM received")
    (ready,) = [line for line in lines if line["MESSAGE"].startswith("ready: demo serves at")]
    assert (ready["SOLOIST_INSTANCE"], ready["SOLOIST_GENERATION"]) == (surroundings.instance_id, "1")
    said = [line["MESSAGE"] for line in lines]
    assert [line for line in surroundings.log().splitlines() if line in said] == said, "in the order of the journal"


def test_the_evidence_of_a_boot_that_fails_is_there_when_the_agent_has_ended(surroundings: Surroundings) -> None:
    copy_the_log(surroundings)
    surroundings.metadata["meta-data/placement/availability-zone"] = "us-east-1f"
    assert surroundings.start().wait(timeout=30) == ExitCode.BAD_BOOT_DOCUMENT
    lines = copied(surroundings)
    assert holds(lines, "metadata: ok")
    assert holds(lines, "failed (wrong-zone): this instance is in us-east-1f")
    assert holds(lines, "launch hook: ")


def test_a_cloudwatch_logs_that_is_away_delays_no_boot_and_an_end_by_seconds(surroundings: Surroundings) -> None:
    surroundings.environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] = "http://127.0.0.1:9"
    copy_the_log(surroundings)
    agent = surroundings.serve()
    surroundings.assert_serves()
    surroundings.until(lambda: "log copy: put log events into /soloist/demo/" in surroundings.log())
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    assert surroundings.state()["phase"] == "stopped"
    assert "CloudWatch Logs has not taken the last" in surroundings.log()
    assert copied(surroundings) == []


def test_a_log_that_nobody_asked_for_goes_nowhere(surroundings: Surroundings) -> None:
    boto3.client("logs", region_name=REGION).create_log_group(logGroupName="/soloist/demo")
    surroundings.serve().send_signal(signal.SIGTERM)
    surroundings.await_phase("stopped")
    assert copied(surroundings) == []


def test_the_deprecation_of_its_image_is_a_trouble_and_changes_nothing_else(surroundings: Surroundings) -> None:
    now = datetime.fromtimestamp(surroundings.aws.cloud.now(), UTC)
    boto3.client("ec2", region_name=REGION).enable_image_deprecation(
        ImageId=IMAGE, DeprecateAt=now + timedelta(minutes=5)
    )
    surroundings.change_document(lambda tree: tree.update(notices={"image_deprecation_days": 365}))
    agent = surroundings.serve()
    surroundings.until(lambda: surroundings.state()["reason"] == "image-deprecated")
    assert f"the deprecation date of {IMAGE} is " in surroundings.state()["sentence"]
    assert surroundings.asked("/ready")[0] == 200
    surroundings.assert_serves()
    assert agent.poll() is None


def test_a_boot_that_fails_is_counted_before_the_agent_ends(surroundings: Surroundings) -> None:
    surroundings.metadata["meta-data/placement/availability-zone"] = "us-east-1f"
    assert surroundings.start().wait(timeout=30) == ExitCode.BAD_BOOT_DOCUMENT
    assert measured(surroundings, "BootFailed") == [1]
    assert measured(surroundings, "Serving") == []
