"""The boot of an instance, as a graph of steps. Read it beside the picture in docs/architecture.md:

    mount-lease ─ lease ─┬─ network-interface ──────────┬─ service-start ─ healthy ─ launch-hook
                         ├─ mount-data ─ directories ───┘
                         └─ record (in the background, never a condition)

The metadata step comes before: without the boot document there is no graph.
"""

from __future__ import annotations

from dataclasses import replace

from bootstrap.base.clock import Deadline
from bootstrap.base.names import GENERATION_VARIABLE
from bootstrap.claims.dns import move_record
from bootstrap.claims.group import complete_launch_hook
from bootstrap.claims.network_interface import make_usable
from bootstrap.lease.rules.permission import record_ttl_s
from bootstrap.lease.takeover import Takeover
from bootstrap.machine.directories import ensure_directories
from bootstrap.machine.file_system import Marker, MountPlan, Unmarked, plan_mounts
from bootstrap.machine.units import run_hooks
from bootstrap.run.graph import Step
from bootstrap.run.instance import Instance
from bootstrap.run.report import write_file
from bootstrap.run.stop import InstanceBelongings

HOLDER = ("lease",)  # what must be done before anything of the predecessor is touched
LEASE_SPARE_S = 30.0  # the rules end a wait with a reason of their own before the step's deadline does
RECORD_RETRY_S = 24 * 3600.0  # the record is tried for this long after a boot


def boot_steps(instance: Instance) -> list[Step]:
    """All steps after the metadata, with what each needs and how long it may take."""
    document = instance.document
    limits, service = document.deadlines, document.service
    hooks_s = service.hooks.timeout_s * (len(service.hooks.before_start) + len(service.hooks.after_start))
    start_s = service.start_timeout_s * len(service.units) + hooks_s
    boot = Boot(instance)
    return [
        Step(name="mount-lease", run=boot.mount_lease, deadline_s=limits.boot_s),
        Step(
            name="lease",
            after=("mount-lease",),
            run=boot.lease,
            deadline_s=document.lease.timing.longest_wait_s + LEASE_SPARE_S,
        ),
        Step(name="network-interface", after=HOLDER, run=boot.network_interface, deadline_s=limits.network_interface_s),
        Step(name="mount-data", after=HOLDER, run=boot.mount_data, deadline_s=limits.boot_s),
        Step(name="record", after=HOLDER, run=boot.record, deadline_s=RECORD_RETRY_S, is_awaited=False),
        Step(name="directories", after=("mount-data",), run=boot.directories, deadline_s=limits.boot_s),
        Step(
            name="service-start", after=("directories", "network-interface"), run=boot.service_start, deadline_s=start_s
        ),
        Step(
            name="healthy",
            after=("service-start",),
            run=boot.healthy,
            deadline_s=service.health.start_allowance_s + hooks_s,
        ),
        Step(name="launch-hook", after=("healthy",), run=boot.launch_hook, deadline_s=limits.boot_s),
    ]


class Boot:
    """What each step does; each is safe to run again."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._document = instance.document

    def mount_lease(self, deadline: Deadline) -> str:
        return self._instance.file_systems.ensure_mounted(
            self._plans(is_lease=True), deadline, self._document.deadlines.mount_s, marker=Unmarked()
        )

    def lease(self, deadline: Deadline) -> str:
        instance, lease = self._instance, self._instance.lease
        taken = Takeover(
            lease.parts,
            evidence=lease.evidence,
            stop_service=InstanceBelongings(instance).end_service,
            nonce=lease.nonce,
        ).run(deadline)
        generation = taken.hold.record.generation
        # For the service: its units read the first as their environment (ami/install.sh).
        write_file(instance.paths.generation_environment, f"{GENERATION_VARIABLE}={generation}")
        write_file(instance.paths.generation, str(generation))
        lease.keeper.start(taken.hold, instance.listeners.on_lost, instance.listeners.beat_lease)
        instance.listeners.on_held(generation)
        return taken.sentence

    def mount_data(self, deadline: Deadline) -> str:
        file_systems = self._instance.file_systems
        root = str(self._instance.paths.data_root)
        marker = Marker(file_systems, root, self._document.file_system.id, self._document.service.name)
        return file_systems.ensure_mounted(
            self._plans(is_lease=False), deadline, self._document.deadlines.mount_s, marker=marker
        )

    def network_interface(self, deadline: Deadline) -> str:
        instance = self._instance
        seen = instance.claim.acquire(deadline)
        return make_usable(instance.links, instance.zone, seen.mac, deadline)

    def record(self, deadline: Deadline) -> str:
        instance = self._instance
        keeper = instance.lease.keeper
        ttl_s = record_ttl_s(self._document.record.ttl_s, keeper.generation)
        wanted = replace(instance.wanted_record, ttl_s=ttl_s)
        return move_record(instance.route53, wanted, deadline, self._document.deadlines.record_s, keeper.permit)

    def directories(self, deadline: Deadline) -> str:
        paths, directories = self._instance.paths, self._document.file_system.directories
        return ensure_directories(
            self._instance.file_systems, str(paths.data_root), directories, str(paths.factory), deadline
        )

    def service_start(self, deadline: Deadline) -> str:
        hooks = self._document.service.hooks
        run_hooks(self._instance.commands, hooks.before_start, hooks.timeout_s, deadline, "before-start")
        self._instance.units.start(deadline)
        return ", ".join(self._document.service.units)

    def healthy(self, deadline: Deadline) -> str:
        service = self._document.service
        allowance = deadline.within(service.health.start_allowance_s, "the service to become healthy")
        sentence = self._instance.prober.await_healthy(allowance)
        run_hooks(self._instance.commands, service.hooks.after_start, service.hooks.timeout_s, deadline, "after-start")
        return sentence

    def launch_hook(self, deadline: Deadline) -> str:
        return complete_launch_hook(self._instance.auto_scaling, self._document.group.launch_hook, deadline)

    def _plans(self, *, is_lease: bool) -> list[MountPlan]:
        paths = self._instance.paths
        return plan_mounts(
            self._document.file_system,
            is_lease=is_lease,
            target=str(paths.lease_root if is_lease else paths.data_root),
            mount_target_address=self._instance.zone.mount_target_address,
        )
