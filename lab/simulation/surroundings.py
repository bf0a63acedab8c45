"""What an agent of the simulated world reaches: the file server, the APIs, and its own machine's systemd.

For: lab.simulation.agent and the two sides of its work, lab.simulation.newcomer and lab.simulation.holder.
Guarantees: a question ends with an answer or, after its time-out on the guest's clock, with NoAnswer; each look is
asked of the server anew. Does not: decide anything, ask again by itself, or undo a request whose answer was lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bootstrap.lease.rules.observation import NoAnswer
from lab.simulation.engine import TIMED_OUT, Body, Process, ask, sleep
from lab.simulation.file_server import as_seen
from lab.simulation.machine import Machine

if TYPE_CHECKING:
    from lab.simulation.world import World

API_TIMEOUT_S = 5.0


class Surroundings:
    """Those of one run of the agent process of one machine."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine

    def start(self, body: Body) -> None:
        """One more thing that the agent does at the same time; it dies with the agent."""
        process = Process(self._world.engine, self._machine.clock, body)
        self._machine.processes.append(process)

    def look(self) -> Body:
        """A fresh look at the highest generation: Seen or NoAnswer."""
        answer = yield from self.on_files(None)
        return answer

    def on_files(self, operation: Any) -> Body:
        """Do `operation` on the server and look afterwards: Seen or NoAnswer."""
        machine, files = self._machine, self._world.files
        sent_s = machine.clock.read()

        def perform() -> Any:
            if operation is not None:
                operation()
                machine.cached_until_s = -1.0  # a client sees its own changes
            machine.look_performed_s = self._world.engine.now
            return files.look(machine)

        is_write = operation is not None
        content = yield ask(
            machine.timing.request_timeout_s,
            lambda reply: files.request(machine, perform, reply, is_write=is_write),
        )
        if content is TIMED_OUT:
            return NoAnswer(reason="time-out")
        machine.look_returned_s = self._world.engine.now
        return as_seen(content, sent_s, machine.clock.read())

    def call(self, service: str, operation: Any, *, may_be_late: bool = False) -> Body:
        """Do `operation` at the AWS service `service`: what it returns, or NoAnswer."""
        machine, cloud = self._machine, self._world.cloud
        answer = yield ask(
            API_TIMEOUT_S,
            lambda reply: cloud.request(machine, service, operation, reply, may_be_late=may_be_late),
        )
        return NoAnswer(reason="time-out") if answer is TIMED_OUT else answer

    def stop_service(self) -> Body:
        """Up to 40 s; what is still there then is the fence's part."""
        machine, engine = self._machine, self._world.engine
        machine.is_wanted = False
        for _ in range(20):
            if machine.is_running:
                engine.after(engine.rng.uniform(0.2, 6.0), machine.processes_end, machine.epoch)
            elif machine.is_mounted:
                engine.after(engine.rng.uniform(0.05, 0.5), machine.unmount, machine.epoch)
            else:
                break
            yield sleep(2.0)
        machine.is_wanted = True
