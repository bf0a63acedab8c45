"""Real machines: what the lab promises about booting, commands, hot-plug, crashes, freezing, cutting and tearing down.

Run inside the lab's namespace: `python -m lab.hardware.namespace -- python -m pytest tests/lab`.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.base.run_directory import run_directory
from lab.base.waiting import wait_for
from lab.hardware import namespace
from lab.hardware.file_server import FileServer, MountTarget
from lab.hardware.machine import MachineEnded, MachineSpec, MachineTimeout, NetworkInterface
from lab.hardware.network import Network, Subnet
from lab.hardware.probe import probe_kernel
from lab.hardware.uml import UmlMachine, UmlMachines
from lab.image.store import ImageStore

pytestmark = pytest.mark.lab
CHECKOUT = Path(__file__).resolve().parent.parent.parent
CACHE = CHECKOUT / "build" / "cache"
MOUNT = "mount -t nfs4 -o nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
SERVER = "10.0.0.10"
SOON_S = 60.0  # for what takes a moment: long enough for a computer that has other things to do


@dataclass
class World:
    network: Network
    machines: UmlMachines
    images: ImageStore
    server: FileServer

    def boot(self, name: str, *, subnet: str = "one", address: str = "10.0.0.20") -> UmlMachine:
        """A machine with one interface, powered on."""
        mac = "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        return self.machines.power_on(
            MachineSpec(
                name=name,
                image=self.images.client(),
                memory_mib=128,
                interfaces=(NetworkInterface(index=0, mac=mac, bridge=subnet),),
                address=f"{address}/24",
                gateway=self.network.gateway(subnet).split("/")[0],
            )
        )


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    if not namespace.inside():
        pytest.fail("needs the lab's namespace: run `python -m lab.hardware.namespace -- python -m pytest tests/lab`")
    network = Network()
    network.start()
    network.add_subnet(Subnet(name="one", cidr="10.0.0.0/24", zone="a"))
    network.add_subnet(Subnet(name="two", cidr="10.0.1.0/24", zone="b"))
    images = ImageStore(CACHE)
    with run_directory(Path("/tmp")) as directory:
        machines = UmlMachines(probe_kernel(CACHE), directory, network)
        server = FileServer(machines, images.server(), directory / "efs.ext4")
        server.start([MountTarget(subnet="one", address=f"{SERVER}/24", gateway="10.0.0.1", mac="02:00:00:00:01:00")])
        server.create_directory("/s/data")
        yield World(network, machines, images, server)
        server.stop()


@pytest.fixture(scope="module")
def machine(world: World) -> Iterator[UmlMachine]:
    """A machine shared by the tests that do not end it."""
    powered_on = world.boot("shared")
    powered_on.wait_until_reachable(SOON_S)
    powered_on.exec("systemctl is-system-running --wait", SOON_S)
    yield powered_on
    powered_on.kill()


def answers(address: str, port: int = 7000, timeout_s: float = 1.0) -> bool:
    """True when something accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def listen(machine: UmlMachine) -> None:
    machine.exec("systemd-run --quiet --unit=listener python3 -m http.server 7000 --directory /run || true")


def in_background(machine: UmlMachine, python: str) -> None:
    """Start a Python program in the guest that goes on after this call."""
    machine.exec(f"cat > /root/program.py <<'END'\n{textwrap.dedent(python)}\nEND\nsetsid python3 /root/program.py &")


def test_a_command_gives_its_exit_code_and_both_outputs(machine: UmlMachine) -> None:
    done = machine.exec("echo out; echo err >&2; exit 7")
    assert (done.exit_code, done.output) == (7, "out\nerr\n")


def test_the_machine_is_a_debian_with_systemd_at_its_address(machine: UmlMachine) -> None:
    assert machine.exec("systemctl is-system-running").output == "running\n"
    assert "10.0.0.20/24" in machine.exec("ip -4 address show vec0").output
    assert machine.exec("hostname").output == "shared\n"


