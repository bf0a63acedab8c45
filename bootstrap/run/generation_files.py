"""The two files below /run that tell this machine the generation of the lease.

For: the boot, which writes them once the lease is held, and the upkeep, which looks whether they are there. The units
read one of them as their environment (ami/install.sh): without it systemd cannot start them. Guarantees: whole or
absent. Does not: take part in any decision about the lease.
"""

from __future__ import annotations

from pathlib import Path

from bootstrap.base.files import text_of
from bootstrap.base.names import GENERATION_VARIABLE
from bootstrap.base.paths import Paths
from bootstrap.run.report import write_file


def write_generation(paths: Paths, generation: int) -> None:
    """Write both. A failure is in the log."""
    for path, text in _files(paths, generation).items():
        write_file(path, text)


def generation_drift(paths: Paths, generation: int) -> str:
    """Which of them does not say `generation`, in words; "" when both do."""
    return "; ".join(
        f"{path} was changed"
        for path, text in _files(paths, generation).items()
        if text_of(path).removesuffix("\n") != text
    )


def _files(paths: Paths, generation: int) -> dict[Path, str]:
    return {
        paths.generation_environment: f"{GENERATION_VARIABLE}={generation}",
        paths.generation: str(generation),
    }
