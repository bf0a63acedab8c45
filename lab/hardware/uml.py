"""Machines as User Mode Linux processes: kernel, systemd and NFS client of their own, no root and no hypervisor needed.

For: the lab, inside `lab.hardware.namespace`. Guarantees: `power_on` returns at once; a killed machine leaves no
process, port or disk behind. Does not: decide addresses, or keep a disk; every machine starts from its image.
"""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from lab.base.errors import LabError
from lab.hardware import arp
from lab.hardware.command_line import command_line
from lab.hardware.console import ConsoleShell, telling
from lab.hardware.host import choose_directory, kill_session
from lab.hardware.machine import (
    ExecResult,
    MachineEnded,
    MachineSpec,
    MachineTimeout,
    NetworkInterface,
)
from lab.hardware.mconsole import ManagementConsole
from lab.hardware.network import Network, Port
from lab.hardware.probe import Kernel
from lab.hardware.slots import Slots

LONGEST_RUN_DIRECTORY = 40  # machine and socket names follow, and a socket's path has 108 bytes at most
POWER_BUTTON_ANSWER_S = 20.0  # the kernel answers at once, on a computer that has time for it
ANSWER_ALLOWANCE_S = 5.0  # on top of a command's own limit
TIMED_OUT_CODES = (124, 137)  # timeout(1): ended by TERM, by KILL
END_LIMIT_S = 5.0
POWER_BUTTON_LIMIT_S = 60.0
CONSOLE_BUFFER = 1 << 20
FIRST_SLOT = 0
CONSOLE_TAIL = 1 << 14


class UmlMachines:
    """Where machines are made: one per run of the lab."""

    def __init__(self, kernel: Kernel, run_directory: Path, network: Network, *, memory_mib: int = 1024) -> None:
        """`run_directory` holds disks, logs and sockets; `memory_mib` is what all machines together will need."""
        if len(str(run_directory)) > LONGEST_RUN_DIRECTORY:
            raise LabError(f"{run_directory}: too long for the path of a socket; use a directory directly below /tmp")
        self._kernel = kernel
        self._directory = run_directory
        self._network = network
        self._memory = choose_directory([Path("/dev/shm"), run_directory], memory_mib)

    def power_on(self, spec: MachineSpec) -> UmlMachine:
        """Start a machine; returns at once. Raises LabError when its process cannot be started."""
        directory = self._directory / spec.name
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir(parents=True)
        ports: dict[int, Port] = {}
        try:
            for interface in spec.interfaces:
                ports[interface.index] = self._network.add_port(interface.bridge)
            return UmlMachine(spec, self._kernel, self._memory, directory, self._network, ports)
        except OSError as error:
            raise LabError(f"machine {spec.name}: cannot start {self._kernel.path}: {error}") from error
        except LabError:
            for port in ports.values():
                self._network.remove_port(port)
            raise