# As the packages of Debian 12 ship them, or their install scripts make them: base-files, base-passwd, login, passwd,
# util-linux, libpam-runtime, dbus, nfs-common.
OWNED = """
/etc/shadow root:shadow 640
/root root:root 700
/tmp root:root 1777
/usr/bin/chage root:shadow 2755
/usr/bin/mount root:root 4755
/usr/bin/su root:root 4755
/usr/bin/wall root:root 755
/usr/lib/dbus-1.0/dbus-daemon-launch-helper root:messagebus 4754
/usr/sbin/unix_chkpwd root:shadow 2755
/var/lib/nfs/sm statd:nogroup 755
/var/lib/nfs/state statd:root 644
/var/local root:staff 2775
/var/log/btmp root:utmp 660
/var/mail root:mail 2775
"""


def test_files_have_the_owners_that_debian_gives_them_although_nobody_was_root(machine: UmlMachine) -> None:
    names = " ".join(line.split()[0] for line in OWNED.split("\n") if line)
    assert machine.exec(f"stat --format='%n %U:%G %a' {names}").output == OWNED.lstrip()


def test_long_commands_and_long_outputs_pass_whole(machine: UmlMachine) -> None:
    assert machine.exec(f"printf %s {'x' * 100_000} | wc -c").output == "100000\n"
    assert machine.exec("seq 100000").output == "".join(f"{n}\n" for n in range(1, 100_001))


def test_many_commands_at_once_each_get_their_own_answer(machine: UmlMachine) -> None:
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = machine.exec(f"sleep 0.{number}; seq {number * 50} | tail -1").output

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: f"{number * 50}\n" for number in range(1, 9)}


def test_a_command_over_its_limit_is_an_error_and_blocks_nobody(machine: UmlMachine) -> None:
    with pytest.raises(MachineTimeout, match="machine shared: 'sleep 60' did not end within"):
        machine.exec("sleep 60", timeout_s=1)
    assert machine.exec("echo still here").output == "still here\n"


def test_there_is_always_a_next_disk_request(machine: UmlMachine) -> None:
    """Without one, a lost completion (see lab/image/layer/shell) would hold its caller up for ever."""

    def requests() -> int:
        return int(machine.exec("cat /sys/block/ubda/stat").output.split()[0])

    for _ in range(3):
        before = requests()
        wait_for(lambda before=before: requests() > before, "another disk request", deadline_s=SOON_S, poll_s=0.5)


def address_of_vec1(machine: UmlMachine) -> str:
    return machine.exec("cat /sys/class/net/vec1/address").output.strip()


def test_a_plugged_interface_appears_works_and_vanishes_although_in_use(world: World, machine: UmlMachine) -> None:
    listen(machine)
    machine.attach_nic(NetworkInterface(index=1, mac="02:00:00:00:00:77", bridge="two"))
    wait_for(lambda: address_of_vec1(machine) == "02:00:00:00:00:77", "vec1", deadline_s=SOON_S)
    machine.exec("ip link set vec1 up; ip address add 10.0.1.77/24 dev vec1")
    wait_for(lambda: answers("10.0.1.77"), "the plugged interface to answer", deadline_s=SOON_S)
    machine.detach_nic(1)
    assert not answers("10.0.1.77", timeout_s=0.5)
    wait_for(lambda: machine.exec("test -e /sys/class/net/vec1").exit_code == 1, "vec1 to vanish", deadline_s=SOON_S)
    machine.attach_nic(NetworkInterface(index=1, mac="02:00:00:00:00:78", bridge="two"))
    wait_for(lambda: address_of_vec1(machine) == "02:00:00:00:00:78", "vec1", deadline_s=SOON_S)
    machine.detach_nic(1)


def test_a_frozen_machine_is_on_but_silent_and_goes_on_after(machine: UmlMachine) -> None:
    machine.freeze()
    try:
        assert machine.is_running()
        assert not answers("10.0.0.20", timeout_s=0.5)
        assert not machine.answers(0.5)
        with pytest.raises(MachineTimeout):
            machine.exec("true", timeout_s=1)
    finally:
        machine.thaw()
    assert machine.exec("echo back").output == "back\n"
    assert machine.answers(SOON_S)
    machine.exec("echo '<2>said to the console' > /dev/kmsg")
    wait_for(lambda: b"said to the console" in machine.console(1 << 20), "the console's output", deadline_s=SOON_S)
    assert len(machine.console(10)) == 10


