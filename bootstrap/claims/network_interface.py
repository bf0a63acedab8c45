"""Claims the network interface of this zone, makes it usable, and releases it.

For: the step network-interface, the upkeep, and the ordered stop. Guarantees: only the holder of the lease attaches it,
and never takes it from an instance that is not proven dead; it is never detached by force. What EC2 shows decides, not
what a call returned: after every error it is read again, because it may have been attached and the answer lost. It
outlives the instance (DeleteOnTermination=false).
Does not: announce the address by gratuitous ARP (address and MAC move together), or choose the network interface.
Sources: EC2 API reference AttachNetworkInterface and "Error codes" ("InvalidNetworkInterface.InUse ... you may also
receive the InvalidParameterValue error"); EC2 user guide, best practices for configuring network interfaces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.document import Zone
from bootstrap.base.errors import ClaimRefused, CloudError, DeadlineExceeded, LinkError, NotHolder
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.cloud.clients import passes_with_time
from bootstrap.cloud.ec2 import NetworkInterface
from bootstrap.machine.links import Links, missing, plan_link

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=1.5, spread=0.3)
RELEASE_PAUSES = Pauses(first_s=0.75, longest_s=1.5)
DEVICE_PAUSES = Pauses(first_s=0.2, longest_s=1.0)
DEAD_STATES = frozenset({None, "terminated", "shutting-down"})


class ClaimAction(Enum):
    """What to do next about the network interface."""

    DONE = "done"
    ATTACH = "attach"
    WAIT = "wait"
    IN_USE = "in-use"  # wait, too; at the deadline the claim is refused


@dataclass(frozen=True, kw_only=True)
class ClaimDecision:
    action: ClaimAction
    sentence: str


class NetworkInterfaces(Protocol):
    """The calls of ec2.Ec2 used here."""

    def network_interface(self, network_interface_id: str) -> NetworkInterface: ...

    def instance_state(self, instance_id: str) -> str | None: ...

    def used_device_indexes(self, instance_id: str) -> frozenset[int]: ...

    def attach(self, network_interface_id: str, instance_id: str, device_index: int) -> None: ...

    def detach(self, attachment_id: str) -> None: ...

    def keep_on_termination(self, network_interface_id: str, attachment_id: str) -> None: ...


def decide_claim(seen: NetworkInterface, me: str, other_state: str | None = None) -> ClaimDecision:
    """What the instance `me` does, from what EC2 shows. `other_state`: the state of the other instance it is attached
    to, None where EC2 does not know that instance. Pure."""
    if seen.instance_id == me:
        if seen.attachment_status == "attached":
            return ClaimDecision(action=ClaimAction.DONE, sentence=f"{seen.id} is attached to this instance")
        return ClaimDecision(action=ClaimAction.WAIT, sentence=f"{seen.id} is {seen.attachment_status} here")
    if seen.instance_id:
        name = f"{seen.id} is attached to {seen.instance_id}, which is {other_state or 'gone'}"
        if other_state in DEAD_STATES:
            return ClaimDecision(action=ClaimAction.WAIT, sentence=f"{name}: wait until EC2 detaches it")
        return ClaimDecision(action=ClaimAction.IN_USE, sentence=f"{name}: never taken from a live instance")
    if seen.status == "available":
        return ClaimDecision(action=ClaimAction.ATTACH, sentence=f"{seen.id} is available: attach it")
    return ClaimDecision(action=ClaimAction.WAIT, sentence=f"{seen.id} is {seen.status}: wait")


def free_device_index(used: frozenset[int]) -> int:
    """The lowest index that is not taken; 0 is the primary's. Pure."""
    return next(index for index in range(1, len(used) + 2) if index not in used)


