"""The network interface in the operating system: find it by its MAC, configure it, read it back.

For: the step network-interface, between EC2's "attached" and the first packet. Guarantees: an interface is found by MAC
only, because names and device numbers vary and the metadata service lags; every change is idempotent; what counts is
what was read back from the kernel.
Policy routing: packets *from* the address use a routing table of their own, with this interface's gateway. The main
table stays as it is (the address is added without its prefix route), so traffic of the primary address keeps its way
and the source/destination check drops nothing. Strict reverse path filtering passes, too, because the reverse look-up
matches the same rule. Table and priority depend on the device alone and lie outside the range of ec2-net-utils.
The device takes frames as large as the primary one does, which has its MTU by DHCP; this is done once and no condition.
Does not: talk to EC2, DHCP or networkd (the image tells networkd to leave foreign routes and rules alone).
Sources: EC2 user guide "Elastic network interfaces" (source/destination check), "Network maximum transmission unit
(MTU) for your EC2 instance" (frames of 9001 bytes within a VPC); ip-rule(8), ip-address(8).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Protocol

from bootstrap.base.errors import LinkError

FIRST_TABLE = 20000
IFA_F_NOPREFIXROUTE = 0x200
TO_TABLE = 1  # rtnetlink FR_ACT_TO_TBL


@dataclass(frozen=True, kw_only=True)
class LinkPlan:
    """How one network interface is to be configured."""

    device: str
    index: int
    address: str
    prefix: int
    subnet: str
    gateway: str
    table: int
    priority: int


@dataclass(frozen=True, kw_only=True)
class LinkState:
    """What the kernel has of a plan now."""

    is_up: bool
    addresses: frozenset[str]  # "address/prefix" of this device
    rules: frozenset[tuple[str, int, int]]  # (from, table, priority)
    routes: frozenset[tuple[str, str]]  # (destination or "default", gateway or "") in the plan's table, this device


class Links(Protocol):
    """The links of the operating system."""

    def find(self, mac: str) -> tuple[str, int] | None:
        """Name and index of the device with this MAC, or None."""

    def observe(self, plan: LinkPlan) -> LinkState:
        """What the kernel has now. Raises LinkError."""

    def configure(self, plan: LinkPlan) -> None:
        """Configure the device as planned. Raises LinkError."""


def plan_link(device: str, index: int, address: str, subnet_cidr: str) -> LinkPlan:
    """The configuration of `address` on `device`. The gateway is the subnet's first host, as in every VPC. Pure."""
    subnet = IPv4Network(subnet_cidr)
    return LinkPlan(
        device=device,
        index=index,
        address=address,
        prefix=subnet.prefixlen,
        subnet=str(subnet),
        gateway=str(subnet.network_address + 1),
        table=FIRST_TABLE + index,
        priority=FIRST_TABLE + index,
    )


def missing(plan: LinkPlan, state: LinkState) -> list[str]:
    """What `state` lacks of `plan`, in words; empty when nothing is missing. Pure."""
    lacks = []
    if not state.is_up:
        lacks.append(f"{plan.device} is down")
    if f"{plan.address}/{plan.prefix}" not in state.addresses:
        lacks.append(f"{plan.device} has no address {plan.address}/{plan.prefix}")
    if (plan.address, plan.table, plan.priority) not in state.rules:
        lacks.append(f"no rule from {plan.address} to table {plan.table}")
    if (plan.subnet, "") not in state.routes:
        lacks.append(f"table {plan.table} has no route to {plan.subnet}")
    if ("default", plan.gateway) not in state.routes:
        lacks.append(f"table {plan.table} has no default route by {plan.gateway}")
    return lacks


