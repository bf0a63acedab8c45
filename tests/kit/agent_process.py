"""The real agent as a process of its own, over a fake operating system.

For: tests/process. Guarantees: the agent runs in a new process with its own session, environment and standard error;
what it does there is the product's `run`, but that it looks again sooner at what AWS does at once here. It is forked
from a server that has already loaded boto3 and the models of the services, which costs a fresh interpreter more than a
whole boot of the agent.
Does not: share anything between agents: each is a fork of the same untouched server.
"""

import logging
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import boto3

from bootstrap.__main__ import run
from bootstrap.base.clock import SystemClock
from bootstrap.base.retry import Pauses
from bootstrap.base.threads import SystemThreads
from bootstrap.base.timeline import Event
from bootstrap.claims import group, network_interface
from bootstrap.cloud.imds import HttpTransport, MetadataService
from bootstrap.fence.client import FenceClient
from bootstrap.fence.protocol import SOCKET_NAME
from bootstrap.lease.worker import LeaseWorker
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.agent import Adapters
from bootstrap.run.instance import MachineParts
from tests.kit import service_models
from tests.kit.fake_os import FakeOs

LOOK_AGAIN_S = 0.2
SERVICES = ("ec2", "autoscaling", "route53", "ssm", "sns", "cloudwatch", "logs")
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.kit.agent_server"])


class AgentProcess:
    """An agent that has been started; the methods are those of subprocess.Popen that tests need."""

    args = ("agent",)

    def __init__(self, root: Path, kill_at: str, environment: Mapping[str, str], log: Path) -> None:
        """With `kill_at` EVENT:STEP (such as finished:mount-data) it kills itself at that event."""
        self._process = _server.Process(target=_run, args=(str(root), kill_at, dict(environment), str(log)))
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = 60.0) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def warm_up() -> None:
    """Load what every agent loads: the services' models, by making a client of each."""
    service_models.read_once()
    session = boto3.session.Session("testing", "testing", region_name="us-east-1")
    for service in SERVICES:
        session.client(service)


def _run(root: str, kill_at: str, environment: dict[str, str], log: str) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as errors:
        os.dup2(errors.fileno(), sys.stderr.fileno())
    sys.exit(main(root, kill_at))


def main(root: str, kill_at: str) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)

    def kill_myself(event: Event) -> None:
        if f"{event['event']}:{event['name']}" == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    network_interface.PAUSES = network_interface.RELEASE_PAUSES = group.POLLS = Pauses(first_s=LOOK_AGAIN_S)
    group.POLL_S = LOOK_AGAIN_S
    clock, fake = SystemClock(), FakeOs(Path(root))
    machine = MachineParts(
        clock=clock,
        paths=fake.paths,
        commands=fake,
        links=fake,
        worker=LeaseWorker(clock),
        threads=SystemThreads(),
        fence=FenceClient(fake.paths.run / SOCKET_NAME),
        nonce=lambda: secrets.token_hex(16),
        boot_id=(Path(root) / "boot_id").read_text(),
        image_version="1",
    )
    return run(
        Adapters(
            machine=machine,
            metadata=MetadataService(clock, HttpTransport(os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"])),
            notifier=ServiceNotifier(os.environ.get("NOTIFY_SOCKET", "")),
            observers=[kill_myself],
        )
    )