def test_a_cut_conversation_passes_nothing_until_healed_and_others_go_on(world: World, machine: UmlMachine) -> None:
    listen(machine)
    wait_for(lambda: answers("10.0.0.20"), "the machine to answer", deadline_s=SOON_S)
    world.network.cut_conversations(machine.port(0), ["10.0.0.1"])
    try:
        assert not answers("10.0.0.20")
        assert machine.answers(SOON_S), "what is cut is not the machine's own cable"
        assert machine.exec(f"timeout 2 bash -c 'echo > /dev/tcp/{SERVER}/2049'").exit_code == 0
    finally:
        world.network.heal_conversations(machine.port(0), ["10.0.0.1"])
    wait_for(lambda: answers("10.0.0.20"), "the healed port to answer", deadline_s=SOON_S)


def test_a_cut_zone_reaches_itself_and_the_metadata_service_only(world: World, machine: UmlMachine) -> None:
    reach = "timeout 2 bash -c 'echo > /dev/tcp/{}/{}'"
    with socket.create_server(("169.254.169.254", 8080)), socket.create_server(("169.254.169.252", 8080)):
        assert machine.exec(reach.format("169.254.169.252", 8080)).exit_code == 0
        world.network.cut_zone("a")
        try:
            assert machine.exec(reach.format("169.254.169.254", 8080)).exit_code == 0
            assert machine.exec(reach.format(SERVER, 2049)).exit_code == 0
            assert machine.exec(reach.format("169.254.169.252", 8080)).exit_code != 0
        finally:
            world.network.heal_zone("a")
        assert machine.exec(reach.format("169.254.169.252", 8080)).exit_code == 0


def test_a_killed_machine_loses_what_it_had_not_synced_and_only_that(world: World) -> None:
    victim = world.boot("victim", address="10.0.0.30")
    try:
        victim.exec("systemctl is-system-running --wait", SOON_S)
        assert victim.exec(f"{MOUNT} {SERVER}:/s/data /mnt").exit_code == 0
        in_background(
            victim,
            """
            import os, time
            file = os.open("/mnt/kept", os.O_CREAT | os.O_WRONLY)
            os.write(file, b"synced")
            os.fsync(file)
            os.write(file, b" unsynced")
            open("/run/written", "w").close()
            time.sleep(60)
            """,
        )
        wait_for(lambda: victim.exec("test -e /run/written").exit_code == 0, "both writes", deadline_s=SOON_S)
    finally:
        victim.kill()
    assert world.server.machine.exec("cat /export/s/data/kept").output == "synced"
    assert not victim.is_running()
    with pytest.raises(MachineEnded):
        victim.exec("true")


def test_without_the_kill_the_write_arrives(world: World, machine: UmlMachine) -> None:
    """The counterpart of the test above: it is the crash that loses the write, not the lab."""
    machine.exec(f"mountpoint -q /mnt || {MOUNT} {SERVER}:/s/data /mnt")
    machine.exec("printf 'closed and synced' > /mnt/arrived; sync /mnt/arrived")
    assert world.server.machine.exec("cat /export/s/data/arrived").output == "closed and synced"


def test_the_file_server_speaks_nfs_4_1_only_and_keeps_its_data_over_a_restart(
    world: World, machine: UmlMachine
) -> None:
    machine.exec(f"mountpoint -q /mnt || {MOUNT} {SERVER}:/s/data /mnt")
    machine.exec("echo before > /mnt/before; sync /mnt/before")
    assert machine.exec(f"mkdir -p /m2; mount -t nfs4 -o vers=4.2 {SERVER}:/ /m2").exit_code != 0
    assert world.server.restart() < SOON_S
    assert (
        machine.exec("cat /mnt/before; echo after > /mnt/after; sync /mnt/after; echo done", 60).output
        == "before\ndone\n"
    )


