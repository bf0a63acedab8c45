"""The agent as systemd starts it, `python -m bootstrap`: real adapters, signals, log and exit code.

The exit codes are those of errors.ExitCode (docs/runbook.md); the unit restarts the agent only after those where
that can help. AWS_EC2_METADATA_SERVICE_ENDPOINT and AWS_ENDPOINT_URL are settings of the AWS SDKs, and are honoured.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import threading

from bootstrap.base.clock import StopRequest, SystemClock
from bootstrap.base.errors import ExitCode
from bootstrap.base.paths import Paths
from bootstrap.base.threads import SystemThreads
from bootstrap.cloud.imds import DEFAULT_ENDPOINT, HttpTransport, MetadataService
from bootstrap.fence.client import FenceClient
from bootstrap.fence.protocol import SOCKET_NAME
from bootstrap.lease.worker import LeaseWorker
from bootstrap.machine.commands import ChildCommands
from bootstrap.machine.journal import JournalHandler, is_journal
from bootstrap.machine.links import KernelLinks
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.agent import Adapters, Agent
from bootstrap.run.instance import MachineParts
from bootstrap.run.report import image_version

log = logging.getLogger("bootstrap")


def main() -> ExitCode:
    """Run the agent until it is told to stop."""
    handler = JournalHandler("soloist-agent") if is_journal(sys.stderr, os.environ.get("JOURNAL_STREAM", "")) else None
    logging.basicConfig(
        handlers=[handler or logging.StreamHandler(sys.stderr)], level=logging.INFO, format="%(message)s"
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
    if os.geteuid() != 0:
        log.error("the agent must run as root: start it with systemctl start soloist-agent")
        return ExitCode.SURROUNDINGS
    clock, paths = SystemClock(), Paths()
    endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or DEFAULT_ENDPOINT
    worker = LeaseWorker(clock)
    worker.start()
    machine = MachineParts(
        clock=clock,
        paths=paths,
        commands=ChildCommands(),
        links=KernelLinks(paths.network_devices),
        worker=worker,
        threads=SystemThreads(),
        fence=FenceClient(paths.run / SOCKET_NAME),
        nonce=lambda: secrets.token_hex(16),
        boot_id=paths.boot_id.read_text(encoding="ascii").strip(),
        image_version=image_version(paths.image),
    )
    adapters = Adapters(
        machine=machine,
        metadata=MetadataService(clock, HttpTransport(endpoint)),
        notifier=ServiceNotifier(os.environ.get("NOTIFY_SOCKET", "")),
    )
    return run(adapters, handler)


def run(adapters: Adapters, journal: JournalHandler | None = None) -> ExitCode:
    """Run with `adapters`. A signal becomes a request to stop; an exception nobody expected has its own exit code.
    `journal`: where the log goes; it gets the facts of this instance as fields."""
    stop = StopRequest()
    _stop_on_signals(stop)
    agent: Agent | None = None
    try:
        agent = Agent(adapters, stop)
        if journal is not None:
            journal.facts = agent.facts
        logging.getLogger().addHandler(agent.log_copy)
        return agent.run()
    except Exception:
        log.exception("a defect in the agent: it exits, and systemd starts it again")
        return ExitCode.DEFECT
    finally:
        if agent is not None:
            agent.log_copy.flush()


def _stop_on_signals(stop: StopRequest) -> None:
    """Turn SIGTERM and SIGINT into a request to stop. A thread makes the request, because a signal handler that takes a
    lock, as an Event does, can interrupt the thread that holds it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)

    def read_signals() -> None:
        while received := os.read(reader, 1):
            stop.request(f"{signal.Signals(received[0]).name} received")

    threading.Thread(target=read_signals, name="signals", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
