"""Which AWS Regions there are.

For: services.rules. Guarantees: no call; the list is that of the pinned botocore, which `boto3` itself uses.
Does not: know Regions that are newer than that release, or whether an account has enabled one.
"""

from __future__ import annotations

from functools import cache

from botocore.loaders import create_loader


@cache
def regions() -> tuple[str, ...]:
    """All Regions of all partitions, in alphabetical order."""
    partitions = create_loader().load_data("partitions")["partitions"]
    named = {region for partition in partitions for region in partition["regions"]}
    return tuple(sorted(region for region in named if not region.endswith("-global")))
