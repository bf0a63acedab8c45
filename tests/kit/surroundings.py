"""A cloud with one group of one instance, served over loopback, its metadata service, and a service that answers."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from bootstrap.base.document import render_user_data
from lab.aws import StrictAws, strict_mock_aws
from lab.base.waiting import wait_for
from tests.kit.agent_cloud import ADDRESS, IMAGE, REGION, build_cloud
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_os import FakeOs
from tests.kit.moto_server import POLL_S, moto_server

TARGET_STATE = "meta-data/autoscaling/target-lifecycle-state"
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Surroundings:
    """Everything around one agent."""

    aws: StrictAws
    os: FakeOs
    environment: dict[str, str]
    instance_id: str
    network_interface_id: str
    hosted_zone_id: str
    metadata: dict[str, str]
    notifications: list[str]
    state_port: int = 0
    started: list[subprocess.Popen[bytes] | AgentProcess] = field(default_factory=list)

    def start(self, kill_at: str = "") -> AgentProcess:
        log = self.os.root / f"agent-{len(self.started)}.log"
        process = AgentProcess(self.os.root, kill_at, self.environment, log)
        self.started.append(process)
        return process

    def serve(self, kill_at: str = "") -> AgentProcess:
        """An agent that has become ready."""
        agent = self.start(kill_at)
        state = self.await_phase("ready", "failed")
        assert state["phase"] == "ready", state
        return agent

    def details(self) -> dict[str, str]:
        """What each phase of the newest boot said."""
        return {entry["name"]: entry.get("detail", "") for entry in self.state()["timeline"]}

    def outcomes(self) -> dict[str, str]:
        """How each phase of the newest boot ended."""
        return {entry["name"]: entry["outcome"] for entry in self.state()["timeline"]}

    def freeze(self, agent: AgentProcess) -> None:
        """SIGSTOP, but never while the agent holds the lock of the fake machine: this process would wait for ever."""
        with self.os._state():
            agent.send_signal(signal.SIGSTOP)
            self.until(lambda: all(_is_stopped(thread) for thread in Path(f"/proc/{agent.pid}/task").iterdir()))

    def let_the_group_end_it(self) -> None:
        """The metadata service says that the group is terminating this instance."""
        self.metadata[TARGET_STATE] = "Terminated"

    def let_a_rival_hold_the_address(self) -> str:
        """Another instance, which runs, has the service's network interface; its id."""
        ec2 = boto3.client("ec2", region_name=REGION)
        (subnet,) = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/24"]}])["Subnets"]
        machine = {"ImageId": IMAGE, "InstanceType": "t3.medium", "SubnetId": subnet["SubnetId"]}
        rival = str(ec2.run_instances(MinCount=1, MaxCount=1, **machine)["Instances"][0]["InstanceId"])
        self.aws.advance(10)
        ec2.attach_network_interface(NetworkInterfaceId=self.network_interface_id, InstanceId=rival, DeviceIndex=1)
        return rival

    def start_fence(self) -> subprocess.Popen[bytes]:
        """The real fence, over the fake machine's control group and mounts; a reset shows in the file sysrq."""
        root = self.os.root
        argv = [sys.executable, "-S", "-m", "bootstrap.fence", "--run", str(self.os.paths.run)]
        argv += ["--group", str(self.os.group), "--mountinfo", str(self.os.paths.mountinfo)]
        argv += ["--proc", str(root / "proc")]
        argv += ["--watchdogs", str(root / "watchdog*"), "--sysrq", str(root / "sysrq")]
        (root / "sysrq").touch()
        log = (root / f"fence-{len(self.started)}.log").open("wb")
        process = subprocess.Popen(argv, cwd=REPOSITORY, stderr=log, start_new_session=True)
        self.started.append(process)
        return process

    def reboot(self, boot_id: str) -> None:
        """Everything ends at once; then the machine comes back with another boot id and its fence."""
        for process in self.started:
            process.kill()
            process.wait(timeout=10)
        self.os.reboot(boot_id)
        self.start_fence()

    def change_document(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Tell agents that start from now on something else."""
        lines = self.metadata["user-data"].splitlines()
        (line,) = [line.strip() for line in lines if line.strip().startswith("{")]
        tree = json.loads(line)
        change(tree)
        self.metadata["user-data"] = render_user_data(json.dumps(tree))

    def asked(self, path: str) -> tuple[int, str]:
        """What the agent answers to GET `path`; (0, "") while nobody listens."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.state_port}{path}", timeout=5)
        except requests.ConnectionError:
            return 0, ""
        return answer.status_code, answer.text

    def shorten_lease(self, **timing_s: float) -> None:
        """Other timings of the lease, which must keep the rules."""
        fast = {"retry_period_s": 0.5, "request_timeout_s": 2.0}
        self.change_document(lambda tree: tree["lease"]["timing"].update({**fast, **timing_s}))

    def shorten_boot(self, seconds: float) -> None:
        self.change_document(lambda tree: tree["deadlines"].update({"boot_s": seconds}))

    def generations(self) -> list[dict[str, Any]]:
        """The records in the lease directory, oldest first."""
        found = sorted(self.os.paths.lease_root.glob("generation-*"))
        return [json.loads(path.read_text()) for path in found]

    def state(self) -> dict[str, Any]:
        try:
            tree: dict[str, Any] = json.loads((self.os.paths.run / "state.json").read_text())
        except FileNotFoundError:
            return {"phase": ""}
        return tree

    def forget_state(self) -> None:
        (self.os.paths.run / "state.json").unlink(missing_ok=True)

    def await_phase(self, *phases: str, timeout_s: float = 60.0) -> dict[str, Any]:
        return self.until(lambda: self.state() if self.state()["phase"] in phases else None, timeout_s)

    def until(self, look: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        def seen() -> str:
            return f"state {self.state()}\n" + "".join(log.read_text() for log in sorted(self.os.root.glob("*.log")))

        return wait_for(look, "what the test waits for", deadline_s=timeout_s, poll_s=0.05, describe=seen)

    def await_notification(self, *, begins: str = "", holds: str = "") -> None:
        """systemd is told so; what the agent said last may still be on its way when it has ended."""
        self.until(lambda: any(text.startswith(begins) and holds in text for text in self.notifications))

    def record(self) -> list[str]:
        answer = boto3.client("route53", region_name=REGION).list_resource_record_sets(HostedZoneId=self.hosted_zone_id)
        return [
            value["Value"]
            for item in answer["ResourceRecordSets"]
            if item["Type"] == "A"
            for value in item["ResourceRecords"]
        ]

    def change_record(self, address: str) -> None:
        """Somebody else moves the record."""
        (change,) = boto3.client("route53", region_name=REGION).list_resource_record_sets(
            HostedZoneId=self.hosted_zone_id, StartRecordName="demo.lab.internal", StartRecordType="A", MaxItems="1"
        )["ResourceRecordSets"]
        wanted = {**change, "ResourceRecords": [{"Value": address}]}
        boto3.client("route53", region_name=REGION).change_resource_record_sets(
            HostedZoneId=self.hosted_zone_id,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]},
        )

    def log(self) -> str:
        """What the first agent has said."""
        return (self.os.root / "agent-1.log").read_text()

    def holder(self) -> str:
        ec2 = boto3.client("ec2", region_name=REGION)
        found = ec2.describe_network_interfaces(NetworkInterfaceIds=[self.network_interface_id])
        return str(found["NetworkInterfaces"][0].get("Attachment", {}).get("InstanceId", ""))

    def lifecycle_state(self) -> str:
        group = boto3.client("autoscaling", region_name=REGION)
        found = group.describe_auto_scaling_instances(InstanceIds=[self.instance_id])["AutoScalingInstances"]
        return str(found[0]["LifecycleState"]) if found else ""

    def assert_serves(self) -> None:
        assert self.os.unit("demo.service") == "active"
        assert self.holder() == self.instance_id
        assert self.lifecycle_state() == "InService"
        assert self.record() == [ADDRESS]
        mounts = self.os.mounts()
        assert sorted(mounts) == sorted({*mounts}), f"something is mounted twice: {mounts}"
        assert len(mounts) == 3
        assert (self.os.paths.data_root / "demo" / "shipped.conf").read_text() == "shipped\n"


