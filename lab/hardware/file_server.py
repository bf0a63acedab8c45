"""The lab's EFS: a real NFSv4.1 server (knfsd) in a machine of its own, with one address per mount target.

For: agents mount from it as from EFS. Guarantees: NFSv4.1 only; no delegations (EFS gives none); what the server has
acknowledged as stable is on the data disk, which outlives the machine, so `restart` does not lose it; each mount target
answers through its own interface. Does not: offer TLS, IAM, an access point's user mapping (the agent's transport "nfs"
mounts the access point's directory itself), or EFS's throughput.
Source of the server's behaviour: Linux nfsd(7), rpc.nfsd(8), nfsdcld(8); recovery tracking must run or every first open
waits for the whole grace period.
"""

import shlex
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path

from lab.base.errors import LabError
from lab.hardware.machine import HardwareRefused, MachineSpec, NetworkInterface
from lab.hardware.network import Port
from lab.hardware.uml import UmlMachine, UmlMachines

EXPORT = "/export"
NAME = "efs"
LEASE_S = 15  # also the grace period after a restart
DISK_MIB = 2048
BOOT_LIMIT_S = 60.0
START_LIMIT_S = 45.0
COMMAND_LIMIT_S = 20.0
MKFS_LIMIT_S = 60.0
THREADS = 4


@dataclass(frozen=True, kw_only=True)
class MountTarget:
    """One address of the file system: `address` with prefix length, in the subnet (bridge) `subnet`."""

    subnet: str
    address: str
    gateway: str
    mac: str


def start_script(lease_s: int) -> str:
    """The commands that start the server inside the machine, whose second disk is the file system."""
    return f"""set -e
cat > /etc/nfs.conf <<'TEXT'
[general]
pipefs-directory=/run/rpc_pipefs
[nfsd]
threads={THREADS}
lease-time={lease_s}
grace-time={lease_s}
vers3=n
vers4=y
vers4.0=n
vers4.1=y
vers4.2=n
udp=n
TEXT
mkdir -p {EXPORT} /run/rpc_pipefs
mount -t ext4 -o noatime /dev/ubdb {EXPORT}
mkdir -p {EXPORT}/.recovery /var/lib/nfs
rm -rf /var/lib/nfs/nfsdcld
ln -s {EXPORT}/.recovery /var/lib/nfs/nfsdcld
modprobe nfsd
mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
mountpoint -q /run/rpc_pipefs || mount -t rpc_pipefs sunrpc /run/rpc_pipefs
/usr/sbin/nfsdcld
# Delegations are leases; EFS gives none.
echo 0 > /proc/sys/fs/leases-enable
echo 1048576 > /proc/fs/nfsd/max_block_size
echo '{EXPORT} *(rw,no_root_squash,fsid=0,insecure,sync,no_subtree_check)' > /etc/exports
exportfs -ra
rpc.mountd --no-nfs-version 2 --no-nfs-version 3
rpc.nfsd
grep -q -- '-3 .*-4.0 +4.1 -4.2' /proc/fs/nfsd/versions || {{ cat /proc/fs/nfsd/versions; exit 1; }}
"""


def target_script(index: int, target: MountTarget) -> str:
    """The commands that give interface `index` its address, answering through itself as a mount target does."""
    interface = ip_interface(target.address)
    device, table = f"vec{index}", 100 + index
    return f"""set -e
for attempt in $(seq 50); do [ -e /sys/class/net/{device} ] && break; sleep 0.05; done
echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
ip link set {device} up
ip address replace {interface} dev {device}
ip route replace {interface.network} dev {device} src {interface.ip} table {table}
ip route replace default via {target.gateway} dev {device} table {table}
ip rule delete from {interface.ip} 2>/dev/null || true
ip rule add from {interface.ip} lookup {table}
"""


def directory_script(path: str, uid: int, gid: int, mode: str) -> str:
    """The commands that make an access point's root directory, if it is not there (EFS CreationInfo)."""
    if not path.startswith("/") or ".." in path.split("/"):
        raise LabError(f"file server: {path} is not an absolute path")
    full = shlex.quote(EXPORT + path)
    return (
        f"set -e\n[ -d {full} ] || {{ mkdir -p {full}; chown {uid}:{gid} {full}; chmod {shlex.quote(mode)} {full}; }}\n"
    )


