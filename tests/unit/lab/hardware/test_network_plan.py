"""Bridges, ports and cuts as text."""

from lab.hardware.network import Port, Subnet, bridge_commands, plan_bridge, port_commands
from lab.hardware.network_cuts import Cuts, render_ruleset

MEMBERS = {
    "subnet-a1": ("br0", "a"),
    "subnet-a2": ("br1", "a"),
    "subnet-b1": ("br2", "b"),
}


def rules(cuts: Cuts) -> list[str]:
    return [line.strip() for line in render_ruleset(cuts, MEMBERS).splitlines() if "drop" in line]


def test_a_bridge_holds_the_first_address_and_a_mac_of_its_own() -> None:
    bridge = plan_bridge(Subnet(name="subnet-a1", cidr="10.0.1.0/24", zone="a"), 258)
    assert (bridge.device, bridge.gateway, bridge.mac) == ("br258", "10.0.1.1/24", "02:50:00:00:01:02")
    assert f"link set br258 address {bridge.mac}" in bridge_commands(bridge)


def test_two_bridges_never_share_a_mac() -> None:
    subnet = Subnet(name="s", cidr="10.0.1.0/24")
    assert len({plan_bridge(subnet, number).mac for number in range(600)}) == 600


def test_a_port_is_a_cable_in_the_bridge_and_a_device_for_the_machine() -> None:
    assert port_commands(Port(subnet="s", cable="c4", device="p4"), "br0") == [
        "link add c4 type veth peer name p4",
        "link set c4 master br0 up",
        "link set p4 up",
    ]


def test_without_cuts_nothing_is_dropped() -> None:
    assert rules(Cuts()) == []


def test_the_rules_replace_those_before_in_one_transaction() -> None:
    text = render_ruleset(Cuts(), MEMBERS)
    assert text.splitlines()[:4] == [
        "table bridge soloist {}",
        "delete table bridge soloist",
        "table ip soloist {}",
        "delete table ip soloist",
    ]


def test_a_cut_zone_keeps_itself_and_the_metadata_service() -> None:
    inside = '{ "br0", "br1" }'
    assert rules(Cuts(zones={"a"})) == [
        f"iifname {inside} oifname != {inside} drop",
        f"iifname != {inside} oifname {inside} drop",
        f"iifname {inside} ip daddr != 169.254.169.254 drop",
        f"oifname {inside} ip saddr != 169.254.169.254 drop",
    ]


def test_a_cut_of_a_zone_without_subnets_leaves_no_rule() -> None:
    assert rules(Cuts(zones={"x"})) == []


def test_cut_conversations_are_dropped_at_the_cable_in_both_directions_and_nothing_else_is() -> None:
    assert rules(Cuts(conversations={("c4", "10.0.0.4"), ("c4", "10.0.200.0/24")})) == [
        'iifname "c4" ip daddr 10.0.0.4 drop',
        'iifname "c4" ip daddr 10.0.200.0/24 drop',
        'oifname "c4" ip saddr 10.0.0.4 drop',
        'oifname "c4" ip saddr 10.0.200.0/24 drop',
    ]
