"""The namespaces in which a lab runs: user, network, mount and process. The lab is root in them.

For: `enter()` at the start of a program that boots machines, and `python -m lab.hardware.namespace -- COMMAND` for
tests. Guarantees: it needs no root; it does not touch the host's network; every process that the program started ends
with it, also after Ctrl-C, a crash or SIGKILL, because the kernel ends a process namespace with its first process.
Does not: hide files; the program sees the host's file system.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from lab.base.checkout import CHECKOUT
from lab.base.errors import LabPreconditionError
from lab.hardware.host import processes

MARK = "SOLOIST_LAB_NAMESPACE"
UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
TIED_TO_PARENT = ("setpriv", "--pdeathsig", "KILL")
SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
FORWARDED = (signal.SIGTERM, signal.SIGHUP)
PROBE_LIMIT_S = 10.0
SWITCHES = (  # of the host's kernel: the value that forbids namespaces, and one that allows them
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "1"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("/proc/sys/user/max_user_namespaces", "0", "10000"),
)


def inside() -> bool:
    """True when this process already is in a namespace made by `enter` or by `python -m lab.hardware.namespace`."""
    return os.environ.get(MARK) == "1"


def search_path(path: str) -> str:
    """`path` with the directories of the system's programs, which Debian leaves out of an ordinary user's: nft, ip."""
    given = path.split(os.pathsep) if path else []
    return os.pathsep.join([*given, *(each for each in SYSTEM_DIRECTORIES if each not in given)])


def check() -> None:
    """Raise LabPreconditionError with the remedy if this computer does not allow such namespaces."""
    for tool in (UNSHARE[0], TIED_TO_PARENT[0]):
        if shutil.which(tool) is None:
            raise LabPreconditionError(f"{tool} is missing: apt-get install util-linux")
    try:
        probe = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, timeout=PROBE_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise LabPreconditionError(f"making a user namespace did not end within {PROBE_LIMIT_S} s") from None
    if probe.returncode:
        raise LabPreconditionError(f"no user namespaces here ({probe.stderr.strip()}): {_remedy()}")


def enter(argv: Sequence[str]) -> None:
    """Run `argv` inside a new namespace and exit with its exit code; returns at once when already inside.

    This process stays outside as the one that is told to stop: SIGTERM and SIGHUP are passed on (unshare ignores them),
    SIGINT reaches the program from the terminal by itself, and when this process is killed the kernel ends all others.
    Raises LabPreconditionError when the kernel refuses namespaces.
    """
    if inside():
        return
    check()
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    again = (sys.executable, "-m", "lab.hardware.namespace", "--first-process", "--", *argv)
    sys.stdout.flush()
    sys.stderr.flush()
    own = {MARK: "1", "PYTHONPATH": path, "PATH": search_path(os.environ.get("PATH", ""))}
    outer = subprocess.Popen([*TIED_TO_PARENT, *UNSHARE, *again], env={**os.environ, **own})

    def forward(number: int, _frame: FrameType | None) -> None:
        for pid, stat in processes():
            if stat.parent == outer.pid:
                os.kill(pid, number)

    _on_signals(forward)
    code = outer.wait()
    sys.exit(code if code >= 0 else 128 - code)


def run_as_first_process(argv: Sequence[str]) -> int:
    """Run `argv` as process 1's child: forward signals, collect every orphan, return its exit code (128+n by signal n).

    A first process is needed because orphans of machines end up here, and because process 1 ignores every signal that
    it has no trap for.
    """
    child = subprocess.Popen(list(argv))

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    _on_signals(forward)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _on_signals(forward: Callable[[int, FrameType | None], None]) -> None:
    for number in FORWARDED:
        signal.signal(number, forward)
    # A trap, not SIG_IGN, which the program would inherit.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)


def _remedy() -> str:
    for path, forbids, allows in SWITCHES:
        if _sysctl(path) == forbids:
            name = path.removeprefix("/proc/sys/").replace("/", ".")
            return f"allow them with `sysctl {name}={allows}` as root"
    return "in a container, start it with --privileged or a seccomp profile that allows unshare"


def _sysctl(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:  # this kernel has no such switch
        return ""


def main(argv: Sequence[str]) -> int:
    """`python -m lab.hardware.namespace -- COMMAND [ARGUMENT ...]`."""
    if argv[:2] == ["--first-process", "--"]:
        return run_as_first_process(argv[2:])
    command = list(argv[1:]) if argv[:1] == ["--"] else list(argv)
    if not command:
        print("usage: python -m lab.hardware.namespace -- COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    if inside():
        os.execvp(command[0], command)
    try:
        enter(command)
    except LabPreconditionError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