class Claim:
    """One network interface, claimed by one instance."""

    def __init__(
        self,
        interfaces: NetworkInterfaces,
        zone: Zone,
        instance_id: str,
        permit: Callable[[], None],
        prepare: Callable[[str, Deadline], None] = lambda _mac, _deadline: None,
    ) -> None:
        """`permit` returns while this instance holds the lease and raises NotHolder when it does not. `prepare` makes
        this machine ready for the device with that MAC, before it is attached; it may be called again."""
        self._interfaces = interfaces
        self._permit = permit
        self._prepare = prepare
        self._zone = zone
        self._id = zone.network_interface_id
        self._instance_id = instance_id
        self._attempts = 0
        self.mac = ""  # of the network interface, once it was acquired; it keeps it for ever

    def acquire(self, deadline: Deadline) -> NetworkInterface:
        """Wait until it is attached to this instance. While the lease cannot be verified, nothing is attached.
        Raises ClaimRefused when a live instance has it until the deadline, DeadlineExceeded, CloudError,
        StopRequested."""
        is_in_use = is_prepared = False

        def attempt() -> NetworkInterface:
            nonlocal is_in_use, is_prepared
            seen, decision = self._look()
            if not is_prepared:  # also where it is attached: after a reboot the machine knows nothing
                self._prepare(seen.mac, deadline)
                is_prepared = True
            if decision.action is ClaimAction.DONE:
                return self._kept(seen)
            is_in_use = decision.action is ClaimAction.IN_USE
            if decision.action is ClaimAction.ATTACH:
                self._attach()
            raise NotYet(decision.sentence)

        try:
            return retry(attempt, deadline, PAUSES, passes=passes_with_time, say=_say)
        except CloudError as error:
            return self._last_look(error)
        except DeadlineExceeded as error:
            if is_in_use:
                raise ClaimRefused(error.what, remedy="Terminate that instance if it must not serve") from None
            raise

    def drift(self) -> str:
        """Why it is not attached to this instance, by one question to EC2; "" when it is. Raises CloudError.
        Metadata would not do: after a forced detachment they may show it on (EC2 API reference,
        DetachNetworkInterface)."""
        _, decision = self._look()
        return "" if decision.action is ClaimAction.DONE else decision.sentence

    def _look(self) -> tuple[NetworkInterface, ClaimDecision]:
        seen = self._interfaces.network_interface(self._id)
        is_others = seen.instance_id not in ("", self._instance_id)
        state = self._interfaces.instance_state(seen.instance_id) if is_others else None
        return seen, decide_claim(seen, self._instance_id, state)

    def _attach(self) -> None:
        # A new instance has only its primary network interface, so the first attempt need not ask.
        used = self._interfaces.used_device_indexes(self._instance_id) if self._attempts else frozenset({0})
        self._attempts += 1
        try:
            self._permit()  # last, so that nothing slow comes between
        except NotHolder as refusal:
            raise NotYet(str(refusal)) from None
        self._interfaces.attach(self._id, self._instance_id, free_device_index(used))

    def _last_look(self, error: CloudError) -> NetworkInterface:
        """Raise `error`, which trying again cannot help, unless the network interface is attached all the same."""
        try:
            seen, decision = self._look()
        except CloudError:
            raise error from None
        if decision.action is not ClaimAction.DONE:
            raise error
        return self._kept(seen)

    def _kept(self, seen: NetworkInterface) -> NetworkInterface:
        self.mac = seen.mac
        if seen.delete_on_termination:
            self._interfaces.keep_on_termination(seen.id, seen.attachment_id)
        return seen

    def release(self, deadline: Deadline) -> bool:
        """Detach it if it is attached to this instance, and wait until EC2 shows so; False when that was not seen in
        time. Needs no lease, because the attachment is this instance's own. Raises StopRequested."""

        def attempt() -> None:
            seen = self._interfaces.network_interface(self._id)
            if seen.instance_id != self._instance_id:
                return
            if seen.attachment_status != "detaching":
                self._interfaces.detach(seen.attachment_id)
            raise NotYet(f"{self._id} is still attached here")

        try:
            retry(attempt, deadline, RELEASE_PAUSES, passes=lambda *_: True, say=_say)
        except DeadlineExceeded as error:
            log.warning("release of %s: %s", self._id, error)
            return False
        return True


def _say(sentence: str) -> None:
    log.info("network interface: %s", sentence)


def unusable(links: Links, zone: Zone, mac: str) -> str:
    """What the operating system lacks to use the network interface, in words; "" when it lacks nothing. Asks the kernel
    only. Raises LinkError."""
    found = links.find(mac)
    if found is None:
        return f"no device with MAC {mac} in the operating system: {zone.network_interface_id} is detached"
    plan = plan_link(*found, zone.address, zone.subnet_cidr)
    return "; ".join(missing(plan, links.observe(plan)))


def make_usable(links: Links, zone: Zone, mac: str, deadline: Deadline) -> str:
    """Find the device, configure it, and prove it from what the kernel says; address and device.
    Raises LinkError, DeadlineExceeded, StopRequested."""

    def find() -> tuple[str, int]:
        found = links.find(mac)
        if found is None:
            raise NotYet(f"no device with MAC {mac} in the operating system")
        return found

    plan = plan_link(*retry(find, deadline, DEVICE_PAUSES), zone.address, zone.subnet_cidr)
    if missing(plan, links.observe(plan)):
        links.configure(plan)
        lacks = missing(plan, links.observe(plan))
        if lacks:
            raise LinkError("; ".join(lacks), remedy="Make sure nothing else configures this device")
    return f"{zone.address} on {plan.device}"
