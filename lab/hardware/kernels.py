"""The User Mode Linux kernels of this computer, newest first: Debian's, and any other that is installed beside it.

For: the probe chooses among them; images carry the modules of all. Guarantees: a kernel without modules is left out,
because it could not mount anything. Does not: find out whether a kernel boots here, as `lab.hardware.probe` does.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import LabPreconditionError

KERNEL_NAME = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
VERSION_LIMIT_S = 10.0


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
