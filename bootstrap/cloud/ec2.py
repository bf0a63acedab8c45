"""EC2 as the agent needs it: look at one network interface and one instance, attach, detach, end a former holder.

For: `network_interface` and `lease_evidence`. Guarantees: thin, no loops, no decisions; foreign errors become
CloudError. Does not: force a detach, ever; there is no argument for it.
Sources: EC2 API reference: DescribeNetworkInterfaces, DescribeInstances, AttachNetworkInterface (error codes
InvalidNetworkInterface.InUse, InvalidParameterValue), DetachNetworkInterface, ModifyNetworkInterfaceAttribute,
TerminateInstances (idempotent; SkipOsShutdown, Force); EC2 user guide "Methods for terminating an instance" (skip OS
shutdown: for when a graceful one must be bypassed; force with skip: for an instance stuck in shutting-down);
"Eventual consistency" (a new id may be NotFound for a while).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.base.errors import CloudError
from bootstrap.cloud.clients import Clients, converted

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import NetworkInterfaceTypeDef

EVENTUAL_CODES = frozenset({"InvalidInstanceID.NotFound", "InvalidNetworkInterfaceID.NotFound"})
ATTACH_CODES = EVENTUAL_CODES | {"InvalidNetworkInterface.InUse", "InvalidParameterValue", "IncorrectState"}
DETACH_CODES = EVENTUAL_CODES | {"IncorrectState"}


@dataclass(frozen=True, kw_only=True)
class NetworkInterface:
    """A network interface as DescribeNetworkInterfaces shows it. `holder` is the instance it is attached to, or ""."""

    id: str
    status: str
    mac: str
    zone: str
    attachment_id: str = ""
    attachment_status: str = ""
    holder: str = ""
    delete_on_termination: bool = False


class Ec2:
    """The calls, one each."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def network_interface(self, network_interface_id: str) -> NetworkInterface:
        """Raises CloudError."""
        with converted(f"describe {network_interface_id}", retryable=EVENTUAL_CODES):
            answer = self._clients.ec2().describe_network_interfaces(NetworkInterfaceIds=[network_interface_id])
        found = answer["NetworkInterfaces"]
        if len(found) != 1:
            raise CloudError(f"describe {network_interface_id}: {len(found)} answers", code="Empty", retryable=True)
        return _network_interface(found[0])

    def instance_state(self, instance_id: str) -> str | None:
        """`pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`, or None when EC2 knows no such
        instance (any more). Raises CloudError."""
        try:
            with converted(f"describe {instance_id}"):
                answer = self._clients.ec2().describe_instances(InstanceIds=[instance_id])
        except CloudError as error:
            if error.code == "InvalidInstanceID.NotFound":
                return None
            raise
        states = [str(item["State"]["Name"]) for group in answer["Reservations"] for item in group["Instances"]]
        return states[0] if states else None

    def used_device_indexes(self, instance_id: str) -> frozenset[int]:
        """Device indexes taken on `instance_id`. Raises CloudError."""
        with converted(f"describe {instance_id}", retryable=EVENTUAL_CODES):
            answer = self._clients.ec2().describe_instances(InstanceIds=[instance_id])
        return frozenset(
            int(card.get("Attachment", {}).get("DeviceIndex", 0))
            for group in answer["Reservations"]
            for item in group["Instances"]
            for card in item.get("NetworkInterfaces", [])
        )

    def attach(self, network_interface_id: str, instance_id: str, device_index: int) -> None:
        """Raises CloudError; after any error the attachment may still have been made."""
        what = f"attach {network_interface_id} to {instance_id} at device index {device_index}"
        with converted(what, retryable=ATTACH_CODES):
            self._clients.ec2().attach_network_interface(
                NetworkInterfaceId=network_interface_id, InstanceId=instance_id, DeviceIndex=device_index
            )

    def detach(self, attachment_id: str) -> None:
        """Never forced. Raises CloudError."""
        with converted(f"detach {attachment_id}", retryable=DETACH_CODES):
            self._clients.ec2().detach_network_interface(AttachmentId=attachment_id)

    def terminate(self, instance_id: str, *, is_forced: bool) -> None:
        """End `instance_id` without waiting for its operating system; again with Force where it is stuck. Raises
        CloudError; one that EC2 does not know (any more) needs no ending."""
        try:
            with converted(f"terminate {instance_id}"):
                self._clients.ec2().terminate_instances(InstanceIds=[instance_id], SkipOsShutdown=True, Force=is_forced)
        except CloudError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise

    def keep_on_termination(self, network_interface_id: str, attachment_id: str) -> None:
        """Make the network interface outlive the instance. Raises CloudError."""
        with converted(f"keep {network_interface_id} on termination", retryable=EVENTUAL_CODES):
            self._clients.ec2().modify_network_interface_attribute(
                NetworkInterfaceId=network_interface_id,
                Attachment={"AttachmentId": attachment_id, "DeleteOnTermination": False},
            )


def _network_interface(item: NetworkInterfaceTypeDef) -> NetworkInterface:
    attachment = item.get("Attachment") or {}
    return NetworkInterface(
        id=str(item.get("NetworkInterfaceId", "")),
        status=str(item.get("Status", "")),
        mac=str(item.get("MacAddress", "")).lower(),
        zone=str(item.get("AvailabilityZone", "")),
        attachment_id=str(attachment.get("AttachmentId", "")),
        attachment_status=str(attachment.get("Status", "")),
        holder=str(attachment.get("InstanceId", "")),
        delete_on_termination=bool(attachment.get("DeleteOnTermination", False)),
    )
