"""The addresses of a subnet, and what cannot be deleted while it is in use: subnets and security groups.

For: whatever needs an address; DeleteSubnet and DeleteSecurityGroup, by the API or by a stack. Guarantees: an address
is inside the subnet, outside its reserved part, and has one holder; a subnet that has none left says so.
Does not: know IPv6, or prefix lists and rules of other accounts.
Sources: VPC user guide "Subnet CIDR blocks" (AWS keeps the first four addresses and the last one), "Delete your
subnet"; EC2 API reference DeleteSecurityGroup; API error codes (InvalidIPAddress.InUse, DependencyViolation,
InsufficientFreeAddressesInSubnet).
"""

import ipaddress
from typing import Any

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.errors import refused
from lab.aws.core.patches import original, replaces

_SUBNET = "moto.ec2.models.subnets:Subnet"
_NO_RULES = "moto knows only that some address is taken, and deletes what is in use"


@replaces(f"{_SUBNET}.get_available_subnet_ip", expects="self, instance", reason="moto raises StopIteration at the end")
def next_address(self: Any, instance: Any) -> str:
    """The next free address. Raises InsufficientFreeAddressesInSubnet."""
    try:
        address: str = original(f"{_SUBNET}.get_available_subnet_ip")(self, instance)
    except StopIteration as end:
        raise refused(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{self.id}' to satisfy the requested number of instances.",
        ) from end
    return address


@replaces(f"{_SUBNET}.request_ip", expects="self, ip, instance", reason=_NO_RULES)
def take_address(self: Any, ip: str, instance: Any) -> None:
    """Take this one. Raises InvalidParameterValue or InvalidIPAddress.InUse."""
    network = ipaddress.ip_network(self.cidr_block)
    try:
        parsed = ipaddress.ip_address(ip)
    except ValueError as error:
        raise refused("InvalidParameterValue", f"Value ({ip}) for parameter address is invalid. Bad IP.") from error
    if parsed not in network:
        raise refused("InvalidParameterValue", "Address does not fall within the subnet's address range")
    if int(parsed) - int(network.network_address) < 4 or parsed == network.broadcast_address:
        raise refused("InvalidParameterValue", "Address is in subnet's reserved address range")
    if ip in self._subnet_ips:
        raise refused("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    original(f"{_SUBNET}.request_ip")(self, ip, instance)


@replaces("moto.ec2.models.subnets:SubnetBackend.delete_subnet", expects="self, subnet_id", reason=_NO_RULES)
@under_lock
def delete_subnet(self: Any, _cloud: Cloud, subnet_id: str) -> Any:
    """DeleteSubnet: not while it has network interfaces, whosever they are."""
    self.get_subnet(subnet_id)
    if any(eni.subnet.id == subnet_id for eni in self.enis.values()):
        text = f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
        raise refused("DependencyViolation", text)
    return original("moto.ec2.models.subnets:SubnetBackend.delete_subnet")(self, subnet_id)


_GROUPS = "moto.ec2.models.security_groups:SecurityGroupBackend"


@replaces(f"{_GROUPS}.delete_security_group", expects="self, name, group_id", reason=_NO_RULES)
@under_lock
def delete_security_group(self: Any, _cloud: Cloud, name: str | None = None, group_id: str | None = None) -> Any:
    """DeleteSecurityGroup: not while an interface has it, or a rule of another group names it."""
    found = self.get_security_group_from_id(group_id) if group_id else self.get_security_group_from_name(name)
    if found is not None and (_is_worn(self, found.id) or _is_named(self, found.id)):
        raise refused("DependencyViolation", f"resource {found.id} has a dependent object")
    return original(f"{_GROUPS}.delete_security_group")(self, name, group_id)


def _is_worn(ec2: Any, group_id: str) -> bool:
    return any(group.id == group_id for eni in ec2.enis.values() for group in eni.group_set)


def _is_named(ec2: Any, group_id: str) -> bool:
    others = [group for groups in ec2.groups.values() for group in groups.values() if group.id != group_id]
    rules = [rule for group in others for rule in (*group.ingress_rules, *group.egress_rules)]
    return any(rule.source_group.get("GroupId") == group_id for rule in rules)