def _is_stopped(thread: Path) -> bool:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"


class _Metadata(http.server.BaseHTTPRequestHandler):
    values: dict[str, str] = {}

    def do_PUT(self) -> None:
        self._send(200, "token")

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._send(204, "")
        elif self.headers.get("X-aws-ec2-metadata-token") != "token":
            self._send(401, "")
        elif (value := self.values.get(self.path.removeprefix("/latest/"))) is None:
            self._send(404, "")
        else:
            self._send(200, value)

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def open_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    """Everything around one agent, with the real fence running; all that was started is killed at the end."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    fake = FakeOs(tmp_path / "machine")
    target = fake.root / "service"
    target.mkdir()
    (target / "shipped.conf").write_text("shipped\n")
    with strict_mock_aws(instant=True) as aws, moto_server() as aws_url:
        values: dict[str, str] = {}
        handler = type("Handler", (_Metadata,), {"values": values})
        metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=metadata.serve_forever, args=(POLL_S,), daemon=True).start()
        health_url = f"http://127.0.0.1:{metadata.server_port}/ping"
        world = build_cloud(aws, health_url, str(target))
        values.update(world.pop("metadata"))
        notifications: list[str] = []
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.bind(str(tmp_path / "notify"))
        threading.Thread(target=_collect, args=(channel, notifications), daemon=True).start()
        here = Surroundings(
            aws=aws,
            os=fake,
            environment={
                **os.environ,
                "AWS_ENDPOINT_URL": aws_url,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{metadata.server_port}",
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
            },
            metadata=values,
            notifications=notifications,
            **world,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            here.state_port = int(free.getsockname()[1])
        here.change_document(lambda tree: tree.update(state_server={"port": here.state_port}))
        fake.need_grant()
        fake.paths.run.mkdir(parents=True, exist_ok=True)
        (fake.root / "boot_id").write_text("boot-1")
        here.start_fence()
        try:
            yield here
        finally:
            for process in here.started:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                process.wait(timeout=10)
            metadata.shutdown()
            metadata.server_close()
            channel.close()


def _collect(channel: socket.socket, into: list[str]) -> None:
    while True:
        try:
            into.append(channel.recv(4096).decode())
        except OSError:
            return
