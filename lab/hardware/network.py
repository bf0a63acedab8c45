"""The lab's network: one bridge per subnet, routed by the lab, with connections that can be cut.

For: the hypervisor plugs machines into subnets; chaos and tests cut conversations and zones. It works only inside
`lab.hardware.namespace`. Guarantees: bridges have fixed MAC addresses (a bridge would otherwise take that of a port,
and its neighbours would keep the old one for half a minute); a cut is atomic and takes no link down (User Mode Linux
gives up an interface whose link went down). Does not: delay packets or lose them at random; netem in the guest does.
"""

import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

from lab.base.addresses import CONTROL_ADDRESS, METADATA_ADDRESS, NAMES_ADDRESS
from lab.base.errors import LabError
from lab.hardware.network_cuts import Cuts, render_ruleset

LO_ADDRESSES = (METADATA_ADDRESS, NAMES_ADDRESS, CONTROL_ADDRESS)
COMMAND_LIMIT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet to make a bridge for. `name` is what machines refer to (a subnet id), `zone` groups subnets."""

    name: str
    cidr: str
    zone: str = ""


@dataclass(frozen=True, kw_only=True)
class Port:
    """A socket in a subnet's switch: `device` is what a machine opens, `cable` the end at the bridge."""

    subnet: str
    cable: str
    device: str


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """How a subnet is made: the bridge's name, MAC and the gateway address it holds (with prefix length)."""

    subnet: Subnet
    device: str
    mac: str
    gateway: str


def plan_bridge(subnet: Subnet, number: int) -> Bridge:
    """Names and addresses for the `number`-th subnet; the first host address is the gateway, as on AWS."""
    network = ip_network(subnet.cidr)
    gateway = f"{next(network.hosts())}/{network.prefixlen}"
    return Bridge(
        subnet=subnet, device=f"br{number}", mac=f"02:50:00:00:{number >> 8:02x}:{number & 255:02x}", gateway=gateway
    )


def bridge_commands(bridge: Bridge) -> list[str]:
    """The `ip` commands that make the bridge."""
    return [
        f"link add {bridge.device} type bridge forward_delay 0 mcast_snooping 0",
        f"link set {bridge.device} address {bridge.mac}",
        f"address add {bridge.gateway} dev {bridge.device}",
        f"link set {bridge.device} up",
    ]


def port_commands(port: Port, bridge: str) -> list[str]:
    """The `ip` commands that make a port and connect it."""
    return [
        f"link add {port.cable} type veth peer name {port.device}",
        f"link set {port.cable} master {bridge} up",
        f"link set {port.device} up",
    ]


@dataclass
class Network:
    """All bridges and ports of one lab. Safe to call from many threads."""

    _bridges: dict[str, Bridge] = field(default_factory=dict)
    _numbers: int = 0
    _ports: int = 0
    _cuts: Cuts = field(default_factory=Cuts)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Addresses of the lab itself, and routing. Raises LabError outside a namespace of one's own."""
        _ip(["link set lo up", *(f"address add {address}/32 dev lo" for address in LO_ADDRESSES)])
        for path, value in (
            ("/proc/sys/net/ipv4/ip_forward", "1"),
            ("/proc/sys/net/ipv4/conf/all/rp_filter", "0"),
            ("/proc/sys/net/ipv4/conf/default/rp_filter", "0"),
        ):
            with open(path, "w") as file:
                file.write(value)

    def add_subnet(self, subnet: Subnet) -> None:
        """Make the subnet's bridge; the lab is its gateway. No-op when it exists. Raises LabError."""
        with self._lock:
            if subnet.name in self._bridges:
                return
            bridge = plan_bridge(subnet, self._numbers)
            _ip(bridge_commands(bridge))
            self._numbers += 1
            self._bridges[subnet.name] = bridge
            self._apply()

    def subnets(self) -> tuple[Subnet, ...]:
        with self._lock:
            return tuple(bridge.subnet for bridge in self._bridges.values())

    def gateway(self, subnet: str) -> str:
        """The gateway's address in `subnet`, with prefix length."""
        return self._bridge(subnet).gateway

    def add_port(self, subnet: str) -> Port:
        """A new port in `subnet`. Raises LabError when there is no such subnet."""
        with self._lock:
            bridge = self._bridge(subnet)
            number, self._ports = self._ports, self._ports + 1
            port = Port(subnet=subnet, cable=f"c{number}", device=f"p{number}")
            _ip(port_commands(port, bridge.device))
            return port

    def pull_cable(self, port: Port) -> None:
        """Disconnect the port from its subnet for good, leaving the machine's end as it is."""
        _ip([f"link set {port.cable} nomaster"])

    def remove_port(self, port: Port) -> None:
        """Take the port away. Only when no machine has it open any more. No-op when it is gone."""
        with self._lock:
            self._cuts.conversations = {pair for pair in self._cuts.conversations if pair[0] != port.cable}
            subprocess.run(["ip", "link", "del", port.cable], capture_output=True, timeout=COMMAND_LIMIT_S)

    def cut_conversations(self, port: Port, peers: Iterable[str]) -> None:
        """Nothing passes this port to or from `peers` (addresses or networks) any more; all else does."""
        with self._changed() as cuts:
            cuts.conversations |= {(port.cable, peer) for peer in peers}

    def heal_conversations(self, port: Port, peers: Iterable[str]) -> None:
        with self._changed() as cuts:
            cuts.conversations -= {(port.cable, peer) for peer in peers}

    def cut_zone(self, zone: str) -> None:
        """Isolate a zone: its subnets reach each other and the metadata service, nothing else."""
        if zone not in {subnet.zone for subnet in self.subnets()}:
            raise LabError(f"network: no subnet is in zone {zone}")
        with self._changed() as cuts:
            cuts.zones.add(zone)

    def heal_zone(self, zone: str) -> None:
        with self._changed() as cuts:
            cuts.zones.discard(zone)

    def devices(self) -> tuple[str, ...]:
        """Names of all network devices in this namespace, for checks."""
        answer = subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, timeout=COMMAND_LIMIT_S)
        return tuple(link["ifname"] for link in json.loads(answer.stdout))

    @contextmanager
    def _changed(self) -> Iterator[Cuts]:
        with self._lock:
            yield self._cuts
            self._apply()

    def _apply(self) -> None:
        members = {name: (bridge.device, bridge.subnet.zone) for name, bridge in self._bridges.items()}
        _run(["nft", "-f", "-"], render_ruleset(self._cuts, members))

    def _bridge(self, subnet: str) -> Bridge:
        with self._lock:
            if subnet not in self._bridges:
                raise LabError(f"network: no subnet {subnet}; there are: {', '.join(sorted(self._bridges)) or 'none'}")
            return self._bridges[subnet]


def _ip(commands: list[str]) -> None:
    _run(["ip", "-batch", "-"], "\n".join(commands) + "\n")


def _run(argv: list[str], text: str) -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=COMMAND_LIMIT_S)
    if done.returncode:
        raise LabError(
            f"network: {' '.join(argv)} failed: {done.stderr.strip()} (run inside lab.hardware.namespace)\n{text}"
        )
