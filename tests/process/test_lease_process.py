"""Agent and fence as two real processes: who holds, who loses, and what is left on the machine then."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from bootstrap.lease.rules.record import file_name
from tests.kit.agent_process import AgentProcess
from tests.kit.surroundings import REGION, Surroundings

OTHER = "i-0123456789abcdef0"


def serve(here: Surroundings) -> AgentProcess:
    agent = here.start()
    state = here.await_phase("ready", "failed")
    assert state["phase"] == "ready", state
    return agent


def publish_rival(here: Surroundings, generation: int, **changes: object) -> None:
    (newest,) = here.generations()[-1:]
    rival = {**newest, "generation": generation, "instance_id": OTHER, "nonce": "theirs", "renewals": 0, **changes}
    (here.os.paths.lease_root / file_name(generation)).write_text(json.dumps(rival))


def parameter() -> dict[str, Any]:
    """The state parameter; empty before it is written."""
    client = boto3.client("ssm", region_name=REGION)
    try:
        tree: dict[str, Any] = json.loads(client.get_parameter(Name="/soloist/demo/state")["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        return {}
    return tree


def published() -> list[str]:
    """The texts that the notification topic was given."""
    (topic,) = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics.values()
    return [text for _id, text, *_ in topic.sent_notifications]


def test_generation_is_shown_everywhere_and_released_last(surroundings: Surroundings) -> None:
    agent = serve(surroundings)
    (record,) = surroundings.generations()
    assert (record["generation"], record["is_released"]) == (1, False)
    assert record["instance_id"] == surroundings.instance_id
    assert surroundings.state()["generation"] == 1
    surroundings.until(lambda: any("as generation 1, ready after" in text for text in surroundings.notifications))
    surroundings.until(lambda: "STATUS=generation 1: healthy" in surroundings.notifications)
    surroundings.until(lambda: parameter().get("phase") == "ready")
    assert parameter()["generation"] == 1
    run = surroundings.os.paths.run
    assert (run / "generation.env").read_text() == "SOLOIST_GENERATION=1\n"
    assert (run / "generation").read_text() == (run / "granted").read_text() == "1\n"
    surroundings.until(lambda: surroundings.generations()[0]["renewals"] >= 1)

    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    assert not (run / "granted").exists()
    phases = [entry["name"] for entry in surroundings.state()["timeline"]]
    assert phases[-6:] == ["service-stop", "sync", "unmount", "lease-release", "detach", "unmount-lease"]
    assert surroundings.generations()[0]["is_released"] is True
    serve(surroundings)
    assert [record["generation"] for record in surroundings.generations()] == [1, 2]


def test_somebody_elses_generation_ends_the_service_and_the_instance(surroundings: Surroundings) -> None:
    agent = serve(surroundings)
    publish_rival(surroundings, 2)
    surroundings.until(lambda: surroundings.state()["phase"] == "failed", 30)
    surroundings.until(lambda: surroundings.os.mounts() == [], 30)
    state = surroundings.state()
    assert state["reason"] == "lease-lost"
    assert state["generation"] == 1
    assert "generation 1 is lost: there is generation 2" in state["sentence"]
    (text,) = surroundings.until(published)
    assert f"demo on {surroundings.instance_id} in us-east-1a, generation 1: generation 1 is lost" in text
    assert surroundings.os.unit("demo.service") == "inactive"
    assert not (surroundings.os.paths.run / "granted").exists()
    assert not any(line.startswith("sync") for line in surroundings.os.log()), "nothing more is written back by order"
    assert surroundings.holder() == surroundings.instance_id, "whoever lost the lease touches no network interface"
    surroundings.aws.advance(60)
    surroundings.until(lambda: surroundings.lifecycle_state().startswith("Terminating"), 30)
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
    assert agent.wait(timeout=30) == 1
    (one, two) = surroundings.generations()
    assert one["is_released"] is False
    assert two["instance_id"] == OTHER, "the other's file is as it was"


def test_stopped_agent_cannot_keep_the_service_beyond_the_deadline(surroundings: Surroundings) -> None:
    """As systemd's watchdog is no part of this test, it is the fence alone that ends it."""
    surroundings.shorten_lease(renew_deadline_s=10.0, stop_timeout_s=1.0, kill_timeout_s=1.0)
    agent = serve(surroundings)
    agent.send_signal(signal.SIGSTOP)
    surroundings.until(lambda: (surroundings.os.group / "cgroup.kill").exists() and kills(surroundings), 60)
    surroundings.os.set_unit("demo.service", "inactive")
    # The data are still mounted and the agent, which would unmount them, is stopped: the machine is reset.
    surroundings.until(lambda: (surroundings.os.root / "sysrq").read_text() == "b", 30)
    assert not (surroundings.os.paths.run / "granted").exists()
    agent.send_signal(signal.SIGCONT)
    surroundings.until(lambda: surroundings.state()["phase"] == "failed", 30)
    assert surroundings.state()["reason"] == "lease-lost"


def kills(here: Surroundings) -> bool:
    return (here.os.group / "cgroup.kill").read_text() == "1"


def test_dead_fence_is_replaced_and_renewals_go_on(surroundings: Surroundings) -> None:
    serve(surroundings)
    (fence,) = [process for process in surroundings.started if "bootstrap.fence" in " ".join(map(str, process.args))]
    fence.kill()
    fence.wait()
    before = surroundings.generations()[0]["renewals"]
    surroundings.start_fence()
    surroundings.until(lambda: surroundings.generations()[0]["renewals"] >= before + 3, 60)
    assert surroundings.state()["phase"] == "ready"
    deadline_s = json.loads((surroundings.os.paths.run / "fence.json").read_text())["memory"]["deadline_s"]
    surroundings.until(
        lambda: json.loads((surroundings.os.paths.run / "fence.json").read_text())["memory"]["deadline_s"] > deadline_s,
        30,
    )


def test_without_a_fence_nothing_is_claimed(surroundings: Surroundings) -> None:
    for process in surroundings.started:
        process.kill()
        process.wait()
    surroundings.shorten_boot(6.0)
    agent = surroundings.start()
    state = surroundings.await_phase("failed")
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
    assert agent.wait(timeout=60) != 0
    assert state["reason"] in ("fence-unavailable", "timed-out")
    assert surroundings.generations() == []
    assert (surroundings.holder(), surroundings.record()) == ("", [])


def test_newcomer_beside_a_live_holder_shoots_only_by_the_groups_word(surroundings: Surroundings) -> None:
    """The holder is no instance of the group and EC2 does not know it: gone, confirmed, and followed when its own lease
    has run out."""
    surroundings.os.paths.lease_root.mkdir(parents=True)
    record = {
        "generation": 7,
        "instance_id": OTHER,
        "zone": "us-east-1b",
        "network_interface_id": "eni-2",
        "boot_id": "theirs",
        "image_id": "ami-1",
        "agent_version": "1",
        "nonce": "theirs",
        "renewals": 3,
        "retry_period_s": 0.5,
        "renew_deadline_s": 2.0,
        "lease_duration_s": 4.0,
        "is_released": False,
        "written_at": "",
    }
    (surroundings.os.paths.lease_root / file_name(7)).write_text(json.dumps(record))
    began_s = time.monotonic()
    serve(surroundings)
    assert time.monotonic() - began_s >= 4.0, "the holder's lease_duration_s was not waited for"
    assert surroundings.state()["generation"] == 8
    details = {entry["name"]: entry.get("detail", "") for entry in surroundings.state()["timeline"]}
    assert "is unknown to EC2 and not in the group for" in details["lease"]
