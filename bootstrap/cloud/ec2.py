"""EC2: read one network interface, one instance and one image, attach and detach, terminate a former holder.

For: claims.network_interface and the lease's evidence. Guarantees: thin, no loops, no decisions; every error is a
CloudError. Does not: force a detach; there is no argument for it.
Sources: EC2 API reference: DescribeNetworkInterfaces, DescribeInstances, AttachNetworkInterface (error codes
InvalidNetworkInterface.InUse, InvalidParameterValue), DetachNetworkInterface, ModifyNetworkInterfaceAttribute,
TerminateInstances (idempotent; SkipOsShutdown, Force), DescribeImages, Image (DeprecationTime); EC2 user guide "Methods
for terminating an instance" (skip the OS shutdown when a graceful one must be bypassed; Force together with it for an
instance stuck in shutting-down); "Eventual consistency" (a new id may be NotFound for a while); "Deprecate an Amazon
EC2 AMI" (by its id a deprecated image is found as before); RFC 9110, 6.6.1 (Date).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
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
    """A network interface as DescribeNetworkInterfaces shows it. `instance_id`: of the instance it is attached to, or
    is being attached to or detached from; "" where there is none."""

    id: str
    status: str
    mac: str
    zone: str
    attachment_id: str = ""
    attachment_status: str = ""
    instance_id: str = ""
    delete_on_termination: bool = False


class Ec2:
    """One method per call."""

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
        """`pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`, or None when EC2 does
        not know the instance, or no longer. Raises CloudError."""
        try:
            with converted(f"describe {instance_id}"):
                answer = self._clients.ec2().describe_instances(InstanceIds=[instance_id])
        except CloudError as error:
            if error.code == "InvalidInstanceID.NotFound":
                return None
            raise
        states = [str(item["State"]["Name"]) for group in answer["Reservations"] for item in group["Instances"]]
        return states[0] if states else None

    def deprecation(self, image_id: str) -> tuple[str, float]:
        """The date on which the image is deprecated, and the seconds until then by AWS's clock, negative after it; ""
        and 0 where it has none. Raises CloudError."""
        with converted(f"describe {image_id}"):
            answer = self._clients.ec2().describe_images(ImageIds=[image_id])
        text = next((one.get("DeprecationTime") or "" for one in answer["Images"]), "")
        if not text:
            return "", 0.0
        try:
            at, now = datetime.fromisoformat(text), answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
            return at.date().isoformat(), (at - parsedate_to_datetime(now)).total_seconds()
        except (TypeError, ValueError):
            raise CloudError(f"describe {image_id}: no date in the answer", code="NoDate", retryable=True) from None

    def used_device_indexes(self, instance_id: str) -> frozenset[int]:
        """The device indexes in use on `instance_id`. Raises CloudError."""
        with converted(f"describe {instance_id}", retryable=EVENTUAL_CODES):
            answer = self._clients.ec2().describe_instances(InstanceIds=[instance_id])
        return frozenset(
            int(card.get("Attachment", {}).get("DeviceIndex", 0))
            for group in answer["Reservations"]
            for item in group["Instances"]
            for card in item.get("NetworkInterfaces", [])
        )

    def attach(self, network_interface_id: str, instance_id: str, device_index: int) -> None:
        """Raises CloudError; the attachment may have been made all the same."""
        what = f"attach {network_interface_id} to {instance_id} at device index {device_index}"
        with converted(what, retryable=ATTACH_CODES):
            self._clients.ec2().attach_network_interface(
                NetworkInterfaceId=network_interface_id, InstanceId=instance_id, DeviceIndex=device_index
            )

    def detach(self, attachment_id: str) -> None:
        """Detach, never by force. Raises CloudError."""
        with converted(f"detach {attachment_id}", retryable=DETACH_CODES):
            self._clients.ec2().detach_network_interface(AttachmentId=attachment_id)

    def terminate(self, instance_id: str, *, is_forced: bool) -> None:
        """Terminate `instance_id`, OS shutdown skipped; `is_forced` for one that is stuck in shutting-down. An
        instance that EC2 does not know is done. Raises CloudError."""
        try:
            with converted(f"terminate {instance_id}"):
                self._clients.ec2().terminate_instances(InstanceIds=[instance_id], SkipOsShutdown=True, Force=is_forced)
        except CloudError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise

    def keep_on_termination(self, network_interface_id: str, attachment_id: str) -> None:
        """Set DeleteOnTermination to false, so that the network interface outlives the instance. Raises CloudError."""
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
        instance_id=str(attachment.get("InstanceId", "")),
        delete_on_termination=bool(attachment.get("DeleteOnTermination", False)),
    )
