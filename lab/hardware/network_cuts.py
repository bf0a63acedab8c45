"""The nft rules that drop packets of cut conversations and zones. Pure text.

For: `lab.hardware.network` applies them. Guarantees: one transaction replaces all rules; rules keep no state, so
established connections are cut and healed too. A conversation is cut at the bridge, in both directions and also between
neighbours; a zone is cut where the lab routes. Does not: run nft.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.base.addresses import METADATA_ADDRESS


@dataclass
class Cuts:
    """What is cut: conversations as (cable, address or network at its other end), and names of zones."""

    conversations: set[tuple[str, str]] = field(default_factory=set)
    zones: set[str] = field(default_factory=set)


def render_ruleset(cuts: Cuts, members: Mapping[str, tuple[str, str]]) -> str:
    """The rules for `nft -f`. `members` maps each subnet to its bridge device and its zone."""
    zones = [
        sorted(device for device, member_zone in members.values() if member_zone == zone) for zone in sorted(cuts.zones)
    ]
    groups = [_set(zone) for zone in zones if zone]
    lines = [
        "table bridge soloist {}",
        "delete table bridge soloist",
        "table ip soloist {}",
        "delete table ip soloist",
        "table bridge soloist {",
        "  chain from_ports {",
        "    type filter hook prerouting priority -300; policy accept;",
        *(f'    iifname "{cable}" ip daddr {peer} drop' for cable, peer in sorted(cuts.conversations)),
        "  }",
        "  chain to_ports {",
        "    type filter hook postrouting priority 300; policy accept;",
        *(f'    oifname "{cable}" ip saddr {peer} drop' for cable, peer in sorted(cuts.conversations)),
        "  }",
        "}",
        "table ip soloist {",
        "  chain forward {",
        "    type filter hook forward priority 0; policy accept;",
        *(rule for group in groups for rule in _forward_rules(group)),
        "  }",
        "  chain input {",
        "    type filter hook input priority 0; policy accept;",
        *(f"    iifname {group} ip daddr != {METADATA_ADDRESS} drop" for group in groups),
        "  }",
        "  chain output {",
        "    type filter hook output priority 0; policy accept;",
        *(f"    oifname {group} ip saddr != {METADATA_ADDRESS} drop" for group in groups),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _forward_rules(inside: str) -> list[str]:
    return [f"    iifname {inside} oifname != {inside} drop", f"    iifname != {inside} oifname {inside} drop"]


def _set(names: list[str]) -> str:
    return "{ " + ", ".join(f'"{name}"' for name in names) + " }"
