"""What is watched of storage on EFS: its alarms, and its row of the dashboard.

For: stacks.watch_stack, by stacks.storage.kinds. Guarantees: pure; it knows the file system by the id that the
service's stack keeps in a parameter. Does not: judge how full it is. EFS has no end, and a quota of the service's own
is its own matter; the agent says when a write finds no space.
Sources: EFS user guide, "CloudWatch metrics for Amazon EFS" (PercentIOLimit: how close it is to the limit of general
purpose) and "Amazon EFS performance" (with bursting throughput, 100 MiB/s as long as there are credits).
"""

from __future__ import annotations

from services.spec import ServiceFile
from services.storage import FileSystem
from stacks.alarms import MINUTE_S, Alarm, Dimensions, OfAws
from stacks.dashboard import Widget, graph, metric
from stacks.storage.contract import Watched

NAMESPACE = "AWS/EFS"
BURST_BYTES_PER_S = 100 * 2**20
LEAST_BURST_S = 3600  # of the full rate: time to act before the service becomes slow


def watch_efs(*, section: FileSystem, service: ServiceFile, file_system_id: str) -> Watched:
    """Alarms and widgets of this file system."""
    own: Dimensions = (("FileSystemId", file_system_id),)
    alarms = [
        Alarm(
            name="file-system-busy",
            says=f"The file system of {service.name} is close to its limit of operations: reads, writes and renewals "
            "of the lease become slow. Find out what the service does more than before",
            namespace=NAMESPACE,
            metric="PercentIOLimit",
            dimensions=own,
            statistic="Average",
            comparison="GreaterThanThreshold",
            threshold=90,
            period_s=5 * MINUTE_S,
            periods=3,
        )
    ]
    # The throughput of an existing file system is not in the service file.
    if section.throughput == "bursting" and not section.existing:
        alarms.append(
            Alarm(
                name="file-system-credits",
                says=f"The file system of {service.name} has burst credits for less than an hour at 100 MiB/s, and "
                "becomes slow without. Use file_system.throughput: elastic, or write less",
                namespace=NAMESPACE,
                metric="BurstCreditBalance",
                dimensions=own,
                statistic="Minimum",
                comparison="LessThanThreshold",
                threshold=BURST_BYTES_PER_S * LEAST_BURST_S,
                period_s=5 * MINUTE_S,
            )
        )
    return Watched(alarms=tuple(alarms), widgets=_widgets(own, service))


def _widgets(own: Dimensions, service: ServiceFile) -> tuple[Widget, ...]:
    def of(name: OfAws, **more: object) -> list[object]:
        return metric(name, own, namespace=NAMESPACE, **more)

    stored = metric("StorageBytes", (*own, ("StorageClass", "Total")), namespace=NAMESPACE)
    return (
        graph(service, "File system: % of the limit of operations", [of("PercentIOLimit")], stat="Maximum"),
        graph(service, "File system: bytes per minute", [of("MeteredIOBytes")], stat="Sum", period_s=MINUTE_S),
        graph(service, "File system: bytes stored", [stored], stat="Average"),
    )
