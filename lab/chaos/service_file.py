"""The service under chaos: the lab's own, with a lease short enough for a run of a minute.

Guarantees: made from services/influxdb.yaml, so that nothing else differs; checked by the same loader and the same
timing rule as every service file. Does not: weaken the rule; it only makes the numbers small.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.chaos.schedule import LeaseTimings

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICE = "influxdb"
TIMINGS = LeaseTimings(renew_deadline_s=8.0, lease_duration_s=22.0)
OVERRIDES: dict[str, Any] = {}


def write_service_file(directory: Path) -> Path:
    """Write the changed service file below `directory`; returns the directory to give to the CDK."""
    tree = yaml.safe_load((ROOT / "services" / f"{SERVICE}.yaml").read_text())
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{SERVICE}.yaml").write_text(yaml.safe_dump(tree | OVERRIDES, sort_keys=False))
    return directory
