"""A cloud with one group of one instance, served over loopback, its metadata service, and a service that answers."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bootstrap.base.document import render_user_data
from lab.aws import StrictAws, strict_mock_aws
from tests.kit.agent_process import AgentProcess
from tests.kit.documents import document_tree
from tests.kit.fake_os import FakeOs

REGION, ZONE = "us-east-1", "us-east-1a"
ADDRESS = "10.0.100.10"
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
    started: list[subprocess.Popen[bytes] | AgentProcess] = field(default_factory=list)

    def start(self, kill_at: str = "") -> AgentProcess:
        log = self.os.root / f"agent-{len(self.started)}.log"
        process = AgentProcess(self.os.root, kill_at, self.environment, log)
        self.started.append(process)
        return process

    def start_fence(self) -> subprocess.Popen[bytes]:
        """The real fence, over the fake machine's control group and mounts; a reset shows in the file sysrq."""
        root = self.os.root
        argv = [sys.executable, "-S", "-m", "bootstrap.fence", "--run", str(self.os.paths.run)]
        argv += ["--group", str(self.os.group), "--mountinfo", str(self.os.paths.mountinfo)]
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
        ends_s = time.monotonic() + timeout_s
        while time.monotonic() < ends_s:
            if seen := look():
                return seen
            time.sleep(0.05)
        logs = "".join(path.read_text() for path in sorted(self.os.root.glob("*.log")))
        raise AssertionError(f"not seen within {timeout_s} s; state {self.state()}\n{logs}")

    def record(self) -> list[str]:
        answer = boto3.client("route53", region_name=REGION).list_resource_record_sets(HostedZoneId=self.hosted_zone_id)
        return [
            value["Value"]
            for item in answer["ResourceRecordSets"]
            if item["Type"] == "A"
            for value in item["ResourceRecords"]
        ]

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
    with strict_mock_aws(instant=True) as aws:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        values: dict[str, str] = {}
        handler = type("Handler", (_Metadata,), {"values": values})
        metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=metadata.serve_forever, daemon=True).start()
        health_url = f"http://127.0.0.1:{metadata.server_port}/ping"
        world = _build_cloud(aws, health_url, str(target))
        values.update(world.pop("metadata"))
        _, port = server.get_host_and_port()
        notifications: list[str] = []
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.bind(str(tmp_path / "notify"))
        threading.Thread(target=_collect, args=(channel, notifications), daemon=True).start()
        here = Surroundings(
            aws=aws,
            os=fake,
            environment={
                **os.environ,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{metadata.server_port}",
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
            },
            metadata=values,
            notifications=notifications,
            **world,
        )
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
            server.stop()
            channel.close()


def _collect(channel: socket.socket, into: list[str]) -> None:
    while True:
        try:
            into.append(channel.recv(4096).decode())
        except OSError:
            return


def _build_cloud(aws: StrictAws, health_url: str, target: str) -> dict[str, Any]:
    aws.register_image("ami-0123456789abcdef0", "service-1")
    ec2, group = boto3.client("ec2", region_name=REGION), boto3.client("autoscaling", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet, service_subnet = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=ZONE)["Subnet"]["SubnetId"]
        for cidr in ("10.0.0.0/24", "10.0.100.0/24")
    )
    interface = ec2.create_network_interface(SubnetId=service_subnet, PrivateIpAddress=ADDRESS)["NetworkInterface"]
    zone_id = boto3.client("route53").create_hosted_zone(
        Name="lab.internal", CallerReference="1", VPC={"VPCRegion": REGION, "VPCId": vpc}
    )["HostedZone"]["Id"]
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="soloist-demo")["TopicArn"]
    template = ec2.create_launch_template(
        LaunchTemplateName="soloist-demo",
        LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.medium"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    hook = {"HeartbeatTimeout": 600, "DefaultResult": "ABANDON"}
    group.create_auto_scaling_group(
        AutoScalingGroupName="soloist-demo",
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "boot",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                **hook,
            },
            {
                "LifecycleHookName": "drain",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                **hook,
            },
        ],
    )
    aws.advance(30)
    (instance,) = aws.instances()
    document = document_tree(
        target,
        service={
            "units": ["demo.service"],
            "health": {
                "checks": [{"kind": "http", "url": health_url, "expect_status": 204}],
                "start_allowance_s": 20,
                "interval_s": 0.5,
            },
            "hooks": {"before_stop": []},
        },
        zones=[{**document_tree()["zones"][0], "network_interface_id": interface["NetworkInterfaceId"]}],
        connection={"hosted_zone_id": zone_id.rsplit("/", 1)[-1]},
        lease={"timing": {"settle_s": 0.2, "gone_confirm_s": 2.0, "retry_period_s": 1.0}},
        deadlines={"boot_s": 60, "network_interface_s": 20, "mount_s": 10, "release_s": 10},
        topic_arn=topic,
    )
    return {
        "instance_id": instance.id,
        "network_interface_id": interface["NetworkInterfaceId"],
        "hosted_zone_id": zone_id,
        "metadata": {
            "user-data": render_user_data(json.dumps(document)),
            "meta-data/instance-id": instance.id,
            "meta-data/placement/availability-zone": ZONE,
            "meta-data/ami-id": "ami-0123456789abcdef0",
            "meta-data/mac": "02:00:00:00:00:01",
        },
    }
