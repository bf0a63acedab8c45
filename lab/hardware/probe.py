"""Finds the User Mode Linux kernels of this computer, which of them boots here, and whether it needs xstate_shim.c.

For: everything that boots machines; images carry the modules of all kernels. The probe boots each kernel on the host's
own files (hostfs, read-only) with /bin/true as its first process. When that process ends, the kernel panics and prints
its exit code. Guarantees: newest first; a kernel without modules is left out, because it could not mount anything; the
answer is cached with everything that it depends on; each attempt has a limit. Does not: need an image or a network.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootstrap.base.files import replace_file
from lab.base.errors import LabPreconditionError
from lab.hardware.host import choose_directory, kill_session

SHIM_SOURCE = Path(__file__).with_name("xstate_shim.c")
PROBE_LIMIT_S = 15.0
PROBE_MEMORY_MIB = 64
RAN = "Attempted to kill init! exitcode=0x00000000"
KERNEL_NAME = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
VERSION_LIMIT_S = 10.0


class _DoesNotBoot(Exception):
    """One kernel, and why; another may."""


@dataclass(frozen=True)
class Kernel:
    """A User Mode Linux that boots here, and what must be in its environment for that."""

    path: Path
    preload: Path | None

    def environment(self, memory_directory: Path) -> dict[str, str]:
        base = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TMPDIR": str(memory_directory)}
        return base | ({"LD_PRELOAD": str(self.preload)} if self.preload else {})


@dataclass(frozen=True)
class Installed:
    """A kernel and its release, as `uname -r` shows it inside."""

    path: Path
    version: str


def ask_version(kernel: Path) -> str:
    """What `kernel` says of itself; empty when it cannot even say that."""
    try:
        answer = subprocess.run([str(kernel), "--version"], capture_output=True, text=True, timeout=VERSION_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if answer.returncode else answer.stdout.strip()


def installed_kernels(
    search_path: str | None = None, modules: Path = MODULES, ask: Callable[[Path], str] = ask_version
) -> tuple[Installed, ...]:
    """All kernels on `search_path` (default: PATH), newest first. Raises LabPreconditionError with the remedy."""
    directories = (os.environ.get("PATH", os.defpath) if search_path is None else search_path).split(os.pathsep)
    places = [Path(directory) / KERNEL_NAME for directory in directories if directory]
    files = dict.fromkeys(place.resolve() for place in places if place.is_file() and os.access(place, os.X_OK))
    if not files:
        raise LabPreconditionError("User Mode Linux is missing: apt-get install user-mode-linux")
    found = [Installed(file, ask(file)) for file in files]
    usable = [kernel for kernel in found if kernel.version and (modules / kernel.version).is_dir()]
    if not usable:
        said = "; ".join(f"{kernel.path} is version {kernel.version or 'unknown'}" for kernel in found)
        raise LabPreconditionError(f"{said} but {modules} has no modules for it: reinstall user-mode-linux")
    return tuple(sorted(usable, key=_age, reverse=True))


def _age(kernel: Installed) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", kernel.version))


def probe_kernel(cache_directory: Path) -> Kernel:
    """The newest kernel that boots here, with the shim where it needs that. Raises LabPreconditionError."""
    cache_directory = cache_directory.resolve()  # machines run in directories of their own
    cache_directory.mkdir(parents=True, exist_ok=True)
    reasons = []
    for installed in installed_kernels():
        try:
            return _probe(installed.path, cache_directory)
        except _DoesNotBoot as reason:
            reasons.append(str(reason))
    raise LabPreconditionError(
        f"{'; '.join(reasons)}: install a newer user-mode-linux (7.x), or allow ptrace in this container"
    )


def _probe(kernel: Path, cache_directory: Path) -> Kernel:
    key = probe_key(kernel, kernel.stat(), platform.release(), _processor_flags(), SHIM_SOURCE.read_bytes())
    shim = cache_directory / f"xstate-shim-{key}.so"
    answer = cache_directory / f"probe-{key}.json"
    if answer.exists():
        needs_shim = json.loads(answer.read_text())["needs_shim"]
        if not needs_shim or shim.exists():
            return Kernel(kernel, shim if needs_shim else None)
    chosen = _try(kernel, shim)
    replace_file(answer, json.dumps({"needs_shim": chosen.preload is not None}))
    return chosen


def probe_key(kernel: Path, stat: os.stat_result, release: str, flags: str, shim_source: bytes) -> str:
    """What the answer depends on: kernel build, host kernel, processor, shim."""
    build = (str(kernel), str(stat.st_size), str(stat.st_mtime_ns))
    parts = (*build, release, flags, hashlib.sha256(shim_source).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _try(kernel: Path, shim: Path) -> Kernel:
    plain = Kernel(kernel, None)
    without = attempt(plain)
    if RAN in without:
        return plain
    compile_shim(shim)
    padded = Kernel(kernel, shim)
    with_shim = attempt(padded)
    if RAN in with_shim:
        return padded
    raise _DoesNotBoot(
        f"{kernel} does not boot here, neither plain ({_last_line(without)}) nor with the register shim "
        f"({_last_line(with_shim)})"
    )


def compile_shim(target: Path) -> None:
    """Compile the shim into `target`. Raises LabPreconditionError without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise LabPreconditionError(
            "this processor needs a small shim and there is no C compiler: apt-get install gcc libc6-dev"
        )
    partial = target.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(partial), str(SHIM_SOURCE)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise LabPreconditionError(
            f"cannot compile {SHIM_SOURCE.name}: {done.stderr.strip()}: apt-get install gcc libc6-dev"
        )
    partial.replace(target)


def attempt(kernel: Kernel) -> str:
    """What the kernel printed when booted with /bin/true as its first process."""
    memory = choose_directory([Path("/dev/shm"), Path(tempfile.gettempdir())], PROBE_MEMORY_MIB)
    with tempfile.TemporaryDirectory(prefix="uml-") as directory:
        arguments = [str(kernel.path), f"mem={PROBE_MEMORY_MIB}M", f"uml_dir={directory}/", "umid=probe", "panic=1"]
        arguments += ["rootfstype=hostfs", "rootflags=/", "ro", "init=/bin/true", "con=null", "con0=null,fd:1"]
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=kernel.environment(memory),
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=PROBE_LIMIT_S)
        except subprocess.TimeoutExpired:
            kill_session(process.pid)
            output, _ = process.communicate()
        finally:
            kill_session(process.pid)
    return output.decode(errors="replace")


def _last_line(text: str) -> str:
    telling = [line.strip() for line in text.splitlines() if "panic" in line.lower() or "failed" in line.lower()]
    lines = telling or [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def _processor_flags() -> str:
    with open("/proc/cpuinfo") as file:
        return next((line for line in file if line.startswith(("flags", "Features"))), "")
