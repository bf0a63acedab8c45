"""Every step of a boot that fails: the same named reason in log, state file and state parameter, the launch hook told
ABANDON, everything given back, and the exit code that docs/runbook.md gives the reason.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from lab.aws.core.errors import group_refused, refused
from tests.kit.agent_cloud import REGION
from tests.kit.instance import shipped_steps
from tests.kit.surroundings import REPOSITORY, Surroundings

STEPS = [step.name for step in shipped_steps()]
REASON_ROW = re.compile(r"^\| `([a-z-]+)` \| ([\d or]+) \|", re.MULTILINE)


def documented_codes(reason: str) -> list[int]:
    """The exit codes that the documentation gives `reason`."""
    rows = dict(REASON_ROW.findall((REPOSITORY / "docs" / "runbook.md").read_text()))
    return [int(code) for code in rows[reason].split(" or ")]


def boot_s(seconds: float) -> Callable[[Surroundings], None]:
    return lambda here: here.shorten_boot(seconds)


def forbid(*parts: str) -> Callable[[Surroundings], None]:
    return lambda here: here.os.forbid(*parts)


def told(change: Callable[[dict[str, Any]], None]) -> Callable[[Surroundings], None]:
    return lambda here: here.change_document(change)


def refuse(operations: type, name: str, error: Callable[[str, str], Exception]) -> Callable[[Surroundings], None]:
    """The agent's first call of moto's operation is refused, in words that trying again cannot help."""

    def plant(_here: Surroundings) -> None:
        real = getattr(operations, name)

        def refused_once(*_given: object) -> None:
            setattr(operations, name, real)
            raise error("InvalidParameterCombination", "refused by the test")

        setattr(operations, name, refused_once)

    return plant


def end_the_fence(here: Surroundings) -> None:
    (fence,) = here.started
    fence.kill()
    fence.wait(timeout=10)


def put_the_marker_of_another_service(here: Surroundings) -> None:
    here.os.paths.data_root.mkdir(parents=True)
    (here.os.paths.data_root / ".soloist-file-system").write_text('{"file_system": "fs-1", "service": "other"}')


def await_what_is_not_there(tree: dict[str, Any]) -> None:
    health = tree["service"]["health"]
    health["start_allowance_s"] = 1.5
    health["checks"][0]["url"] = health["checks"][0]["url"].replace("/ping", "/gone")


@dataclass(frozen=True)
class Failure:
    """One way in which a boot fails: at which step, with which words."""

    step: str
    reason: str
    words: str
    plant: tuple[Callable[[Surroundings], object], ...]


FAILURES = (
    Failure("mount-lease", "timed-out", "forbidden by the test", (forbid("/demo/lease "), boot_s(3))),
    Failure("lease", "fence-unavailable", "the fence does not answer look", (end_the_fence, boot_s(4))),
    Failure(
        "network-interface",
        "network-interface-held",
        "never taken from a live instance",
        (
            Surroundings.let_a_rival_hold_the_address,
            told(lambda tree: tree["deadlines"].update(network_interface_s=2)),
        ),
    ),
    Failure(
        "network-interface",
        "aws-call-failed",
        "InvalidParameterCombination: refused by the test",
        (refuse(ElasticNetworkInterfaces, "attach_network_interface", refused),),
    ),
    Failure("network-interface", "network-interface-unusable", "10.0.100.10", (forbid("ip address"),)),
    Failure("mount-data", "file-system-refused", "Mount the right file system", (put_the_marker_of_another_service,)),
    Failure("mount-data", "timed-out", "forbidden by the test", (forbid("/demo/data "), boot_s(6))),
    Failure("directories", "mount-failed", "forbidden by the test", (forbid("mount --bind"),)),
    Failure("unit-settings", "surroundings", "forbidden by the test", (forbid("daemon-reload"),)),
    Failure("service-start", "service-failed", "demo.service is inactive", (forbid("systemctl start"),)),
    Failure(
        "service-start",
        "hook-failed",
        "before-start hook check-licence",
        (told(lambda tree: tree["service"].update(hooks={"before_start": [["check-licence"]]})),),
    ),
    Failure("healthy", "service-failed", "/gone: status 401, not 204", (told(await_what_is_not_there),)),
    Failure(
        "healthy",
        "hook-failed",
        "after-start hook announce",
        (told(lambda tree: tree["service"].update(hooks={"after_start": [["announce"]]})),),
    ),
    Failure(
        "launch-hook",
        "aws-call-failed",
        "InvalidParameterCombination: refused by the test",
        (refuse(AutoScalingResponse, "complete_lifecycle_action", group_refused),),
    ),
)


def written_state() -> dict[str, Any]:
    ssm = boto3.client("ssm", region_name=REGION)
    tree: dict[str, Any] = json.loads(ssm.get_parameter(Name="/soloist/demo/state")["Parameter"]["Value"])
    return tree


def last_log(root: Path) -> str:
    return sorted(root.glob("agent-*.log"))[-1].read_text()


def test_every_awaited_step_of_a_boot_is_made_to_fail() -> None:
    assert {failure.step for failure in FAILURES} == {step.name for step in shipped_steps() if step.is_awaited}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: f"{failure.step}-{failure.reason}")
def test_a_failing_step_is_named_abandoned_and_given_back(surroundings: Surroundings, failure: Failure) -> None:
    for plant in failure.plant:
        plant(surroundings)
    agent = surroundings.start()
    surroundings.await_phase("failed")
    surroundings.until(lambda: surroundings.lifecycle_state() in ("Terminating:Wait", ""), 30)
    surroundings.let_the_group_end_it()
    exit_code = agent.wait(timeout=30)
    assert exit_code != 0
    assert exit_code in documented_codes(failure.reason)

    state, log = written_state(), last_log(surroundings.os.root)
    assert (state["phase"], state["reason"]) == ("failed", failure.reason)
    assert state["sentence"].startswith(f"{failure.step}: ")
    assert failure.words in state["sentence"]
    assert {name: surroundings.state()[name] for name in ("phase", "reason", "sentence")} == {
        name: state[name] for name in ("phase", "reason", "sentence")
    }
    assert f"failed ({failure.reason}): {failure.step}: " in log
    assert "launch hook: ABANDON accepted" in log
    outcomes = {entry["name"]: entry["outcome"] for entry in state["timeline"]}
    assert outcomes[failure.step] == "failed"
    assert "ready" not in outcomes
    later = STEPS[STEPS.index(failure.step) + 1 :]
    if "service-start" in later:
        assert outcomes["service-start"] == "skipped"
        assert not any(line.startswith("systemctl start") for line in surroundings.os.log())
    if failure.step in ("mount-lease", "lease"):
        assert (surroundings.generations(), surroundings.record()) == ([], [])
    for entry in state["timeline"]:  # the same boot, as the journal tells it
        assert f"{entry['name']}: {entry['outcome']} after {entry['duration_s']:.3f} s" in log
    assert not any(message.startswith("READY=1") for message in surroundings.notifications)
    surroundings.await_notification(begins=f"STOPPING=1\nSTATUS={failure.reason}: ")

    assert surroundings.os.unit("demo.service") == "inactive"
    assert surroundings.os.mounts() == []
    assert surroundings.holder() != surroundings.instance_id
    surroundings.aws.advance(60)
    assert surroundings.lifecycle_state() == "", "the terminate hook was completed, not waited out"


def test_metadata_that_say_nothing_end_the_agent_before_anything_is_touched(surroundings: Surroundings) -> None:
    del surroundings.metadata["meta-data/instance-id"]
    exit_code = surroundings.start().wait(timeout=30)
    assert exit_code in documented_codes("surroundings")
    sentence = "surroundings: the metadata service has no /latest/meta-data/instance-id"
    assert sentence in last_log(surroundings.os.root)
    surroundings.await_notification(begins=f"STATUS={sentence}")
    assert (surroundings.os.log(), surroundings.holder(), surroundings.record()) == ([], "", [])
    assert surroundings.lifecycle_state() == "Pending:Wait", "nobody told it which hook: its own time-out answers"
