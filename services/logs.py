"""Where the agent's log goes besides the journal of the instance.

For: services.spec and stacks.service_stack. Guarantees: only retentions that CloudWatch Logs knows.
Does not: concern the service's own log.
Source: CloudWatch Logs API reference, PutRetentionPolicy, retentionInDays.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.part import Part

Retention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


class Logs(Part):
    """A copy of the agent's log in CloudWatch Logs, group `/soloist/NAME`, one stream for each instance."""

    cloudwatch: Annotated[
        bool, Field(description="Copy it there as JSON, also that of a boot that fails. AWS bills each gigabyte")
    ] = False
    retention_days: Annotated[Retention, Field(description="How many days CloudWatch Logs keeps it", examples=[30])] = (
        30
    )
