"""Which instance serves now, seen from outside: its zone, network interface, address, generation and DNS record.

For: scenes wait until a standing is good; reports and tests compare two of them. Guarantees: everything is read from
the control plane and from the state that the instance reported. Does not: change anything.
"""

from dataclasses import asdict, dataclass
from typing import Any

from bootstrap.base.names import SERVICE_TAG, stack_name, state_parameter
from bootstrap.base.state import State, parse_state
from lab.aws import ControlPlane
from lab.report.model import Phase


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One moment. Empty strings where there is nothing (yet)."""

    instance_id: str = ""  # the instance that last reported its state
    phase: str = ""
    sentence: str = ""
    zone: str = ""
    image_id: str = ""
    image_version: str = ""
    lifecycle: str = ""  # the group's word for that instance
    network_interface_id: str = ""  # the network interface attached to it, besides its own
    address: str = ""
    record_value: str = ""
    generation: int = 0  # of the lease that it holds; 0: none yet
    phases: tuple[Phase, ...] = ()  # of its boot

    @property
    def is_good(self) -> bool:
        """Ready, in service, holding its network interface, and the name points there."""
        return not self.missing

    @property
    def missing(self) -> str:
        """The first thing that is wrong, as a phrase; empty if nothing is."""
        if self.phase != "ready":
            return f"{self.instance_id or 'no instance'} reports {self.phase or 'nothing'}: {self.sentence}"
        if self.lifecycle != "InService":
            return f"{self.instance_id} is {self.lifecycle or 'not in the group'}"
        if not self.network_interface_id:
            return f"{self.instance_id} holds no network interface of the service"
        if self.record_value != self.address:
            return f"the name points at {self.record_value or 'nothing'}, not at {self.address}"
        return ""


def read_standing(control_plane: ControlPlane, ssm: Any, service: str, record_name: str) -> Standing:
    reported = _reported(ssm, service)
    state = reported or State()
    instance_id = state.instance_id
    group = control_plane.group(stack_name(service))
    members = {member.instance_id: member for member in group.members} if group else {}
    held = [
        nic
        for nic in control_plane.network_interfaces()
        if instance_id and nic.instance_id == instance_id and nic.attachment_status == "attached" and nic.device_index
        if nic.tags.get(SERVICE_TAG) == service
    ]
    records = [
        record for record in control_plane.hosted_zone_records() if (record.name, record.type) == (record_name, "A")
    ]
    values = dict.fromkeys(value for record in records for value in record.values)
    return Standing(
        instance_id=instance_id,
        phase=state.phase if reported else "",
        sentence=state.sentence,
        zone=state.zone,
        image_id=state.image_id,
        image_version=state.image_version,
        lifecycle=members[instance_id].lifecycle_state if instance_id in members else "",
        network_interface_id=held[0].id if len(held) == 1 else "",
        address=held[0].address if len(held) == 1 else "",
        record_value=", ".join(values),
        generation=state.generation,
        phases=tuple(Phase(**asdict(entry)) for entry in state.timeline),
    )


def _reported(ssm: Any, service: str) -> State | None:
    try:
        return parse_state(ssm.get_parameter(Name=state_parameter(service))["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None