class UmlMachine:
    """One machine. Safe to call from many threads; every call has a limit, and what was not synced a kill loses."""

    def __init__(
        self,
        spec: MachineSpec,
        kernel: Kernel,
        memory: Path,
        directory: Path,
        network: Network,
        ports: dict[int, Port],
    ) -> None:
        self.name = spec.name
        first = next((one for one in spec.interfaces if one.index == FIRST_SLOT), None)
        self._mac, self._address = first.mac if first else "", spec.address.partition("/")[0]
        self._slots = Slots(self, network, ports)
        self._lock = threading.RLock()
        self._overlay = directory / "disk.cow"
        self.console_path = directory / "console.log"
        # `reboot` makes User Mode Linux start itself again with the same socket directory.
        socket_path = directory / "u" / spec.name / "mconsole"
        self._hardware = ManagementConsole(spec.name, socket_path, directory, lambda: self.console_tail(5))
        self.started = time.monotonic()
        arguments = command_line(
            spec,
            kernel=kernel.path,
            overlay=self._overlay,
            uml_directory=directory / "u",
            devices={index: port.device for index, port in ports.items()},
        )
        # Not a terminal: for one, User Mode Linux starts a process in a session of its own that outlives it.
        ours, theirs = socket.socketpair()
        try:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CONSOLE_BUFFER)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CONSOLE_BUFFER)
            with self.console_path.open("wb") as log:
                self._process = subprocess.Popen(
                    arguments,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=log,
                    env=kernel.environment(memory),
                    cwd=directory,
                    start_new_session=True,
                )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._hellos = 0
        self._killed = False
        self._shell = ConsoleShell(ours.detach(), on_hello=self._shell_is_up)

    @property
    def pid(self) -> int:
        """The process (and session) id of the machine."""
        return self._process.pid

    def is_running(self) -> bool:
        """True from power on until the machine has ended, by itself or not; a frozen machine is running."""
        return self._process.poll() is None

    def wait_until_reachable(self, timeout_s: float = 60.0) -> float:
        deadline = time.monotonic() + timeout_s
        while not self._shell.ready.wait(0.05):
            if not self.is_running():
                raise self._ended("while booting")
            if time.monotonic() > deadline:
                raise MachineTimeout(
                    f"machine {self.name}: no root shell within {timeout_s:.0f} s; console says: {self.console_tail(5)}"
                )
        return time.monotonic() - self.started

    def exec(self, command: str, timeout_s: float = 30.0) -> ExecResult:
        """Run a shell command as root; many may run at once. Waits for the shell first, within the same limit.
        Raises MachineTimeout, MachineEnded."""
        started = time.monotonic()
        self.wait_until_reachable(timeout_s)
        limit_s = max(1, math.ceil(timeout_s - (time.monotonic() - started)))
        answer = self._shell.run(command, limit_s=limit_s, wait_s=limit_s + ANSWER_ALLOWANCE_S)
        took_s = time.monotonic() - started
        if answer is None and not self.is_running():
            raise self._ended(f"during '{_short(command)}'")
        if answer is None or (answer[0] in TIMED_OUT_CODES and took_s >= limit_s):
            said = answer[1].decode(errors="replace").strip()[-300:] if answer else ""
            raise MachineTimeout(
                f"machine {self.name}: '{_short(command)}' did not end within {took_s:.0f} s; "
                f"{f'it wrote: {said}' if said else 'it wrote nothing'}; console says: {self.console_tail(5)}"
            )
        return ExecResult(answer[0], answer[1].decode(errors="replace"))

    def attach_nic(self, interface: NetworkInterface) -> None:
        """Hot-plug `interface`; it appears in the guest as vecINDEX. Where the guest still lets go of another one, it
        appears after that. Raises HardwareRefused, MachineEnded, LabError."""
        self._slots.attach(interface)

    def detach_nic(self, index: int) -> None:
        """Pull the cable of interface `index` at once; the device goes as soon as the guest lets go of it."""
        self._slots.detach(index)

    def port(self, index: int) -> Port:
        """The port interface `index` is plugged into, for cutting it. Raises HardwareRefused when there is none."""
        return self._slots.port(index)

    def request(self, command: str, timeout_s: float = 5.0) -> str:
        """Ask its hardware. Raises HardwareRefused, MachineTimeout, MachineEnded."""
        return self._hardware.request(command, timeout_s)

    def ask_guest(self, command: str, limit_s: int) -> int | None:
        """The exit code of a shell command; None when the guest does not answer in time."""
        answer = self._shell.run(command, limit_s=limit_s, wait_s=limit_s + 1.0)
        return None if answer is None else answer[0]

    def freeze(self) -> None:
        """Stop its clock and processors; its memory stays, until `thaw`."""
        self._hardware.request("stop")

    def thaw(self) -> None:
        self._hardware.request("go")

    def press_power_button(self) -> None:
        """Ask the operating system to shut down (ctrl-alt-del, which the image makes a power off).

        While it boots, the request waits for the system: before systemd runs, the kernel would reboot instead.
        """
        if self._shell.ready.is_set():
            self._hardware.request("cad", POWER_BUTTON_ANSWER_S)
        else:
            threading.Thread(target=self._power_button_later, name="power-button", daemon=True).start()

    def kill(self) -> None:
        """Cut the power: SIGKILL to every process of the machine; its ports and its disk are gone afterwards."""
        with self._lock:
            if self._killed:
                return
            self._killed = True
        kill_session(self._process.pid)
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise MachineTimeout(f"machine {self.name}: process {self.pid} does not end") from None
        self._shell.close()
        self._slots.clear()
        self._overlay.unlink(missing_ok=True)

    def answers(self, limit_s: float) -> bool:
        """True when its kernel answers the network at its first interface within `limit_s`, whatever is cut."""
        try:
            return arp.answers(self.port(FIRST_SLOT).cable, self._mac, self._address, limit_s)
        except (LabError, OSError):  # it has ended meanwhile
            return False

    def console(self, limit_bytes: int) -> bytes:
        """The end of what it has written to its first console, also after its end."""
        with self.console_path.open("rb") as file:
            file.seek(max(0, self.console_path.stat().st_size - limit_bytes))
            return file.read(limit_bytes)

    def console_tail(self, lines: int = 20) -> str:
        """The last lines of the kernel's messages, joined by ' | '; after a panic, those around it."""
        return telling(self.console_path.read_bytes()[-CONSOLE_TAIL:].decode(errors="replace"), lines)

    def _power_button_later(self) -> None:
        if self._shell.ready.wait(POWER_BUTTON_LIMIT_S) and self.is_running():
            try:
                self._hardware.request("cad", POWER_BUTTON_ANSWER_S)
            except LabError:  # it ended meanwhile, which is what was asked for
                return

    def _shell_is_up(self) -> None:
        self._hellos += 1
        if self._hellos > 1:
            threading.Thread(target=self._slots.plug_again, name="replug", daemon=True).start()

    def _ended(self, when: str) -> MachineEnded:
        code = self._process.poll()
        return MachineEnded(
            f"machine {self.name}: ended {when} (exit code {code}); console says: {self.console_tail(5)}"
        )


def _short(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= 80 else line[:77] + "..."
