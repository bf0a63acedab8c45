"""The command line of a machine."""

from pathlib import Path

import pytest

from lab.hardware.command_line import address_argument, command_line, disk_argument, vector_device
from lab.hardware.machine import MachineSpec, NetworkInterface

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
        spec,
        kernel=Path("/usr/bin/linux.uml"),
        overlay=Path("/r/disk.cow"),
        uml_directory=Path("/r/u"),
        devices={0: "p7"},
    )


def test_a_machine_gets_memory_disk_address_interface_and_what_it_is_told() -> None:
    arguments = build(SPEC)
    assert arguments[0] == "/usr/bin/linux.uml"
    for expected in (
        "mem=192M",
        "ubd0=/r/disk.cow,/c/base.ext4",
        "umid=i-0a",
        "uml_dir=/r/u/",
        "ip=10.0.0.4::10.0.0.1:255.255.255.0:i-0a:vec0:none",
        "vec0:transport=raw,ifname=p7,depth=128,gro=1,mac=02:00:00:00:00:0a",
        "systemd.hostname=i-0a",
    ):
        assert expected in arguments
    assert arguments[-1] == "systemd.setenv=AWS_ENDPOINT_URL=http://169.254.169.252:4566"


def test_a_machine_whose_kernel_panics_ends_instead_of_hanging() -> None:
    assert "panic=1" in build(SPEC)


def test_the_data_disk_is_given_without_an_overlay_so_that_it_outlives_the_machine() -> None:
    assert disk_argument(1, image=Path("/r/efs.ext4"), overlay=None) == "ubd1=/r/efs.ext4"


@pytest.mark.parametrize("path", ["/a,b", "/a:b", "/a b"])
def test_a_path_that_uml_would_split_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="comma, colon or space"):
        disk_argument(0, image=Path(path), overlay=None)


def test_the_netmask_follows_the_prefix_length() -> None:
    spec = MachineSpec(name="m", image=Path("/i"), address="10.0.0.20/20", gateway="10.0.0.1")
    assert address_argument(spec) == "ip=10.0.0.20::10.0.0.1:255.255.240.0:m:vec0:none"


def test_hot_plug_uses_the_same_description_as_boot() -> None:
    assert vector_device(1, device="p3", mac="02:00:00:00:00:01") == (
        "vec1:transport=raw,ifname=p3,depth=128,gro=1,mac=02:00:00:00:00:01"
    )


def test_a_machine_without_address_is_told_none() -> None:
    assert not [word for word in build(MachineSpec(name="m", image=Path("/i"))) if word.startswith("ip=")]
