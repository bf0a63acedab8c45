"""The command line of a User Mode Linux machine, from its description.

For: `lab.hardware.uml`. Guarantees: pure; a path that User Mode Linux would misread is refused.
Does not: start a machine.
Sources: the kernel's Documentation/virt/uml/user_mode_linux_howto_v2.rst (ubd, con, vec, umid),
systemd's kernel-command-line(7) and systemd-network-generator(8) (`ip=`), the kernel's drivers/watchdog/softdog.c.
"""

from ipaddress import ip_interface
from pathlib import Path

from lab.hardware.machine import MachineSpec

MACHINE_ID_LENGTH = 60  # umid becomes part of a socket path


def vector_device(index: int, *, device: str, mac: str) -> str:
    """The description of network interface `index` on host interface `device`, for boot and for hot-plug.

    Without gro the guest drops the large frames that its neighbours' segmentation offload produces.
    """
    return f"vec{index}:transport=raw,ifname={device},depth=128,gro=1,mac={mac}"


def disk_argument(index: int, *, image: Path, overlay: Path | None) -> str:
    """Block device `index`: `image` read-only below `overlay`, or `image` itself when there is no overlay.

    Raises ValueError where a path has a comma, a colon or a space: UML splits its arguments there.
    """
    for path in (image, overlay):
        if path is not None and (set(str(path)) & set(",: ")):
            raise ValueError(f"disk {path}: a path with comma, colon or space cannot be given to User Mode Linux")
    # c: no lock. A reboot is an exec, and the I/O thread from before, which is being killed, may still hold the lock:
    # then the kernel has no disk. An overlay belongs to one machine anyway.
    return f"ubd{index}c={overlay},{image}" if overlay else f"ubd{index}={image}"


def address_argument(spec: MachineSpec) -> str:
    """The `ip=` argument that configures interface 0 statically; its name in the guest is vec0."""
    interface = ip_interface(spec.address)
    return f"ip={interface.ip}::{spec.gateway}:{interface.netmask}:{spec.name}:vec0:none"


def command_line(
    spec: MachineSpec, *, kernel: Path, overlay: Path, uml_directory: Path, devices: dict[int, str]
) -> list[str]:
    """Everything to start `spec`. `devices` maps interface index to the host interface it is plugged into."""
    arguments = [
        str(kernel),
        f"mem={spec.memory_mib}M",
        disk_argument(0, image=spec.image, overlay=overlay),
        f"umid={spec.name[:MACHINE_ID_LENGTH]}",
        f"uml_dir={uml_directory}/",
        "root=/dev/ubda",
        "rw",
        "con=null",
        "con0=null,fd:2",
        "con1=fd:0,fd:1",
        "ssl=null",
        "quiet",
        "panic=1",
        # By a thread: a 6.1 guest does not get through a restart that begins in its timer interrupt, and spins there.
        "softdog.soft_reboot_cmd=reset",
        # Its own watchdog device needs a program of the host that nobody has, and an attempt to open it takes seconds.
        "initcall_blacklist=harddog_init",
        "systemd.show_status=0",
        f"systemd.hostname={spec.name}",
    ]
    if spec.data_disk:
        arguments.append(disk_argument(1, image=spec.data_disk, overlay=None))
    if spec.address:
        arguments.append(address_argument(spec))
    for interface in spec.interfaces:
        arguments.append(vector_device(interface.index, device=devices[interface.index], mac=interface.mac))
    return arguments + list(spec.kernel_arguments)