class FileServer:
    """One file system. Safe to call from many threads; `start` before anything else."""

    def __init__(self, machines: UmlMachines, image: Path, data_disk: Path) -> None:
        """`data_disk` is made when it does not exist."""
        self._machines = machines
        self._image = image
        self._disk = data_disk
        self._targets: dict[int, MountTarget] = {}
        self._machine: UmlMachine | None = None
        self._lock = threading.RLock()

    @property
    def machine(self) -> UmlMachine:
        """The machine that serves now. Raises LabError before `start`."""
        if self._machine is None:
            raise LabError(f"file server {NAME}: not started")
        return self._machine

    def start(self, targets: Iterable[MountTarget] = ()) -> float:
        """Boot, serve, and give it the addresses of `targets`; returns seconds until serving."""
        with self._lock:
            started = time.monotonic()
            make_disk(self._disk)
            for target in targets:
                self._targets[len(self._targets)] = target
            self._boot()
            return time.monotonic() - started

    def add_mount_target(self, target: MountTarget) -> None:
        """Plug a network interface for `target` in; no-op for an address that is there."""
        with self._lock:
            if target in self._targets.values():
                return
            index = next(number for number in range(64) if number not in self._targets)
            self.machine.attach_nic(_interface(index, target))
            self._command(target_script(index, target), f"mount target {target.address}")
            self._targets[index] = target

    def port(self, address: str) -> Port:
        """The port of the mount target with this address, for cutting it. Raises HardwareRefused."""
        for index, target in self._targets.items():
            if address in (target.address, str(ip_interface(target.address).ip)):
                return self.machine.port(index)
        raise HardwareRefused(f"file server {NAME}: there is no mount target {address}")

    def create_directory(self, path: str, *, uid: int = 0, gid: int = 0, mode: str = "0755") -> None:
        """Make an access point's root directory; an existing one is left as it is. Raises LabError."""
        self._command(directory_script(path, uid, gid, mode), f"directory {path}")

    def restart(self, *, pause_s: float = 0.0) -> float:
        """Kill the server and boot it again with the same disk and addresses; returns how many seconds that took."""
        with self._lock:
            started = time.monotonic()
            self.machine.kill()
            time.sleep(pause_s)
            self._boot()
            return time.monotonic() - started

    def stop(self) -> None:
        """Cut its power; the data disk stays. Safe to repeat."""
        with self._lock:
            if self._machine:
                self._machine.kill()
                self._machine = None

    def _boot(self) -> None:
        self._machine = self._machines.power_on(
            MachineSpec(
                name=NAME,
                image=self._image,
                interfaces=tuple(_interface(index, target) for index, target in sorted(self._targets.items())),
                data_disk=self._disk,
                kernel_arguments=("systemd.mask=systemd-networkd.service", "systemd.mask=systemd-networkd.socket"),
            )
        )
        self._machine.wait_until_reachable(BOOT_LIMIT_S)
        scripts = [target_script(index, target) for index, target in sorted(self._targets.items())]
        for script in scripts:
            self._command(script, "address")
        self._command(start_script(LEASE_S), "start", START_LIMIT_S)

    def _command(self, script: str, what: str, limit_s: float = COMMAND_LIMIT_S) -> None:
        done = self.machine.exec(script, limit_s)
        if done.exit_code:
            raise LabError(f"file server {NAME}: {what} failed: {done.output.strip()[-500:]}")


def make_disk(path: Path) -> None:
    """Make an empty ext4 disk at `path` unless there is one. Raises LabError."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.truncate(DISK_MIB * 1024 * 1024)
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(partial)]
    environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=MKFS_LIMIT_S, env=environment)
    if done.returncode:
        raise LabError(
            f"{path}: cannot make a file system: {done.stderr.strip()}: apt-get install e2fsprogs, free space"
        )
    partial.replace(path)


def _interface(index: int, target: MountTarget) -> NetworkInterface:
    return NetworkInterface(index=index, mac=target.mac, bridge=target.subnet)
