"""What this instance has to take back, part by part, for the ordered stop (lease.release).

For: every ending, and the takeover, which first ends what an earlier run of the agent left here. Guarantees: each part
has its own deadline and names what it could not finish; who uses the data outside the service is named and ended;
whatever cannot be unmounted stays mounted, so that the fence sees it and resets the machine. The network interface is
detached, too, so that a replacement in the same zone need not wait for the end of this instance.
Does not: decide the order.
"""

from __future__ import annotations

import logging

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError
from bootstrap.machine.units import run_hooks
from bootstrap.run.instance import Instance

log = logging.getLogger(__name__)

MOST_ROUNDS = 3  # an outsider that was ended may be started again, and keep the data busy once more
STOP_SPARE_S = 60.0  # for systemd, beyond the stop time-outs of the units


class InstanceBelongings:
    """The belongings of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def before_stop(self) -> list[str]:
        hooks = self._instance.document.service.hooks
        seconds = hooks.timeout_s * (len(hooks.before_stop) + 1)
        deadline = Deadline(self._instance.clock, seconds, "before-stop hooks")
        try:
            run_hooks(self._instance.machine.commands, hooks.before_stop, hooks.timeout_s, deadline, "before-stop")
        except AgentError as error:
            log.warning("%s", error)  # a failed hook leaves nothing behind that the operator must know of
        return []

    def stop_service(self) -> list[str]:
        service = self._instance.document.service
        seconds = service.stop_timeout_s * len(service.units) + STOP_SPARE_S
        deadline = Deadline(self._instance.clock, seconds, "stop the service")
        return [f"{unit} still runs" for unit in self._instance.service.units.stop(deadline)]

    def sync(self) -> list[str]:
        return self._instance.claims.data.sync(self._deadline("write back"))

    def outsiders(self) -> list[str]:
        self._instance.service.data_watch.pause()  # its child would be one
        _, staying = self._instance.service.outsiders.end(self._deadline("end of outsiders"))
        return [str(one) for one in staying]

    def unmount(self) -> list[str]:
        deadline = self._deadline("unmount")
        self._instance.service.data_watch.pause()
        for _ in range(MOST_ROUNDS):
            left = self._unmount(deadline)
            try:
                if not left or not self._instance.service.outsiders.end(deadline)[0]:
                    break
            except AgentError as error:
                return [*left, str(error)]
        return left

    def _unmount(self, deadline: Deadline) -> list[str]:
        left = [f"{target} could not be unmounted" for target in self._instance.service.directories.release(deadline)]
        return [*left, *self._instance.claims.data.unmount(deadline, may_be_lazy=False)]

    def detach(self) -> list[str]:
        claims, deadline = self._instance.claims, self._deadline("detach")
        is_released = claims.network_interface.release(deadline)
        left = [] if is_released else [f"{self._instance.zone.network_interface_id} is not seen detached"]
        return [*left, *claims.connection.release(deadline)]

    def unmount_lease(self) -> list[str]:
        return self._instance.lease_storage.unmount(self._deadline("unmount the lease directory"), may_be_lazy=True)

    def _deadline(self, what: str) -> Deadline:
        return Deadline(self._instance.clock, self._instance.document.deadlines.release_s, what)
