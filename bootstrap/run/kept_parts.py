"""The parts of a serving instance that are looked at again and again, each with how it is seen and how it is mended.

For: run.upkeep. The `Terms` say what is mended here, what ends the instance, and what is only a trouble;
docs/failure-modes.md has the table for people. Guarantees: a look takes milliseconds and asks the kernel,
files, systemd or the fence; the looks that ask AWS are ten an hour at most, and one more of each after a mend; a file
system that hangs is no drift here (run.watched_data goes by its answers). A DNS record or a marker never ends an
instance: it serves on, and its successor would meet the same.
Does not: count mends, or decide.
"""

from __future__ import annotations

import logging

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import CloudError, FenceError, MountError, NotHolder, ServiceError
from bootstrap.base.retry import NotYet
from bootstrap.claims.network_interface import make_usable, unusable
from bootstrap.claims.storage.contract import ensure_mounted
from bootstrap.fence.client import FENCE_PATIENCE_S
from bootstrap.fence.protocol import FenceRequest
from bootstrap.machine.file_system import MountRefused
from bootstrap.machine.unit_settings import FENCE_UNIT
from bootstrap.run.generation_files import generation_drift, write_generation
from bootstrap.run.instance import Instance
from bootstrap.run.stop import InstanceBelongings
from bootstrap.run.upkeep import Part
from bootstrap.run.upkeep_rules import Terms

log = logging.getLogger(__name__)

EC2_LOOK_S = 900.0
RECORD_LOOK_S = 600.0
MARKER_LOOK_S = 900.0
UNITS_LOOK_S = 60.0
OUTSIDERS_LOOK_S = 600.0  # it reads a few thousand files below /proc
ATTACH_S = 60.0
QUICK_S = 60.0


def kept_parts(instance: Instance) -> list[Part]:
    """All parts, in the order in which one rests on another."""
    return [
        Fence(instance),
        FenceUnit(instance),
        UnitFiles(instance),
        LeaseDirectory(instance),
        Data(instance),
        Marker(instance),
        Address(instance),
        Attachment(instance),
        UnitSettings(instance),
        UnitBindings(instance),
        DnsRecord(instance),
        NoOutsiders(instance),
    ]


class Kept:
    """What the parts have in common."""

    terms: Terms
    mend_s = 0.0
    ends_service = False

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._machine = instance.machine
        self._claims = instance.claims
        self._service = instance.service

    def mend(self, _deadline: Deadline) -> str:
        """Nothing here can mend it. Never called where `most_mends` is 0."""
        raise ServiceError(f"{self.terms.name} cannot be mended")


class Fence(Kept):
    """The fence guards the generation that this instance holds."""

    terms = Terms(name="fence", reason="fence-unavailable", patience_s=FENCE_PATIENCE_S, is_vital=True)

    def drift(self, _deadline: Deadline) -> str:
        generation = self._instance.lease.keeper.generation
        try:
            seen = self._machine.fence.ask(FenceRequest(verb="look"))
        except FenceError as error:
            return str(error)
        if seen.deadline_s is None or seen.is_over:
            return f"it guards nothing, and this instance holds generation {generation}"
        if seen.generation != generation:
            return f"it guards generation {seen.generation}, and this instance holds generation {generation}"
        return ""


class FenceUnit(Kept):
    """Nobody has told the fence to end. It goes on until the agent has taken everything back; meanwhile systemd starts
    nothing that is bound to it, so there is nothing to wait for."""

    terms = Terms(name="fence-unit", reason="fence-unavailable", is_vital=True)

    def drift(self, _deadline: Deadline) -> str:
        is_stopping = self._machine.fence.ask(FenceRequest(verb="look")).is_stopping
        return f"{FENCE_UNIT} is being stopped, and without it the service must not run" if is_stopping else ""


class LeaseDirectory(Kept):
    """The lease directory is mounted, without any cache."""

    terms = Terms(name="lease-directory", reason="mount-failed", most_mends=2, is_vital=True)

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.mend_s = 2 * instance.document.deadlines.mount_s

    def drift(self, _deadline: Deadline) -> str:
        return self._instance.lease_storage.drift()

    def mend(self, deadline: Deadline) -> str:
        how = ensure_mounted(self._instance.lease_storage, deadline, self._instance.document.deadlines.mount_s)
        return f"mounted {how}"


class Data(Kept):
    """The data are mounted, and each directory shows its part. What is open in the service leads to where it was, so a
    mend stops the service first."""

    terms = Terms(name="data", reason="mount-failed", most_mends=2, is_vital=True)
    ends_service = True

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        service, limits = instance.document.service, instance.document.deadlines
        unit_s = service.start_timeout_s + service.stop_timeout_s
        hooks_s = len(service.hooks.before_start) * service.hooks.timeout_s
        self.mend_s = unit_s * len(service.units) + hooks_s + limits.release_s + 2 * limits.mount_s + QUICK_S

    def drift(self, _deadline: Deadline) -> str:
        return self._claims.data.drift() or self._service.directories.drift()

    def mend(self, deadline: Deadline) -> str:
        belongings = InstanceBelongings(self._instance)
        left = belongings.stop_service() or belongings.outsiders() or belongings.unmount()
        if left:
            raise MountError("; ".join(left), remedy="Look for what keeps it busy")
        how = ensure_mounted(self._claims.data, deadline, self._instance.document.deadlines.mount_s)
        self._service.directories.ensure(deadline)
        write_generation(self._machine.paths, self._instance.lease.keeper.generation)  # gone meanwhile, no unit starts
        self._service.data_watch.begin_anew()
        self._service.units.start(deadline)
        return f"stopped the service, mounted {how}, started it again"


