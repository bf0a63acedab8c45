"""Where things are on the instance; one place, so that tests can put all of them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Directories and files the agent uses."""

    data_root: Path = Path("/srv/soloist/data")
    lease_root: Path = Path("/srv/soloist/lease")
    run: Path = Path("/run/soloist")
    factory: Path = Path("/opt/soloist/defaults")  # what packages shipped in data directories, by ami/install.sh
    image: Path = Path("/etc/soloist/image.json")
    mountinfo: Path = Path("/proc/self/mountinfo")
    network_devices: Path = Path("/sys/class/net")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
