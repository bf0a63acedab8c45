"""The types of single values in a service file, each with the description and example that findings quote.

For: services.spec and its parts. Guarantees: a value that passes has the form AWS or the instance accepts; every
string is printable, so that the boot document stays one line. Does not: know how values relate (services.rules does).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from bootstrap.base import values
from services.derived import From


def _network(shortest: int, longest: int) -> AfterValidator:
    """Checks an IPv4 network whose prefix length lies between the two."""

    return AfterValidator(lambda value: check_network(value, shortest, longest))


def check_network(value: str, shortest: int, longest: int) -> str:
    """`value`, an IPv4 network whose prefix length lies between the two. Raises ValueError."""
    try:
        prefix = IPv4Network(value).prefixlen
    except ValueError as error:
        raise ValueError(str(error)) from None
    if not shortest <= prefix <= longest:
        raise ValueError(f"prefix /{prefix} is not between /{shortest} and /{longest}")
    return value


def _peer(text: str) -> str:
    return text if text.startswith(("sg-", "pl-")) else check_network(text, 0, 32)


def _unit(text: str) -> str:
    if text.startswith("soloist-"):
        raise ValueError("is a unit of soloist itself; name those of your service")
    return text


def _address(value: str) -> str:
    return str(IPv4Address(value))


def _text(pattern: str, description: str, example: str) -> Any:
    return Field(pattern=pattern, description=description, examples=[example])


# What the instance reads again has its limits in bootstrap.base.values.
Argv = Annotated[tuple[str, ...], From(values.Argv)]
Seconds = Annotated[float, From(values.Seconds)]
BootSeconds = Annotated[float, From(values.BootSeconds)]
PortNumber = Annotated[int, From(values.Port)]
Target = Annotated[str, From(values.AbsolutePath)]
Source = Annotated[str, From(values.RelativePath)]
Mode = Annotated[str, From(values.Mode)]
Ttl = Annotated[int, From(values.Ttl)]

# Auto Scaling: heartbeat time-outs are 30 to 7200 s (API reference, PutLifecycleHook).
LONGEST_HEARTBEAT_S = 7200
HeartbeatSeconds = Annotated[
    int, Field(ge=30, le=LONGEST_HEARTBEAT_S, description="Whole seconds from 30 to 7200", examples=[900])
]

ServiceName = Annotated[
    str, _text(r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", "Lower case letters, digits, dashes; at most 30", "opscenter")
]
Region = Annotated[str, _text(r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "An AWS region", "us-east-1")]
ZoneName = Annotated[str, _text(r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", "An availability zone", "us-east-1a")]
InstanceType = Annotated[str, _text(r"^[a-z0-9-]+\.[a-z0-9-]+$", "An EC2 instance type", "t3.small")]
AmiId = Annotated[
    str,
    _text(r"^ami-([0-9a-f]{8}|[0-9a-f]{17})$", "An AMI id, pinned: no alias, no parameter", "ami-0123456789abcdef0"),
]
VpcId = Annotated[str, _text(r"^vpc-[0-9a-f]{8,17}$", "A VPC id", "vpc-0123456789abcdef0")]
SubnetId = Annotated[str, _text(r"^subnet-[0-9a-f]{8,17}$", "A subnet id", "subnet-0123456789abcdef0")]
SecurityGroupId = Annotated[str, _text(r"^sg-[0-9a-f]{8,17}$", "A security group id", "sg-0123456789abcdef0")]
FileSystemId = Annotated[str, _text(r"^fs-[0-9a-f]{8,40}$", "An EFS file system id", "fs-0123456789abcdef0")]
HostedZoneId = Annotated[str, _text(r"^Z[0-9A-Z]{1,31}$", "A Route 53 hosted zone id", "Z0123456789ABCDEFGHIJ")]
DomainName = Annotated[
    str,
    _text(
        r"^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        "A domain name in lower case, without a trailing dot",
        "monitor.example.com",
    ),
    Field(max_length=255),
]
_CIDR_PATTERN = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$"
Peer = Annotated[
    str,
    AfterValidator(_peer),
    _text(
        r"^(([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}|(sg|pl)-[0-9a-f]{8,17})$",
        "An IPv4 network without host bits, or the id of a security group or of a prefix list",
        "10.0.0.0/16",
    ),
]
VpcCidr = Annotated[str, _network(16, 16), _text(_CIDR_PATTERN, "An IPv4 network of 16 bits", "10.0.0.0/16")]
# A subnet is /16 to /28 (VPC user guide, subnet sizing).
SubnetCidr = Annotated[str, _network(16, 28), _text(_CIDR_PATTERN, "The subnet's IPv4 network", "10.0.100.0/24")]
Address = Annotated[
    str, AfterValidator(_address), _text(r"^([0-9]{1,3}\.){3}[0-9]{1,3}$", "An IPv4 address", "10.0.100.10")
]
UnitName = Annotated[
    str,
    AfterValidator(_unit),
    _text(
        r"^[A-Za-z0-9:_.@-]+\.service$",
        "The systemd unit of a process of the service, with its suffix; never a target, socket or timer",
        "nginx.service",
    ),
]
AccountName = Annotated[str, _text(r"^[a-z_][a-z0-9_-]{0,31}$", "A user or group name of the image", "opscenter")]
# Systems Manager API reference, PutParameter, Name: at most 1,011 characters, which count the ARN before it.
ParameterName = Annotated[
    str, _text(r"^(/[A-Za-z0-9_.-]+)+$", "A parameter's name with its path", "/monitor/webhook"), Field(max_length=900)
]
Email = Annotated[str, _text(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "An e-mail address", "operations@example.com")]