class Marker(Kept):
    """The data still say whose they are. Without that the next start refuses them."""

    terms = Terms(name="marker", reason="file-system-refused", look_s=MARKER_LOOK_S)

    def drift(self, deadline: Deadline) -> str:
        try:
            silent = self._claims.data.inspect(deadline)
        except MountRefused as error:
            return str(error)
        if silent:
            raise MountError(silent)
        return ""


class Address(Kept):
    """The operating system uses the network interface: device, address, rule, routes."""

    terms = Terms(name="address", reason="network-interface-unusable", most_mends=6, is_vital=True)
    mend_s = ATTACH_S

    def drift(self, _deadline: Deadline) -> str:
        return unusable(self._machine.links, self._instance.zone, self._claims.network_interface.mac)

    def mend(self, deadline: Deadline) -> str:
        claim, links = self._claims.network_interface, self._machine.links
        is_there = links.find(claim.mac) is not None
        try:
            is_detached = bool(claim.drift())  # a device that goes down may be on its way out
        except CloudError:
            if not is_there:
                raise  # no mend that failed
            is_detached = False
        if is_detached or not is_there:
            claim.acquire(deadline)
        return f"set up {make_usable(links, self._instance.zone, claim.mac, deadline)}"


class Attachment(Address):
    """EC2 shows the network interface attached to this instance."""

    terms = Terms(
        name="network-interface", reason="network-interface-lost", look_s=EC2_LOOK_S, most_mends=3, is_vital=True
    )

    def drift(self, _deadline: Deadline) -> str:
        return self._claims.network_interface.drift()

    def mend(self, deadline: Deadline) -> str:
        seen = self._claims.network_interface.acquire(deadline)
        return f"attached it, {make_usable(self._machine.links, self._instance.zone, seen.mac, deadline)}"


class UnitFiles(Kept):
    """What the agent wrote below /run for the units is there. Without it systemd cannot start them, so it is looked at
    before the service is."""

    terms = Terms(name="unit-files", reason="unit-settings-changed", most_mends=6)
    mend_s = QUICK_S

    def drift(self, _deadline: Deadline) -> str:
        paths, generation = self._machine.paths, self._instance.lease.keeper.generation
        return self._service.settings.drift() or generation_drift(paths, generation)

    def mend(self, deadline: Deadline) -> str:
        write_generation(self._machine.paths, self._instance.lease.keeper.generation)
        return f"wrote them again: {self._service.settings.apply(deadline)}"


class UnitSettings(UnitFiles):
    """systemd goes by the time-outs."""

    terms = Terms(name="unit-settings", reason="unit-settings-changed", look_s=UNITS_LOOK_S, most_mends=6)

    def drift(self, deadline: Deadline) -> str:
        return self._service.settings.overridden(deadline)


class UnitBindings(Kept):
    """The units belong to the slice that the fence stops, and end with agent and fence, as the image says."""

    terms = Terms(
        name="unit-bindings", reason="unit-outside-fence", look_s=UNITS_LOOK_S, patience_s=UNITS_LOOK_S, is_vital=True
    )

    def drift(self, deadline: Deadline) -> str:
        return self._service.settings.loose(deadline)


class DnsRecord(Kept):
    """The name leads here."""

    terms = Terms(name="connection", reason="connection-contested", look_s=RECORD_LOOK_S, most_mends=3)
    mend_s = QUICK_S

    def drift(self, _deadline: Deadline) -> str:
        return self._claims.connection.verify(self._instance.lease.keeper.generation)

    def mend(self, _deadline: Deadline) -> str:
        connection, generation = self._claims.connection, self._instance.lease.keeper.generation
        try:
            did = connection.claim(generation)
        except NotYet as error:
            raise NotHolder(str(error)) from None
        wrong = connection.verify(generation)
        if wrong:
            raise ServiceError(f"{wrong} although it was claimed", remedy="Look for what else changes it")
        return did


class NoOutsiders(Kept):
    """Nobody outside the service's control group writes to the data. Whoever only reads them is in the log."""

    terms = Terms(name="data-use", reason="data-outside-fence", look_s=OUTSIDERS_LOOK_S)

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._said: set[str] = set()

    def drift(self, deadline: Deadline) -> str:
        self._service.data_watch.pause()  # its child would be one
        try:
            found = self._service.outsiders.look(deadline)
        finally:
            self._service.data_watch.resume()
        readers = {str(one) for one in found if not one.is_writing}
        for reader in sorted(readers - self._said):
            log.info("upkeep: outside the service, and ended before a release: %s", reader)
        self._said = readers
        return "; ".join(f"{one}, where the fence does not reach" for one in found if one.is_writing)
