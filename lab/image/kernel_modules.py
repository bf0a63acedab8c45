"""Copies the kernel modules that the lab uses, of every installed User Mode Linux kernel.

For: `lab.image.store`. Guarantees: a module comes with its dependencies; any kernel that the probe may choose finds its
modules. Does not: run depmod, which runs inside the image.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.hardware.probe import MODULES, installed_kernels
from lab.image.recipe import module_closure

COPIED_LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")


def kernel_versions() -> tuple[str, ...]:
    """The releases of the installed kernels, newest first. Raises LabPreconditionError when there is none."""
    return tuple(dict.fromkeys(kernel.version for kernel in installed_kernels()))


def copy_modules(wanted: tuple[str, ...], target: Path, versions: Iterable[str], modules: Path = MODULES) -> None:
    """Copy the wanted modules of each of `versions`, and all they need, below `target`/RELEASE."""
    for version in versions:
        source, destination = modules / version, target / version
        for path in module_closure(wanted, (source / "modules.dep").read_text()):
            (destination / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, destination / path)
        for name in COPIED_LISTS:
            shutil.copyfile(source / name, destination / name)