class KernelLinks:
    """Links by sysfs and rtnetlink."""

    def __init__(self, network_devices: Path) -> None:
        self._network_devices = network_devices

    def find(self, mac: str) -> tuple[str, int] | None:
        for device in sorted(self._network_devices.iterdir()):
            try:
                if (device / "address").read_text().strip().lower() == mac.lower():
                    return device.name, int((device / "ifindex").read_text())
            except OSError:  # the device went away between the listing and the look
                continue
        return None

    def observe(self, plan: LinkPlan) -> LinkState:
        with self._netlink(f"read the configuration of {plan.device}") as ip:
            link = next(iter(ip.get_links(plan.index)))
            addresses = [
                f"{item.get_attr('IFA_ADDRESS')}/{item['prefixlen']}"
                for item in ip.get_addr(family=socket.AF_INET, index=plan.index)
            ]
            rules = [
                (
                    str(item.get_attr("FRA_SRC") or ""),
                    int(item.get_attr("FRA_TABLE")),
                    int(item.get_attr("FRA_PRIORITY") or 0),
                )
                for item in ip.get_rules(family=socket.AF_INET)
                if item["src_len"] == 32
            ]
            routes = [
                _route(item)
                for item in ip.get_routes(family=socket.AF_INET, table=plan.table)
                if item.get_attr("RTA_OIF") == plan.index
            ]
        return LinkState(
            is_up=bool(link["flags"] & 1),
            addresses=frozenset(addresses),
            rules=frozenset(rules),
            routes=frozenset(routes),
        )

    def configure(self, plan: LinkPlan) -> None:
        with self._netlink(f"configure {plan.device}") as ip:
            _take_frames_of_the_primary(ip, plan)
            ip.link("set", index=plan.index, state="up")
            ip.addr("replace", index=plan.index, address=plan.address, prefixlen=plan.prefix, flags=IFA_F_NOPREFIXROUTE)
            ip.route("replace", dst=plan.subnet, oif=plan.index, table=plan.table, scope=253, prefsrc=plan.address)
            ip.route("replace", dst="default", gateway=plan.gateway, oif=plan.index, table=plan.table)
            _ensure_rule(ip, plan)

    def _netlink(self, what: str) -> _Netlink:
        return _Netlink(what)


class _Netlink:
    """An rtnetlink socket for one `with` block; its errors leave as LinkError."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._socket: Any = None

    def __enter__(self) -> Any:
        from pyroute2 import IPRoute  # imported here, because it takes long on a slow machine

        self._socket = IPRoute()
        return self._socket

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from pyroute2.netlink.exceptions import NetlinkError

        self._socket.close()
        if isinstance(error, NetlinkError | OSError | StopIteration):
            raise LinkError(f"{self._what}: {error}", remedy="See ip link, ip rule and ip route") from error


def _take_frames_of_the_primary(ip: Any, plan: LinkPlan) -> None:
    """Raise the MTU to that of the device with the default route, as far as the device can."""
    own = next(iter(ip.get_links(plan.index)))
    primary = {item.get_attr("RTA_OIF") for item in ip.get_default_routes(family=socket.AF_INET)} - {None, plan.index}
    sizes = [link.get_attr("IFLA_MTU") for index in primary for link in ip.get_links(index)]
    most = own.get_attr("IFLA_MAX_MTU") or own.get_attr("IFLA_MTU")  # 0 and None: the driver does not say
    wanted = min(most, max(sizes, default=0))
    if wanted > own.get_attr("IFLA_MTU"):
        ip.link("set", index=plan.index, mtu=wanted)


def _ensure_rule(ip: Any, plan: LinkPlan) -> None:
    """Leave exactly one rule for the address. A stale one, to the table of an older device, could win."""
    has_rule = False
    for item in ip.get_rules(family=socket.AF_INET):
        if item["src_len"] == 32 and item.get_attr("FRA_SRC") == plan.address:
            table, priority = int(item.get_attr("FRA_TABLE")), int(item.get_attr("FRA_PRIORITY") or 0)
            if (table, priority) == (plan.table, plan.priority):
                has_rule = True
            elif priority >= FIRST_TABLE:
                ip.rule("del", src=plan.address, src_len=32, table=table, priority=priority)
    if not has_rule:
        ip.rule("add", src=plan.address, src_len=32, table=plan.table, priority=plan.priority, action=TO_TABLE)


def _route(item: Any) -> tuple[str, str]:
    destination = item.get_attr("RTA_DST")
    name = f"{destination}/{item['dst_len']}" if destination else "default"
    return name, str(item.get_attr("RTA_GATEWAY") or "")
