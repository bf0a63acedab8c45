"""Agent and fence as two real processes: who holds, who loses, and what is left on the machine then."""

import json
import signal
import time
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from bootstrap.base.errors import ExitCode
from bootstrap.base.timing import LeaseTiming
from bootstrap.lease.rules.record import file_name, new_record, render_record
from tests.kit.agent_cloud import REGION
from tests.kit.lease import applicant
from tests.kit.surroundings import Surroundings

OTHER = "i-0123456789abcdef0"


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


def test_generation_is_shown_everywhere_and_given_back_with_all_else(surroundings: Surroundings) -> None:
    agent = surroundings.serve()
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
    assert surroundings.os.unit("demo.service") == "inactive"
    assert (surroundings.os.mounts(), surroundings.holder()) == ([], "")
    assert (surroundings.state()["phase"], surroundings.state()["sentence"]) == ("stopped", "SIGTERM received")
    phases = [entry["name"] for entry in surroundings.state()["timeline"]]
    assert phases[-7:] == ["service-stop", "outsiders", "sync", "unmount", "lease-release", "detach", "unmount-lease"]
    assert surroundings.generations()[0]["is_released"] is True
    surroundings.serve()
    surroundings.assert_serves()
    assert [record["generation"] for record in surroundings.generations()] == [1, 2]


def test_somebody_elses_generation_ends_the_service_and_the_instance(surroundings: Surroundings) -> None:
    agent = surroundings.serve()
    publish_rival(surroundings, 2)
    surroundings.until(lambda: surroundings.state()["phase"] == "failed", 30)
    surroundings.until(lambda: surroundings.os.mounts() == [], 30)
    state = surroundings.state()
    assert state["reason"] == "lease-lost"
    assert state["generation"] == 1
    assert "generation 1 is lost: there is generation 2" in state["sentence"]
    serves, lost = surroundings.until(lambda: told if len(told := published()) == 2 else None)
    who = f"demo on {surroundings.instance_id} in us-east-1a, generation 1: "
    assert serves.startswith(f"{who}demo serves at ")
    assert lost.startswith(f"{who}generation 1 is lost")
    assert surroundings.os.unit("demo.service") == "inactive"
    assert not (surroundings.os.paths.run / "granted").exists()
    assert not any(line.startswith("sync") for line in surroundings.os.log()), "nothing more is written back by order"
    assert surroundings.holder() == surroundings.instance_id, "whoever lost the lease touches no network interface"
    surroundings.aws.advance(60)
    surroundings.until(lambda: surroundings.lifecycle_state().startswith("Terminating"), 30)
    surroundings.let_the_group_end_it()
    assert agent.wait(timeout=30) == ExitCode.FAILED
    (one, two) = surroundings.generations()
    assert one["is_released"] is False
    assert two["instance_id"] == OTHER, "the other's file is as it was"


def test_stopped_agent_cannot_keep_the_service_beyond_the_deadline(surroundings: Surroundings) -> None:
    """As systemd's watchdog is no part of this test, it is the fence alone that ends it."""
    surroundings.shorten_lease(renew_deadline_s=6.0, stop_timeout_s=1.0, kill_timeout_s=1.0)
    agent = surroundings.serve()
    surroundings.freeze(agent)
    surroundings.until(lambda: (surroundings.os.group / "cgroup.kill").read_text() == "1")
    surroundings.os.set_unit("demo.service", "inactive")
    # The data are still mounted and the agent, which would unmount them, is stopped: the machine is reset.
    surroundings.until(lambda: (surroundings.os.root / "sysrq").read_text() == "b", 30)
    assert not (surroundings.os.paths.run / "granted").exists()
    agent.send_signal(signal.SIGCONT)
    surroundings.until(lambda: surroundings.state()["phase"] == "failed", 30)
    assert surroundings.state()["reason"] == "lease-lost"


def test_dead_fence_is_replaced_and_renewals_go_on(surroundings: Surroundings) -> None:
    surroundings.shorten_lease()
    surroundings.serve()
    (fence,) = [process for process in surroundings.started if "bootstrap.fence" in " ".join(map(str, process.args))]
    fence.kill()
    fence.wait()
    before = surroundings.generations()[0]["renewals"]
    surroundings.start_fence()
    surroundings.until(lambda: surroundings.generations()[0]["renewals"] >= before + 3, 60)
    assert surroundings.state()["phase"] == "ready"
    deadline_s = guarded_until_s(surroundings)
    surroundings.until(lambda: guarded_until_s(surroundings) > deadline_s, 30)


def guarded_until_s(here: Surroundings) -> float:
    return float(json.loads((here.os.paths.run / "fence.json").read_text())["memory"]["deadline_s"])


def test_newcomer_beside_a_live_holder_shoots_only_by_the_groups_word(surroundings: Surroundings) -> None:
    """The holder is no instance of the group and EC2 does not know it: gone, confirmed, and followed when its own lease
    has run out."""
    surroundings.shorten_lease(gone_confirm_s=0.5)
    timing = LeaseTiming(retry_period_s=0.5, renew_deadline_s=1.0, lease_duration_s=2.0)
    record = new_record(applicant(OTHER, boot_id="theirs"), timing, generation=7, nonce="theirs")
    surroundings.os.paths.lease_root.mkdir(parents=True)
    (surroundings.os.paths.lease_root / file_name(7)).write_text(render_record(record))
    began_s = time.monotonic()
    surroundings.serve()
    assert time.monotonic() - began_s >= 2.0, "the holder's lease_duration_s was not waited for"
    assert surroundings.state()["generation"] == 8
    assert "is unknown to EC2 and not in the group for" in surroundings.details()["lease"]
