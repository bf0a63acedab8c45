"""Elastic network interfaces: which instance has one, where it may be attached, and how long that takes.

For: the agent's attach and detach. Guarantees: check and attach happen under one lock, so only one caller can win;
an attached interface is never taken, never leaves its zone, and comes back when its instance is terminated.
Does not: model trunk or EFA interfaces, IPv6, Elastic IPs.
Sources: EC2 API reference (AttachNetworkInterface, DetachNetworkInterface, DeleteNetworkInterface, "Error codes");
EC2 user guide "Elastic network interfaces"; refusals as seen in int128/terraform-aws-nat-instance#57.
"""

from datetime import UTC, datetime
from typing import Any

from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import random_eni_attach_id

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.errors import refused
from lab.aws.core.patches import original, replaces
from lab.aws.ec2.machines import Nic
from lab.aws.ec2.state import Attachment, Ec2

_BACKEND = "moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend"

# Maximum number of network interfaces per type, as DescribeInstanceTypes of AWS said it (NetworkInfo), kept by moto.
MAXIMUM_INTERFACES = {name: one["NetworkInfo"]["MaximumNetworkInterfaces"] for name, one in INSTANCE_TYPES.items()}
_MAXIMUM_OTHERWISE = 15


def nic_of(eni: Any, device_index: int) -> Nic:
    return Nic(
        id=eni.id,
        mac=eni.mac_address,
        address=eni.private_ip_address,
        subnet_id=eni.subnet.id,
        device_index=device_index,
    )


# -------------------------------------------------------------------- creation and deletion
def reserve_address(subnet: Any, wanted: str | None, holder: Any) -> str:
    """Reserve `wanted`, or the next free address, in the subnet. Raises what `subnets` raises."""
    if not wanted:
        address: str = subnet.get_available_subnet_ip(holder)
        return address
    present = subnet._subnet_ips.get(wanted)
    if present is not None and type(present).__name__ != "NetworkInterface":
        subnet.del_subnet_ip(wanted)  # an instance or mount target that is making its own interface
    subnet.request_ip(wanted, holder)
    return wanted


