"""Looks up the zones that a service may use, and writes them into its service file.

For: `soloist zones FILE`, before the first deployment. Guarantees: only zones that this account may use and that offer
every instance type; the file is replaced as a whole, and only the line `zones:` is new. Does not: change zones that the
file names already: addresses and data depend on them.
Sources: EC2 API reference, DescribeAvailabilityZones (a letter names another zone in each account; `zone-type` leaves
out Local Zones, `opt-in-status` what the account has not asked for) and DescribeInstanceTypeOfferings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootstrap.base.files import replace_file
from rollout.aws import doing
from rollout.errors import PreconditionError

MOST_ZONES = 3  # more cost an interface and a mount target each, and heal no better
REGION_LINE = re.compile(r"^region:[^\r\n]*(\r?\n)?", re.MULTILINE)
ZONES_LINE = re.compile(r"^[\"']?zones[\"']?\s*:", re.MULTILINE)


def look_up_zones(ec2: Any, region: str, types: Sequence[str]) -> list[str]:
    """The first zones by name that may be used, at most `MOST_ZONES`. Raises RolloutError, PreconditionError."""
    with doing(f"cannot look up the zones of {region}"):
        found = ec2.describe_availability_zones(
            Filters=[
                {"Name": "zone-type", "Values": ["availability-zone"]},
                {"Name": "state", "Values": ["available"]},
                {"Name": "opt-in-status", "Values": ["opt-in-not-required", "opted-in"]},
            ]
        )["AvailabilityZones"]
    named = " and ".join(types)
    with doing(f"cannot look up where {named} is offered"):
        offers = ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(types)}]
        )
        offered = Counter(offer["Location"] for page in offers for offer in page["InstanceTypeOfferings"])
    offering = {zone for zone, number in offered.items() if number == len(types)}
    zones = sorted({zone["ZoneName"] for zone in found} & offering)[:MOST_ZONES]
    if len(zones) < 2:
        seen = f"{zones[0]} only" if zones else "no zone"
        raise PreconditionError(
            f"{region} offers {named} to this account in {seen}: a lost zone could not be left. "
            "Choose other instance types or another region"
        )
    return zones


def with_zones(text: str, zones: list[str]) -> str:
    """The service file `text` with the line `zones:` before its region; everything else, line ends too, stays. Pure."""
    line = f"zones: [{', '.join(zones)}]"
    return REGION_LINE.sub(lambda region: f"{line}{region[1] or chr(10)}{region[0]}", text, count=1)


def write_zones(path: Path, zones: list[str]) -> None:
    """Write `zones` into the service file at `path`. Raises PreconditionError where it cannot be written."""
    before = path.read_bytes().decode()
    if ZONES_LINE.search(before):
        raise PreconditionError(
            f"{path} has a line `zones:` that cannot be used. Write zones: [{', '.join(zones)}] there"
        )
    text = with_zones(before, zones)
    if text == before:
        raise PreconditionError(f"{path} has no line `region:`. Write zones: [{', '.join(zones)}] by hand")
    try:
        replace_file(path, text)
    except OSError as error:
        raise PreconditionError(f"{path} cannot be written: {error.strerror}. Make it writable") from None
