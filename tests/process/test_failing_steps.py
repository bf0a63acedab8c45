"""Every step of a boot that fails: the same named reason in log, state file and state parameter, the launch hook told
ABANDON, everything given back, and the exit code that docs/exit-codes.md gives the reason.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from tests.kit.instance import shipped_steps
from tests.kit.surroundings import REGION, REPOSITORY, Surroundings

REASON_ROW = re.compile(r"^\| `([a-z-]+)` \| ([\d or]+) \|", re.MULTILINE)


ENDPOINTS: list[http.server.ThreadingHTTPServer] = []


@pytest.fixture(autouse=True)
def _no_endpoint_stays() -> Iterator[None]:
    yield
    while ENDPOINTS:
        server = ENDPOINTS.pop()
        server.shutdown()
        server.server_close()


def documented_codes(reason: str) -> list[int]:
    """The exit codes that the documentation gives `reason`."""
    rows = dict(REASON_ROW.findall((REPOSITORY / "docs" / "exit-codes.md").read_text()))
    return [int(code) for code in rows[reason].split(" or ")]


def boot_s(seconds: float) -> Callable[[Surroundings], None]:
    return lambda here: here.shorten_boot(seconds)


def forbid(*parts: str) -> Callable[[Surroundings], None]:
    return lambda here: here.os.forbid(*parts)


def told(change: Callable[[dict[str, Any]], None]) -> Callable[[Surroundings], None]:
    return lambda here: here.change_document(change)


def refuse(service: str, action: str) -> Callable[[Surroundings], None]:
    """The agent's first such call is refused, in words that trying again cannot help."""

    def put_between(here: Surroundings) -> None:
        here.environment[f"AWS_ENDPOINT_URL_{service}"] = refusing_endpoint(
            here.environment["AWS_ENDPOINT_URL"], action
        )

    return put_between


def refusing_endpoint(behind: str, action: str) -> str:
    """The URL of an endpoint that refuses the first `action` and passes everything else on to the one `behind`."""
    error = "<Error><Code>InvalidParameterCombination</Code><Message>refused by the test</Message></Error>"
    refusal = f"<Response><Errors>{error}</Errors>{error}</Response>".encode()
    left = [action]

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if left and f"Action={left[0]}&".encode() in body:
                left.clear()
                status, text = 400, refusal
            else:
                link = http.client.HTTPConnection(urlsplit(behind).netloc, timeout=30)
                link.request("POST", self.path, body=body, headers=dict(self.headers.items()))
                answer = link.getresponse()
                status, text = answer.status, answer.read()
                link.close()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    ENDPOINTS.append(server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def end_the_fence(here: Surroundings) -> None:
    (fence,) = here.started
    fence.kill()
    fence.wait(timeout=10)


def let_a_rival_hold_the_address(here: Surroundings) -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    (subnet,) = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/24"]}])["Subnets"]
    image = "ami-0123456789abcdef0"
    made = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.medium", SubnetId=subnet["SubnetId"]
    )
    rival = made["Instances"][0]["InstanceId"]
    here.aws.advance(10)
    ec2.attach_network_interface(NetworkInterfaceId=here.network_interface_id, InstanceId=rival, DeviceIndex=1)


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
    plant: tuple[Callable[[Surroundings], None], ...]


FAILURES = (
    Failure("mount-lease", "timed-out", "forbidden by the test", (forbid("/demo/lease "), boot_s(4))),
    Failure("lease", "fence-unavailable", "the fence does not answer look", (end_the_fence, boot_s(4))),
    Failure(
        "network-interface",
        "network-interface-held",
        "never taken from a live instance",
        (
            let_a_rival_hold_the_address,
            told(lambda tree: tree["deadlines"].update(network_interface_s=2)),
        ),
    ),
    Failure(
        "network-interface",
        "aws-call-failed",
        "InvalidParameterCombination: refused by the test",
        (refuse("EC2", "AttachNetworkInterface"),),
    ),
    Failure("network-interface", "network-interface-unusable", "10.0.100.10", (forbid("ip address"),)),
    Failure("mount-data", "file-system-refused", "Mount the right file system", (put_the_marker_of_another_service,)),
    Failure("mount-data", "timed-out", "forbidden by the test", (forbid("/demo/data "), boot_s(8))),
    Failure("directories", "mount-failed", "forbidden by the test", (forbid("mount --bind"),)),
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
        (refuse("AUTO_SCALING", "CompleteLifecycleAction"),),
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
    surroundings.metadata["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
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
    for entry in state["timeline"]:  # the same boot, as the journal tells it
        assert f"{entry['name']}: {entry['outcome']} after {entry['duration_s']:.3f} s" in log
    assert not any(message.startswith("READY=1") for message in surroundings.notifications)
    assert any(message.startswith(f"STOPPING=1\nSTATUS={failure.reason}: ") for message in surroundings.notifications)

    assert surroundings.os.unit("demo.service") == "inactive"
    assert surroundings.os.mounts() == []
    assert surroundings.holder() != surroundings.instance_id


def test_metadata_that_say_nothing_end_the_agent_before_anything_is_touched(surroundings: Surroundings) -> None:
    del surroundings.metadata["meta-data/instance-id"]
    exit_code = surroundings.start().wait(timeout=30)
    assert exit_code in documented_codes("surroundings")
    sentence = "surroundings: the metadata service has no /latest/meta-data/instance-id"
    assert sentence in last_log(surroundings.os.root)
    assert any(message.startswith(f"STATUS={sentence}") for message in surroundings.notifications)
    assert (surroundings.os.log(), surroundings.holder(), surroundings.record()) == ([], "", [])
    assert surroundings.lifecycle_state() == "Pending:Wait", "nobody told it which hook: its own time-out answers"