def test_the_power_button_ends_the_machine_in_order(world: World) -> None:
    machine = world.boot("polite", address="10.0.0.31")
    try:
        machine.wait_until_reachable(SOON_S)
        machine.exec("systemctl is-system-running --wait", SOON_S)
        machine.press_power_button()
        wait_for(lambda: not machine.is_running(), "the power off", deadline_s=SOON_S)
        assert "System halted" in machine.console_tail()
    finally:
        machine.kill()


def test_a_reboot_keeps_the_plugged_interface_and_the_disk_whoever_else_takes_the_image(world: World) -> None:
    machine = world.boot("again", address="10.0.0.32")
    try:
        machine.wait_until_reachable(SOON_S)
        machine.attach_nic(NetworkInterface(index=1, mac="02:00:00:00:00:7a", bridge="two"))
        before = machine.exec("cat /proc/sys/kernel/random/boot_id").output
        world.images.client()  # as a second run does; the overlay must still fit its image
        machine.exec("setsid sh -c 'sleep 0.2; reboot -ff' &")

        def rebooted() -> bool:
            try:
                return machine.exec("cat /proc/sys/kernel/random/boot_id", 3).output != before
            except MachineTimeout:
                return False

        wait_for(rebooted, "the reboot", deadline_s=SOON_S)
        wait_for(lambda: machine.exec("test -e /sys/class/net/vec1").exit_code == 0, "vec1 after it", deadline_s=SOON_S)
    finally:
        machine.kill()


def test_nothing_is_left_after_kill(world: World) -> None:
    devices = set(world.network.devices())
    machine = world.boot("brief", address="10.0.0.33")
    machine.wait_until_reachable(SOON_S)
    assert processes_naming("umid=brief")
    machine.kill()
    machine.kill()
    assert not processes_naming("umid=brief")
    assert set(world.network.devices()) == devices


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_lab_that_ends_in_any_way_leaves_no_process(world: World, tmp_path: Path, number: signal.Signals) -> None:
    """A lab of its own (namespace within the namespace) is started, ended from outside, and looked for."""
    name = f"orphan{int(number)}"
    script = f"""
        import sys, tempfile, time
        from pathlib import Path
        from lab.hardware.machine import MachineSpec
        from lab.hardware.probe import probe_kernel
        from lab.hardware.uml import UmlMachines
        from lab.hardware.network import Network
        machines = UmlMachines(probe_kernel(Path({str(CACHE)!r})), Path(sys.argv[1]), Network())
        machine = machines.power_on(MachineSpec(name={name!r}, image=Path(sys.argv[2]), memory_mib=96))
        machine.wait_until_reachable({SOON_S})
        print("up", flush=True)
        time.sleep(120)
    """
    directory, image = tempfile.mkdtemp(prefix="s-", dir="/tmp"), str(world.images.client())
    environment = {key: value for key, value in os.environ.items() if key != namespace.MARK}
    outer = subprocess.Popen(
        [
            "env",
            "--default-signal=INT",  # a job in the background ignores it, and so would all that it starts
            sys.executable,
            "-m",
            "lab.hardware.namespace",
            "--",
            sys.executable,
            "-c",
            textwrap.dedent(script),
            directory,
            image,
        ],
        env=environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert outer.stdout is not None
        assert outer.stdout.readline() == "up\n"
        assert processes_naming(f"umid={name}")
        if number == signal.SIGINT:  # as a terminal sends it: to the whole group
            os.killpg(outer.pid, number)
        else:
            outer.send_signal(number)
        wait_for(lambda: not processes_naming(f"umid={name}"), "the end of all machines", deadline_s=SOON_S)
    finally:
        outer.kill()
        outer.wait(10)
        shutil.rmtree(directory)


def processes_naming(text: str) -> list[int]:
    """Living processes whose command line has `text` as a word."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text in (entry / "cmdline").read_bytes().decode(errors="replace").split("\0"):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):  # ended while being looked at
            continue
    return found
