"""The real agent over a fake operating system: `python -m tests.process.run_agent ROOT [EVENT:STEP]`.

With EVENT:STEP (such as finished:mount-data) the process kills itself at that event, by an observer of the timeline:
the agent's own code knows nothing of it.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
from pathlib import Path

from bootstrap.__main__ import run
from bootstrap.base.clock import SystemClock
from bootstrap.base.threads import SystemThreads
from bootstrap.base.timeline import Event
from bootstrap.cloud.imds import HttpTransport, MetadataService
from bootstrap.fence.client import FenceClient
from bootstrap.fence.protocol import SOCKET_NAME
from bootstrap.lease.worker import LeaseWorker
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.agent import Adapters
from bootstrap.run.instance import MachineParts
from tests.kit.fake_os import FakeOs


def main(root: str, kill_at: str = "") -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)

    def kill_myself(event: Event) -> None:
        if f"{event['event']}:{event['name']}" == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

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


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
