"""What the hardware is told as text: command line, bridges, ports, cuts, and the file server's scripts."""

from pathlib import Path

import pytest

from lab.base.errors import LabError
from lab.hardware.command_line import address_argument, command_line, disk_argument
from lab.hardware.file_server import MountTarget, directory_script, start_script, target_script
from lab.hardware.machine import MachineSpec, NetworkInterface
from lab.hardware.network import Port, Subnet, bridge_commands, plan_bridge, port_commands
from lab.hardware.network_cuts import Cuts, render_ruleset

SPEC = MachineSpec(
    name="i-0a",
    image=Path("/c/base.ext4"),
    memory_mib=192,
    interfaces=(NetworkInterface(index=0, mac="02:00:00:00:00:0a", bridge="subnet-1"),),
    address="10.0.0.4/24",
    gateway="10.0.0.1",
    kernel_arguments=("systemd.setenv=AWS_ENDPOINT_URL=http://169.254.169.252:4566",),
)


def build(spec: MachineSpec) -> list[str]:
    return command_line(
        spec, kernel=Path("/linux.uml"), overlay=Path("/r/disk.cow"), uml_directory=Path("/r/u"), devices={0: "p7"}
    )


def test_a_machine_gets_memory_disk_address_interface_and_what_it_is_told() -> None:
    arguments = build(SPEC)
    assert arguments[0] == "/linux.uml"
    for expected in (
        "mem=192M",
        "ubd0c=/r/disk.cow,/c/base.ext4",
        "umid=i-0a",
        "uml_dir=/r/u/",
        "ip=10.0.0.4::10.0.0.1:255.255.255.0:i-0a:vec0:none",
        "vec0:transport=raw,ifname=p7,depth=128,gro=1,mac=02:00:00:00:00:0a",
        "systemd.hostname=i-0a",
        "panic=1",  # else a machine whose kernel panics would hang
        "softdog.soft_reboot_cmd=reset",  # else one that its watchdog resets would
    ):
        assert expected in arguments
    assert arguments[-1] == "systemd.setenv=AWS_ENDPOINT_URL=http://169.254.169.252:4566"


def test_the_data_disk_is_given_without_an_overlay_so_that_it_outlives_the_machine() -> None:
    assert disk_argument(1, image=Path("/r/efs.ext4"), overlay=None) == "ubd1=/r/efs.ext4"


@pytest.mark.parametrize("path", ["/a,b", "/a:b", "/a b"])
def test_a_path_that_uml_would_split_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="comma, colon or space"):
        disk_argument(0, image=Path(path), overlay=None)


def test_the_netmask_follows_the_prefix_length() -> None:
    spec = MachineSpec(name="m", image=Path("/i"), address="10.0.0.20/20", gateway="10.0.0.1")
    assert address_argument(spec) == "ip=10.0.0.20::10.0.0.1:255.255.240.0:m:vec0:none"


def test_a_machine_without_address_is_told_none() -> None:
    assert not [word for word in build(MachineSpec(name="m", image=Path("/i"))) if word.startswith("ip=")]


# ------------------------------------------------------------------ bridges, ports and cuts
MEMBERS = {"subnet-a1": ("br0", "a"), "subnet-a2": ("br1", "a"), "subnet-b1": ("br2", "b")}


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


@pytest.mark.parametrize("cuts", [Cuts(), Cuts(zones={"x"})], ids=["no cut", "of a zone without subnets"])
def test_where_nothing_is_cut_nothing_is_dropped(cuts: Cuts) -> None:
    assert rules(cuts) == []


def test_the_rules_replace_those_before_in_one_transaction() -> None:
    assert render_ruleset(Cuts(), MEMBERS).splitlines()[:4] == [
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


def test_cut_conversations_are_dropped_at_the_cable_in_both_directions_and_nothing_else_is() -> None:
    assert rules(Cuts(conversations={("c4", "10.0.0.4"), ("c4", "10.0.200.0/24")})) == [
        'iifname "c4" ip daddr 10.0.0.4 drop',
        'iifname "c4" ip daddr 10.0.200.0/24 drop',
        'oifname "c4" ip saddr 10.0.0.4 drop',
        'oifname "c4" ip saddr 10.0.200.0/24 drop',
    ]


# ------------------------------------------------------------------ the file server
TARGET = MountTarget(subnet="subnet-1", address="10.0.1.10/24", gateway="10.0.1.1", mac="02:00:00:00:00:01")


def test_the_server_speaks_4_1_only_gives_no_delegations_keeps_its_lease_and_acknowledges_what_is_on_disk() -> None:
    script = start_script(20)
    for line in ("vers3=n", "vers4.0=n", "vers4.1=y", "vers4.2=n", "lease-time=20", "grace-time=20"):
        assert line in script.splitlines()
    assert "echo 0 > /proc/sys/fs/leases-enable" in script
    assert ",sync," in script
    assert ",async," not in script


def test_recovery_tracking_runs_before_the_server_and_survives_with_the_data() -> None:
    lines = start_script(15).splitlines()
    assert lines.index("ln -s /export/.recovery /var/lib/nfs/nfsdcld") < lines.index("/usr/sbin/nfsdcld")
    assert lines.index("/usr/sbin/nfsdcld") < lines.index("rpc.nfsd")


def test_a_mount_target_answers_through_its_own_interface() -> None:
    script = target_script(2, TARGET)
    assert "ip rule add from 10.0.1.10 lookup 102" in script
    assert "ip route replace default via 10.0.1.1 dev vec2 table 102" in script


def test_an_access_point_directory_that_exists_is_left_alone() -> None:
    script = directory_script("/influxdb/data", 986, 986, "0750")
    assert script.splitlines()[1].startswith("[ -d /export/influxdb/data ] ||")
    assert "chown 986:986 /export/influxdb/data; chmod 0750 /export/influxdb/data" in script


@pytest.mark.parametrize("path", ["relative", "/a/../../etc"])
def test_a_directory_outside_the_export_is_refused(path: str) -> None:
    with pytest.raises(LabError, match="not an absolute path"):
        directory_script(path, 0, 0, "0755")
