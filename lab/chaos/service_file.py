"""The service that chaos plays: the lab's own, with a lease short enough for runs of a minute.

For: `lab.chaos.runs`. Guarantees: it is made from services/influxdb.yaml, and only timings and the watchdog differ; the
same loader and the same timing rule check it as every service file. Does not: weaken that rule.
"""

from pathlib import Path
from typing import Any

import yaml

from lab.base.checkout import SERVICE_FILES
from lab.chaos.schedule import LeaseTimings
from lab.image.images import SERVICE

# A guest of the lab that boots beside others stands still for three seconds now and then; nothing here is shorter.
TIMINGS = LeaseTimings(renew_deadline_s=12.0, lease_duration_s=27.0)
OVERRIDES: dict[str, Any] = {
    "lease": {
        "retry_period_s": 1.5,
        "request_timeout_s": 3.0,
        "renew_deadline_s": TIMINGS.renew_deadline_s,
        "stop_timeout_s": 2.0,
        "kill_timeout_s": 2.0,
        "watchdog_timeout_s": 8.0,
        "clock_margin_s": 2.0,
        "lease_duration_s": TIMINGS.lease_duration_s,
        "settle_s": 0.5,
        "gone_confirm_s": 3.0,
        "silence_s": 6.0,
        "terminate_deadline_s": 3.0,
        "force_deadline_s": 12.0,
        "drain_deadline_s": 15.0,
        "surplus_deadline_s": 8.0,
        "takeover_deadline_s": 60.0,
    },
    "deadlines": {"boot_s": 240.0, "network_interface_s": 40.0, "mount_s": 20.0, "release_s": 5.0},
    "lifecycle_hooks": {"boot_heartbeat_s": 60, "drain_heartbeat_s": 45},
    # Chaos tries what the instances do by themselves; lab.noticed tries the watchdog.
    "watchdog": {"enabled": False},
}


def write_service_file(directory: Path) -> Path:
    """Write the changed service file below `directory`; returns the directory to give to the CDK."""
    tree = yaml.safe_load((SERVICE_FILES / f"{SERVICE}.yaml").read_text())
    tree["service"] |= {"start_timeout_s": 20.0, "stop_timeout_s": 10.0}
    tree["service"]["health"]["start_allowance_s"] = 30.0
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{SERVICE}.yaml").write_text(yaml.safe_dump(tree | OVERRIDES, sort_keys=False))
    return directory
