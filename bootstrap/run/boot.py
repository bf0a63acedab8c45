"""The boot of an instance, as a graph of steps. Read it beside the picture in docs/architecture.md:

    mount-lease ─ lease ─┬─ network-interface ──────────┬─ service-start ─ healthy ─ launch-hook
                         ├─ mount-data ─ directories ───┤
                         └─ connection (background)     │
    unit-settings ──────────────────────────────────────┘

The step connection is never a condition of another one.

The metadata are read before: without the boot document there is no graph. `boot_steps` says what waits for what and for
how long; `Boot` says what each step does, in the same order. Guarantees: each step is safe to repeat.
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import ServiceError
from bootstrap.claims.connection.contract import establish
from bootstrap.claims.group import complete_launch_hook
from bootstrap.claims.network_interface import make_usable
from bootstrap.claims.storage.contract import ensure_mounted
from bootstrap.fence.cgroups import ServiceGroup
from bootstrap.machine.units import run_hooks
from bootstrap.run.generation_files import write_generation
from bootstrap.run.graph import BootStep
from bootstrap.run.instance import Instance
from bootstrap.run.stop import InstanceBelongings

HOLDER = ("lease",)  # this comes before anything of the predecessor is touched
LEASE_SPARE_S = 30.0  # so that the lease's rules, which give a reason, end a wait before the step's deadline does
SETTINGS_S = 60.0
CONNECTION_S = 24 * 3600.0  # the connection is tried for this long after a boot


def boot_steps(instance: Instance) -> list[BootStep]:
    """All steps after the metadata, with what each needs and how long it may take."""
    boot, limits, service = Boot(instance), instance.document.deadlines, instance.document.service
    lease_s = instance.document.lease.timing.longest_wait_s + LEASE_SPARE_S
    hooks_s = service.hooks.timeout_s * (len(service.hooks.before_start) + len(service.hooks.after_start))
    start_s = service.start_timeout_s * len(service.units) + hooks_s
    healthy_s = service.health.start_allowance_s + hooks_s
    ready_to_start = ("directories", "network-interface", "unit-settings")
    return [
        BootStep(name="mount-lease", run=boot.mount_lease, deadline_s=limits.boot_s),
        BootStep(name="lease", after=("mount-lease",), run=boot.lease, deadline_s=lease_s),
        BootStep(
            name="network-interface", after=HOLDER, run=boot.network_interface, deadline_s=limits.network_interface_s
        ),
        BootStep(name="mount-data", after=HOLDER, run=boot.mount_data, deadline_s=limits.boot_s),
        BootStep(name="connection", after=HOLDER, run=boot.connection, deadline_s=CONNECTION_S, is_awaited=False),
        BootStep(name="unit-settings", run=boot.unit_settings, deadline_s=SETTINGS_S),
        BootStep(name="directories", after=("mount-data",), run=boot.directories, deadline_s=limits.boot_s),
        BootStep(name="service-start", after=ready_to_start, run=boot.service_start, deadline_s=start_s),
        BootStep(name="healthy", after=("service-start",), run=boot.healthy, deadline_s=healthy_s),
        BootStep(name="launch-hook", after=("healthy",), run=boot.launch_hook, deadline_s=limits.boot_s),
    ]


class Boot:
    """What each step does. Each gets its deadline, returns what it did in words, and raises AgentError or
    StopRequested."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._document = instance.document
        self._machine = instance.machine

    def mount_lease(self, deadline: Deadline) -> str:
        return ensure_mounted(self._instance.lease_storage, deadline, self._document.deadlines.mount_s)

    def lease(self, deadline: Deadline) -> str:
        """Take the lease, then keep it until the agent ends."""
        lease, listeners, paths = self._instance.lease, self._instance.listeners, self._machine.paths
        taken = lease.take(InstanceBelongings(self._instance), deadline)
        generation = taken.hold.record.generation
        write_generation(paths, generation)
        lease.keep(taken, listeners.on_lost, listeners.beat_lease)
        listeners.on_held(generation)
        return taken.sentence

    def network_interface(self, deadline: Deadline) -> str:
        seen = self._instance.claims.network_interface.acquire(deadline)
        return make_usable(self._machine.links, self._instance.zone, seen.mac, deadline)

    def mount_data(self, deadline: Deadline) -> str:
        """Mount them, and have them say that this generation writes."""
        how = ensure_mounted(self._instance.claims.data, deadline, self._document.deadlines.mount_s)
        self._instance.service.outsiders.remember()
        self._instance.lease.enter(self._instance.service.writers, deadline)
        return how

    def connection(self, deadline: Deadline) -> str:
        return establish(self._instance.claims.connection, self._instance.lease.keeper.generation, deadline)

    def directories(self, deadline: Deadline) -> str:
        return self._instance.service.directories.ensure(deadline)

    def unit_settings(self, deadline: Deadline) -> str:
        return self._instance.service.settings.apply(deadline)

    def service_start(self, deadline: Deadline) -> str:
        self._instance.service.units.start(deadline)
        units, group = ", ".join(self._document.service.units), self._machine.paths.service_group
        if ServiceGroup(group).is_empty():
            raise ServiceError(
                f"{units} started, and no process runs in {group.name}: the service is where the fence does not reach",
                remedy="Name the units of the processes themselves in service.units and bake the image again",
            )
        return units

    def healthy(self, deadline: Deadline) -> str:
        health, hooks = self._document.service.health, self._document.service.hooks
        allowance = deadline.within(health.start_allowance_s, "the service to become healthy")
        sentence = self._instance.service.prober.await_healthy(allowance)
        run_hooks(self._machine.commands, hooks.after_start, hooks.timeout_s, deadline, "after-start")
        return sentence

    def launch_hook(self, deadline: Deadline) -> str:
        return complete_launch_hook(self._instance.group, self._document.group.launch_hook, deadline)
