"""The kernel modules of the installed User Mode Linux, pruned to those the lab uses.

Guarantees: a module comes with everything it depends on. Does not: run depmod; that is done inside the image.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lab.errors import LabPreconditionError
from lab.image.recipe import module_closure
from lab.machines.probe import find_kernel

MODULES = Path("/usr/lib/uml/modules")
COPIED_LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")
VERSION_LIMIT_S = 10.0


@cache
def kernel_version() -> str:
    """The release of the installed User Mode Linux, as `uname -r` shows it inside."""
    kernel = find_kernel()
    answer = subprocess.run([str(kernel), "--version"], capture_output=True, text=True, timeout=VERSION_LIMIT_S)
    version = answer.stdout.strip()
    if answer.returncode or not (MODULES / version).is_dir():
        raise LabPreconditionError(
            f"{kernel} is version {version or 'unknown'} but {MODULES} has no modules for it: reinstall user-mode-linux"
        )
    return version


def copy_modules(wanted: Iterable[str], target: Path) -> None:
    """Copy the wanted modules and all they need below `target`/RELEASE."""
    source = MODULES / kernel_version()
    destination = target / kernel_version()
    for path in module_closure(wanted, (source / "modules.dep").read_text()):
        (destination / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, destination / path)
    for name in COPIED_LISTS:
        shutil.copyfile(source / name, destination / name)
