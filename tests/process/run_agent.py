"""The real agent over a fake operating system: `python -m tests.process.run_agent ROOT [EVENT:STEP]`.

With EVENT:STEP (such as finished:mount-data) the process kills itself at that event, by an observer of the timeline:
the agent's own code knows nothing of it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from bootstrap.__main__ import run
from bootstrap.agent import Adapters
from bootstrap.clock import SystemClock
from bootstrap.imds import HttpTransport, MetadataService
from bootstrap.notify import ServiceNotifier
from bootstrap.timeline import Event
from tests.process.fake_os import FakeOs


def main(root: str, kill_at: str = "") -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)

    def kill_myself(event: Event) -> None:
        if f"{event['event']}:{event['name']}" == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    clock, fake = SystemClock(), FakeOs(Path(root))
    return run(
        Adapters(
            clock=clock,
            paths=fake.paths,
            metadata=MetadataService(clock, HttpTransport(os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"])),
            commands=fake,
            links=fake,
            notifier=ServiceNotifier(os.environ.get("NOTIFY_SOCKET", "")),
            observers=[kill_myself],
        )
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
