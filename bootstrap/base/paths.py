"""Where files and directories are on the instance. No other module of the product spells one of these paths.

For: agent, fence and boot document. Tests give `Paths` other places. Guarantees: pure. ami/install.sh and the units in
ami/units repeat some of these paths; tests/unit/bootstrap/base/test_names.py compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RUN = Path("/run/soloist")
SERVICE_GROUP = Path("/sys/fs/cgroup/soloist.slice")  # the control group in which all processes of the service run
BOOT_DOCUMENT = RUN / "boot-document.json"  # a copy that cloud-init leaves for people; the agent does not read it


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Directories and files the agent uses."""

    data_root: Path = Path("/srv/soloist/data")
    lease_root: Path = Path("/srv/soloist/lease")
    run: Path = RUN
    factory: Path = Path("/opt/soloist/defaults")  # what packages shipped in data directories, by ami/install.sh
    image: Path = Path("/etc/soloist/image.json")
    mountinfo: Path = Path("/proc/self/mountinfo")
    network_devices: Path = Path("/sys/class/net")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    unit_settings: Path = Path("/run/systemd/system")
    networkd_files: Path = Path("/run/systemd/network")
    networkd_state: Path = Path("/run/systemd/netif/state")  # there while systemd-networkd runs
    service_group: Path = SERVICE_GROUP

    @property
    def state(self) -> Path:
        """The state of this run of the agent, as JSON."""
        return self.run / "state.json"

    @property
    def site(self) -> Path:
        """The site at which this instance serves, for the next run of the agent."""
        return self.run / "site.json"

    @property
    def timeline(self) -> Path:
        """One JSON line when a step of the boot starts, and one when it ends."""
        return self.run / "timeline.jsonl"

    @property
    def restarts(self) -> Path:
        """When the service was restarted, for the next run of the agent."""
        return self.run / "restarts.json"

    @property
    def outbox(self) -> Path:
        """What people were told, and what is still to be told, for the next run of the agent."""
        return self.run / "outbox.json"

    @property
    def before_start(self) -> Path:
        """The script that systemd runs before every start of the service."""
        return self.run / "before-start"

    @property
    def before_start_report(self) -> Path:
        """What the hook said that failed in it."""
        return self.run / "before-start.failed"

    @property
    def generation(self) -> Path:
        """The generation of the lease, as a number."""
        return self.run / "generation"

    @property
    def generation_environment(self) -> Path:
        """The generation of the lease, as the environment file of the service's units."""
        return self.run / "generation.env"
