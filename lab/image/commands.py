"""Runs the programs of a build, and lets one build work at a time.

For: `lab.image.store`. Guarantees: at the limit the program and all its children are ended; their output goes to a log
file that is kept; an error names the log and ends with its last lines; the kernel frees the lock however its owner
ends, and a wait for it is announced and has a limit. Does not: retry, or lock across computers.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.base.errors import LabError, LabPreconditionError, LabTimeout

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "fakechroot": "fakechroot",
    "fakeroot": "fakeroot",
    "mke2fs": "e2fsprogs",
    "depmod": "kmod",
    "gcc": "gcc",
    "tar": "tar",
    "linux.uml": "user-mode-linux",
}
SHOWN_LINES = 12
LOCK_POLL_S = 0.2


class BuildFailed(LabError):
    """A program of the build failed; the message names its log file and ends with the log's last lines."""


def check_tools(tools: Mapping[str, str] = TOOLS, path: str = SYSTEM_PATH) -> None:
    """Raise LabPreconditionError with one apt-get line naming all packages whose programs are missing."""
    missing = sorted({package for tool, package in tools.items() if shutil.which(tool, path=path) is None})
    if missing:
        raise LabPreconditionError(f"programs for building images are missing: apt-get install {' '.join(missing)}")


def check_space(directory: Path, needed_mib: int) -> None:
    """Raise LabPreconditionError unless `directory`'s disk has `needed_mib` free."""
    free_mib = shutil.disk_usage(directory).free // (1024 * 1024)
    if free_mib < needed_mib:
        raise LabPreconditionError(
            f"{directory} has {free_mib} MiB free, but building images needs {needed_mib} MiB: free some space"
        )


def run(
    what: str,
    argv: Sequence[str],
    *,
    log: Path,
    limit_s: float,
    environment: Mapping[str, str] | None = None,
    text: str = "",
) -> None:
    """Run `argv`, feeding it `text`. Raises BuildFailed or LabTimeout, naming `what` and `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"--- {what}: {' '.join(argv)}\n".encode())
        output.flush()
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else build_environment(),
            start_new_session=True,
        )
        try:
            process.communicate(text.encode(), timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise LabTimeout(f"{what}: not done within {limit_s:.0f} s; log: {log}\n{last_lines(log)}") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        raise BuildFailed(f"{what} failed with exit code {process.returncode}; log: {log}\n{last_lines(log)}")


def build_environment() -> dict[str, str]:
    """A small environment, the same for everybody; proxies are kept."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return kept | {
        "PATH": SYSTEM_PATH,
        "LC_ALL": "C.UTF-8",
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
        "FAKEROOTDONTTRYCHOWN": "1",  # in a user namespace only one owner exists, and trying others fails
    }


def last_lines(log: Path) -> str:
    """The last lines of a log file, indented."""
    lines = log.read_bytes()[-65536:].decode(errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])


@contextmanager
def exclusive(path: Path, limit_s: float, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file `path`. Calls `progress` once if it has to wait; raises LabTimeout after `limit_s`."""
    deadline = time.monotonic() + limit_s
    told = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabTimeout(f"{path}: another build has held this lock for {limit_s:.0f} s") from None
                if not told:
                    progress("Waiting for another build of images")
                    told = True
                time.sleep(LOCK_POLL_S)
        yield