@replaces(
    f"{_BACKEND}.create_network_interface",
    expects="self, subnet, private_ip_address, private_ip_addresses, group_ids, description, tags, "
    "delete_on_termination, kwargs",
    reason="moto neither reserves nor checks private addresses, so two interfaces can share one",
)
@under_lock
def create_network_interface(
    self: Any, _cloud: Cloud, subnet: Any, private_ip_address: str | list[str] | None, *args: Any, **kwargs: Any
) -> Any:
    """CreateNetworkInterface: the address is inside the subnet, outside its reserved part, and free."""
    if isinstance(subnet, str):
        subnet = self.get_subnet(subnet)
    wanted = private_ip_address[0] if isinstance(private_ip_address, list) and private_ip_address else None
    wanted = wanted or (private_ip_address if isinstance(private_ip_address, str) else None)
    for group_id in args[1] if len(args) > 1 else kwargs.get("group_ids") or []:
        if self.get_security_group_from_id(group_id) is None:
            raise refused("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
    address = reserve_address(subnet, wanted, object())
    macs = {eni.mac_address for eni in self.enis.values()}
    eni = original(f"{_BACKEND}.create_network_interface")(self, subnet, address, *args, **kwargs)
    while eni.mac_address in macs:
        eni.mac_address = _next_mac(eni.mac_address)
    subnet._subnet_ips[address] = eni
    return eni


def _next_mac(mac: str) -> str:
    number = (int(mac.replace(":", ""), 16) & 0xFFFFFF) + 1
    return "02:00:00:" + ":".join(f"{(number >> shift) & 0xFF:02x}" for shift in (16, 8, 0))


@replaces(
    f"{_BACKEND}.delete_network_interface", expects="self, eni_id", reason="moto deletes interfaces that are in use"
)
@under_lock
def delete_network_interface(self: Any, cloud: Cloud, eni_id: str) -> None:
    """DeleteNetworkInterface: refused while in use; the address is free afterwards."""
    eni = self.get_network_interface(eni_id)
    if eni_id in Ec2.of(cloud).attachments or eni.requester_managed:
        raise refused("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use.")
    original(f"{_BACKEND}.delete_network_interface")(self, eni_id)
    eni.subnet.del_subnet_ip(eni.private_ip_address)


# -------------------------------------------------------------------- attach
@replaces(
    f"{_BACKEND}.attach_network_interface",
    expects="self, eni_id, instance_id, device_index",
    reason="moto steals attached interfaces, crosses zones and overwrites device indexes",
)
@under_lock
def attach_network_interface(
    self: Any, cloud: Cloud, eni_id: str, instance_id: str, device_index: int | str
) -> Attachment:
    """AttachNetworkInterface: all rules and the attachment itself under one lock."""
    eni = self.get_network_interface(eni_id)
    instance = self.get_instance(instance_id)
    if instance.state == "terminated":
        raise InvalidInstanceIdError(instance_id)
    index = int(device_index)
    refuse_attachment(cloud, eni, instance, index)
    return begin_attachment(cloud, eni, instance, index)


def refuse_attachment(cloud: Cloud, eni: Any, instance: Any, index: int) -> None:
    """Raise AWS's error when the interface may not go to this instance at this index."""
    if eni.id in Ec2.of(cloud).attachments or eni.requester_managed:
        raise refused("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    if instance.state not in ("running", "stopped"):
        raise refused(
            "IncorrectState", f"Instance '{instance.id}' is not 'running' or 'stopped': it is {instance.state}."
        )
    if eni.subnet.availability_zone != instance.placement.zone:
        raise refused(
            "InvalidParameterCombination",
            "You may not attach a network interface to an instance if they are not in the same availability zone",
        )
    if index in instance.nics:
        raise refused(
            "InvalidParameterValue",
            f"Instance '{instance.id}' already has an interface attached at device index '{index}'.",
        )
    limit = MAXIMUM_INTERFACES.get(instance.instance_type, _MAXIMUM_OTHERWISE)
    if len(instance.nics) >= limit:
        raise refused(
            "AttachmentLimitExceeded",
            f"Interface count {len(instance.nics) + 1} exceeds the limit for {instance.instance_type}",
        )


def begin_attachment(cloud: Cloud, eni: Any, instance: Any, index: int) -> Attachment:
    """Record the attachment as attaching; it becomes attached, and the machine gets its NIC, after `attach_s`."""
    attachment = record_attachment(cloud, eni, instance, index, status="attaching")
    cloud.event("network-interface", eni.id, f"attaching to {instance.id} as device {index}")

    def complete() -> None:
        if Ec2.of(cloud).attachments.get(eni.id) is not attachment or attachment.status != "attaching":
            return
        attachment.status = "attached"
        nic = nic_of(eni, index)
        if instance.state == "running":
            cloud.effect(lambda: Ec2.of(cloud).machines.plug(instance.id, nic))
        cloud.event("network-interface", eni.id, f"attached to {instance.id} ({eni.private_ip_address})")

    cloud.later(cloud.delay("attach_s"), complete)
    return attachment


def record_attachment(cloud: Cloud, eni: Any, instance: Any, index: int, *, status: str) -> Attachment:
    """Write the attachment into moto's records and ours."""
    eni.attachment_id = random_eni_attach_id()
    eni.attach_time = datetime.fromtimestamp(cloud.now(), UTC)
    eni.instance, eni.device_index, eni.status = instance, index, "in-use"
    instance.nics[index] = eni
    attachment = Attachment(
        attachment_id=eni.attachment_id,
        instance_id=instance.id,
        device_index=index,
        delete_on_termination=bool(eni.delete_on_termination),
        status=status,
        attach_time=eni.attach_time,
        metadata_lag_s=cloud.delay("metadata_lag_s") if index else 0.0,  # a primary interface is there from the start
    )
    Ec2.of(cloud).attachments[eni.id] = attachment
    return attachment


@replaces(
    "moto.ec2.models.instances:Instance.attach_eni",
    expects="self, eni, device_index",
    reason="interfaces given at launch must appear in the same book of attachments",
)
@under_lock
def attach_eni(self: Any, cloud: Cloud, eni: Any, device_index: int) -> str:
    """Attach at launch: attached from the start, the machine is powered on with it."""
    index = int(device_index)
    if eni.id in Ec2.of(cloud).attachments:
        raise refused("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    if index == 0:
        eni.delete_on_termination = True
    return record_attachment(cloud, eni, self, index, status="attached").attachment_id


# -------------------------------------------------------------------- detach
@replaces(
    f"{_BACKEND}.detach_network_interface",
    expects="self, attachment_id",
    reason="moto detaches at once and detaches the primary interface",
)
@under_lock
def detach_network_interface(self: Any, cloud: Cloud, attachment_id: str) -> None:
    """DetachNetworkInterface: never device 0; takes `detach_s`."""
    for eni in self.enis.values():
        attachment = Ec2.of(cloud).attachments.get(eni.id)
        if attachment is not None and attachment.attachment_id == attachment_id:
            begin_detachment(cloud, eni, attachment)
            return
    raise refused("InvalidAttachmentID.NotFound", f"The interface attachment '{attachment_id}' does not exist.")


def begin_detachment(cloud: Cloud, eni: Any, attachment: Attachment) -> None:
    """Record the attachment as detaching; the interface is available after `detach_s`."""
    if attachment.device_index == 0:
        raise refused(
            "OperationNotPermitted",
            "The network interface at device index 0 and networkCard index 0 cannot be detached.",
        )
    if attachment.status == "detaching":
        raise refused("IncorrectState", f"Attachment '{attachment.attachment_id}' is already detaching.")
    attachment.status = "detaching"
    cloud.event("network-interface", eni.id, f"detaching from {attachment.instance_id}")

    def complete() -> None:
        if Ec2.of(cloud).attachments.get(eni.id) is attachment:
            release(cloud, eni)

    cloud.later(cloud.delay("detach_s"), complete)


def release(cloud: Cloud, eni: Any) -> None:
    """Detach the interface on the record and from the machine; it is available afterwards."""
    attachment = Ec2.of(cloud).attachments.pop(eni.id)
    instance = eni.instance
    if instance is not None:
        instance.nics.pop(attachment.device_index, None)
        nic = nic_of(eni, attachment.device_index)
        cloud.effect(lambda: Ec2.of(cloud).machines.unplug(attachment.instance_id, nic))
    eni.instance = eni.attachment_id = eni.attach_time = eni.device_index = None
    eni.status = "available"
    cloud.event("network-interface", eni.id, f"detached from {attachment.instance_id}, available")


def release_all(cloud: Cloud, instance: Any) -> None:
    """Release every interface of a terminated instance: delete those with DeleteOnTermination, free the others."""
    for eni in list(instance.nics.values()):
        delete = Ec2.of(cloud).attachments[eni.id].delete_on_termination
        release(cloud, eni)
        if delete:
            cloud.backend("ec2").delete_network_interface(eni.id)
    instance._private_ips = set()  # moto would free these addresses once more when the object is collected
