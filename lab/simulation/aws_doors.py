"""AWS as the agent of a simulated machine reaches it: EC2, Auto Scaling and Route 53.

For: lab.simulation.agent. Each class stands where the agent has an adapter of bootstrap.cloud. Guarantees: a call ends
with an answer or, after its time-out on the guest's clock, as a CloudError. Does not: decide anything, or ask again.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import CloudError
from bootstrap.base.member import Member
from bootstrap.cloud.ec2 import NetworkInterface
from bootstrap.cloud.route53 import RecordSet
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.rules.observation import SHUTTING_DOWN, GroupAnswer, HolderAnswer, NoAnswer
from lab.simulation.control_plane import Address, Call, ControlPlane
from lab.simulation.engine import TIMED_OUT
from lab.simulation.fleet import Fleet
from lab.simulation.frame import Frame
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine
from lab.simulation.surroundings import GuestThreads

API_TIMEOUT_S = 5.0


class Calls:
    """Calls of one machine to one service of AWS."""

    def __init__(self, machine: Machine, cloud: ControlPlane, service: str) -> None:
        self._machine = machine
        self._cloud = cloud
        self._service = service

    def call(self, operation: Callable[[], Any], *, service: str = "", may_be_late: bool = False) -> Any:
        """What `operation` returns, in its own time. Raises CloudError."""
        name = service or self._service
        call = Call(self._cloud, self._machine, name, operation, may_be_late=may_be_late)
        answer = self._machine.engine.wait(API_TIMEOUT_S, call.send)
        if answer is TIMED_OUT or isinstance(answer, NoAnswer):
            raise CloudError(f"{name} is unreachable", code="RequestTimeout", retryable=True)
        return answer


class Ec2(Calls):
    """The calls of bootstrap.cloud.ec2.Ec2 that lease and network interface need."""

    def __init__(self, frame: Frame, machine: Machine, cloud: ControlPlane, fleet: Fleet, judge: Judge) -> None:
        super().__init__(machine, cloud, "ec2")
        self._frame = frame
        self._fleet = fleet
        self._judge = judge

    def instance_state(self, instance_id: str) -> str | None:
        return str(self.call(lambda: self._cloud.describe(instance_id))) or None

    def terminate(self, instance_id: str, *, is_forced: bool) -> None:
        target = self._fleet.machine(instance_id)

        self._judge.shooting(self._machine, target)
        if self.call(lambda: self._cloud.terminate(target, is_forced=is_forced)) == "denied":
            self._machine.refused_s = self._machine.engine.now
            raise CloudError(f"terminate {instance_id}", code="OperationNotPermitted", retryable=False)

    def network_interface(self, network_interface_id: str) -> NetworkInterface:
        machine = self._machine
        assert machine.engine.running is not None
        machine.engine.running.look_sent_s = None
        owner = self._cloud.interfaces.get(machine.zone)
        if owner is not None and "steal-interface" in self._frame.defects and owner is not machine:
            robbed = owner
            self.call(lambda: self._cloud.detach(robbed, machine))
        owner = self.call(lambda: self._cloud.interfaces.get(machine.zone) or "")
        return NetworkInterface(
            id=network_interface_id,
            status="in-use" if owner else "available",
            mac="",
            zone=machine.zone,
            instance_id=owner.id if owner else "",
            attachment_id=f"of-{owner.id}" if owner else "",
            attachment_status="attached" if owner else "",
            delete_on_termination=False,
        )

    def used_device_indexes(self, instance_id: str) -> frozenset[int]:
        return frozenset({0})

    def attach(self, network_interface_id: str, instance_id: str, device_index: int) -> None:
        machine = self._machine
        assert machine.engine.running is not None
        looked_s, generation = machine.engine.running.look_sent_s or machine.engine.now, machine.keeper_generation
        if not self.call(lambda: self._cloud.attach(machine, generation, looked_s)):
            raise CloudError("attach", code="InvalidNetworkInterface.InUse", retryable=False)

    def detach(self, attachment_id: str) -> None:
        self.call(lambda: self._cloud.detach(self._machine, self._machine))

    def keep_on_termination(self, network_interface_id: str, attachment_id: str) -> None:
        raise AssertionError("it is kept already")


class AutoScaling(Calls):
    """The calls of bootstrap.cloud.autoscaling.AutoScaling."""

    def __init__(self, machine: Machine, cloud: ControlPlane) -> None:
        super().__init__(machine, cloud, "group")

    def members(self, instance_ids: Sequence[str]) -> dict[str, Member]:
        found: dict[str, Member] = self.call(lambda: self._cloud.members(instance_ids))
        return found

    def complete_hook(self, hook: str, result: str) -> bool:
        machine, cloud = self._machine, self._cloud

        def complete() -> bool:
            if machine.group_state != ("Pending:Wait" if hook == "boot" else "Terminating:Wait"):
                return False
            if hook == "drain":
                cloud.complete_leaving(machine)
            elif result == "CONTINUE":
                cloud.in_service(machine)
            else:
                cloud.abandon(machine)
            return True

        return bool(self.call(complete))

    def lifecycle_state(self) -> str:
        return str(self.call(lambda: self._machine.group_state))

    def report_unhealthy(self) -> None:
        self.call(lambda: self._cloud.report_unhealthy(self._machine))


class Dns(Calls):
    """The calls of bootstrap.cloud.route53.Route53. The record carries its generation for the checker only."""

    def __init__(self, frame: Frame, machine: Machine, cloud: ControlPlane) -> None:
        super().__init__(machine, cloud, "route53")
        self._is_compared = "no-dns-guard" not in frame.defects

    def address_record(self, name: str) -> RecordSet | None:
        seen: Address = self.call(lambda: self._cloud.dns)
        return RecordSet(name=name, values=(seen.zone,), ttl_s=seen.ttl_s, raw={"seen": seen})

    def swap(self, old: RecordSet | None, new: RecordSet) -> None:
        assert old is not None
        wanted = Address(zone=new.values[0], ttl_s=new.ttl_s, generation=self._machine.keeper_generation)
        is_done = self.call(
            lambda: self._cloud.swap(old.raw["seen"], wanted, is_compared=self._is_compared),
            service="route53-change",
            may_be_late=True,
        )
        if not is_done:
            raise CloudError("swap: the record is another one", code="InvalidChangeBatch", retryable=True)


class Evidence(LeaseEvidence):
    """The evidence that ships, and a note for the checker of what was asked and answered."""

    def __init__(self, machine: Machine, ec2: Ec2, group: AutoScaling, threads: GuestThreads) -> None:
        super().__init__(ec2, group, machine.id, threads)
        self._machine = machine
        self._holder = ""

    def gather(self, holder: str, deadline: Deadline) -> tuple[HolderAnswer | NoAnswer, GroupAnswer | NoAnswer]:
        # A record that cannot be read names nobody, and the agent asks about itself: that is no new holder.
        if holder not in (self._holder, self._machine.id):
            self._holder, self._machine.asked_s, self._machine.refused_s = holder, None, None
        state, group = super().gather(holder, deadline)
        if isinstance(state, HolderAnswer) and isinstance(group, GroupAnswer):
            self._machine.all_answered_s = self._machine.engine.now
            if state.state == SHUTTING_DOWN and self._machine.asked_s is None:
                self._machine.asked_s = self._machine.clock.read()  # somebody else has asked for its end
        return state, group

    def terminate(self, holder: str, deadline: Deadline, *, is_forced: bool) -> str:
        if self._machine.asked_s is None:
            self._machine.asked_s = self._machine.clock.read()
        return super().terminate(holder, deadline, is_forced=is_forced)
