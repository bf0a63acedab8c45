"""Networks in a service file that are part of the internet: allowed by AWS, and rarely meant.

For: `python -m services validate` and app.py, which print these as warnings. Guarantees: pure.
Does not: refuse. The checks of `cdk synth` refuse a port that is open to everybody (AwsSolutions-EC23).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from services.findings import Finding
from services.spec import ServiceFile

# RFC 1918, and RFC 6598, which AWS allows for VPCs, too (VPC user guide, "VPC CIDR blocks").
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


def warnings(service: ServiceFile) -> Iterator[Finding]:
    """Everything in `service` that is part of the internet."""
    for number, port in enumerate(service.ports):
        for place, network in enumerate(port.allow_from):
            if "/" in network and not _is_private(network):  # else a security group or a prefix list
                yield Finding(
                    path=f"ports[{number}].allow_from[{place}]",
                    value=network,
                    problem="lets in addresses of the internet",
                    remedy="Name private networks, unless you mean it",
                )
    own = [("vpc.cidr", service.vpc_cidr)]
    if service.existing_vpc is not None:
        zones = service.existing_vpc.zones.items()
        own = [(f"existing_vpc.zones.{name}.service_subnet_cidr", zone.service_subnet_cidr) for name, zone in zones]
    for path, network in own:
        if not _is_private(network):
            yield Finding(
                path=path,
                value=network,
                problem="not a private network, so the instance cannot reach those addresses of the internet",
                remedy="Choose one within " + ", ".join(map(str, PRIVATE)),
            )


def _is_private(network: str) -> bool:
    return any(IPv4Network(network).subnet_of(private) for private in PRIVATE)
