"""Does an image fit the instance types that the group may launch, and for how long is it meant to be used?

For: promote and rollback, before a version is promoted; `soloist status`. Guarantees: an image that is gone, and a type
of another architecture or with too few network interfaces, is refused with its remedy before anything is changed; one
that is deprecated is only said to be, because launches from it go on. Does not: try a launch.
Sources: EC2 API reference DescribeImages (Architecture, State, DeprecationTime) and DescribeInstanceTypes
(ProcessorInfo.SupportedArchitectures, NetworkInfo.MaximumNetworkInterfaces; at most 100 types in a call); EC2 user
guide "Deprecate an Amazon EC2 AMI" (groups go on using it by its id; accounts that do not own it see it only so).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from rollout.aws import Clients, doing
from rollout.errors import PreconditionError
from rollout.observe import Observed, StagedVersion

INTERFACES = 2  # the instance's own, and the service's


@dataclass(frozen=True, kw_only=True)
class Image:
    """`architecture` as EC2 names it (x86_64, arm64); `state` is "available" for one that can be launched;
    `deprecated_at` is None for one without a date."""

    id: str
    architecture: str
    state: str
    deprecated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class TypeInfo:
    """What EC2 says of an instance type."""

    name: str
    architectures: tuple[str, ...]
    interfaces: int


def check_fit(clients: Clients, seen: Observed, target: StagedVersion) -> Image | None:
    """The image. Raises PreconditionError where an instance of `target` could not boot in the group, RolloutError where
    AWS refuses or does not answer."""
    image = read_image(clients, target.image_id)
    if reason := misfit(target, image, _types(clients, seen.types or (target.instance_type,))):
        raise PreconditionError(f"{seen.service}: {reason}")
    return image


def deprecation_of(image: Image | None, now: datetime, within_days: float = math.inf) -> str:
    """What an operator should know of the image's deprecation, in one sentence; "" without a date, or where it is more
    than `within_days` ahead. Pure."""
    if image is None or image.deprecated_at is None:
        return ""
    date, days = image.deprecated_at.date().isoformat(), (image.deprecated_at - now).days
    if days > within_days:
        return ""
    if days < 0:
        return f"image {image.id} is deprecated since {date}; its owner still launches it. Bake a new one"
    return f"image {image.id} is deprecated on {date}, in {days} days"


def misfit(target: StagedVersion, image: Image | None, types: tuple[TypeInfo, ...]) -> str:
    """Why the version cannot be promoted, with the remedy; "" where nothing is in its way. Pure."""
    version = f"version {target.number} cannot be launched"
    if image is None or image.state != "available":
        state = f"is {image.state}" if image else "is not there, or not shared with this account"
        return f"{version}: image {target.image_id} {state}. Deploy with an image that is available, or choose another"
    for one in types:
        if image.architecture not in one.architectures:
            return (
                f"{version}: image {image.id} is for {image.architecture}, and {one.name} has "
                f"{' and '.join(one.architectures)}. Deploy with an image and instance types that fit each other"
            )
        if one.interfaces < INTERFACES:
            return f"{version}: {one.name} takes {one.interfaces} network interface. Deploy with a type that takes two"
    return ""


def read_image(clients: Clients, image_id: str) -> Image | None:
    """None where there is none, or none that this account may see. Raises RolloutError."""
    with doing(f"cannot read image {image_id}"):
        try:
            found = clients.ec2.describe_images(ImageIds=[image_id])["Images"]
        except clients.ec2.exceptions.ClientError as error:
            if not error.response["Error"]["Code"].startswith("InvalidAMIID."):
                raise
            return None
    if not found:
        return None
    date = found[0].get("DeprecationTime")
    return Image(
        id=image_id,
        architecture=found[0]["Architecture"],
        state=found[0]["State"],
        deprecated_at=datetime.fromisoformat(date) if date else None,
    )


def _types(clients: Clients, names: tuple[str, ...]) -> tuple[TypeInfo, ...]:
    with doing(f"cannot read instance types {', '.join(names)}"):
        found = clients.ec2.describe_instance_types(InstanceTypes=list(names))["InstanceTypes"]
    known = {
        one["InstanceType"]: TypeInfo(
            name=one["InstanceType"],
            architectures=tuple(one["ProcessorInfo"]["SupportedArchitectures"]),
            interfaces=one["NetworkInfo"]["MaximumNetworkInterfaces"],
        )
        for one in found
    }
    return tuple(known[name] for name in names if name in known)
