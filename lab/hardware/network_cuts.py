"""Which packets do not pass: the nft rules for cut ports, subnets and zones. Pure text.

Guarantees: one transaction replaces all rules; rules keep no state, so established connections are cut and healed too.
A port is cut at the bridge (both directions, also between neighbours), as a whole or for some addresses only; subnets
and zones are cut where the lab routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

METADATA = "169.254.169.254"


@dataclass
class Cuts:
    """What is cut: cables of ports, (cable, address or network behind it), names of subnets, names of zones."""

    ports: set[str] = field(default_factory=set)
    conversations: set[tuple[str, str]] = field(default_factory=set)
    subnets: set[str] = field(default_factory=set)
    zones: set[str] = field(default_factory=set)


def render_ruleset(cuts: Cuts, members: Mapping[str, tuple[str, str]]) -> str:
    """The rules for `nft -f`. `members` maps each subnet to its bridge device and its zone."""
    groups = [[members[name][0]] for name in sorted(cuts.subnets) if name in members]
    for zone in sorted(cuts.zones):
        groups.append(sorted(device for device, member_zone in members.values() if member_zone == zone))
    lines = [
        "table bridge soloist {}",
        "delete table bridge soloist",
        "table ip soloist {}",
        "delete table ip soloist",
        "table bridge soloist {",
        "  chain from_ports {",
        "    type filter hook prerouting priority -300; policy accept;",
        *_port_rules("iifname", cuts.ports),
        *(f'    iifname "{cable}" ip daddr {peer} drop' for cable, peer in sorted(cuts.conversations)),
        "  }",
        "  chain to_ports {",
        "    type filter hook postrouting priority 300; policy accept;",
        *_port_rules("oifname", cuts.ports),
        *(f'    oifname "{cable}" ip saddr {peer} drop' for cable, peer in sorted(cuts.conversations)),
        "  }",
        "}",
        "table ip soloist {",
        "  chain forward {",
        "    type filter hook forward priority 0; policy accept;",
        *(rule for group in groups if group for rule in _forward_rules(group)),
        "  }",
        "  chain input {",
        "    type filter hook input priority 0; policy accept;",
        *(f"    iifname {_set(group)} ip daddr != {METADATA} drop" for group in groups if group),
        "  }",
        "  chain output {",
        "    type filter hook output priority 0; policy accept;",
        *(f"    oifname {_set(group)} ip saddr != {METADATA} drop" for group in groups if group),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _port_rules(direction: str, ports: Iterable[str]) -> list[str]:
    names = sorted(ports)
    return [f"    {direction} {_set(names)} drop"] if names else []


def _forward_rules(group: list[str]) -> list[str]:
    inside = _set(group)
    return [f"    iifname {inside} oifname != {inside} drop", f"    iifname != {inside} oifname {inside} drop"]


def _set(names: list[str]) -> str:
    return "{ " + ", ".join(f'"{name}"' for name in names) + " }"
