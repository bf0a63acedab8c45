"""What is launched: instance types and image. Which processor a type has is known from its name.

For: services.spec, stacks and the operator's command. Guarantees: the types of one service file have one architecture,
so that one image fits all of them. Does not: ask AWS; `soloist promote` compares types and image there.
Source: EC2 instance types guide, "Instance type naming conventions" (the letters after the generation are processor
family and additional capability; `g` is AWS Graviton), and a1, the one Graviton family that is named otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from services.fields import AmiId, InstanceType
from services.findings import Finding
from services.part import Part

MOST_FALLBACKS = 9
_GRAVITON = re.compile(r"^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)\.")


class Instance(Part):
    """What is launched. The AMI id is pinned: deploying stages a new one, `soloist promote` promotes it."""

    type: Annotated[
        InstanceType, Field(title="What EC2 launches; it must have two network interfaces and fit the image")
    ]
    ami: Annotated[AmiId, Field(title="The image that you baked; -c ami=... says another one for one deployment")]
    fallback_types: Annotated[
        tuple[InstanceType, ...],
        Field(
            max_length=MOST_FALLBACKS,
            description="What EC2 launches, in this order, where it has no capacity of `type`; as large as the service "
            "needs, of the same architecture. A change of the list takes effect at the deployment, for the promoted "
            "version, too",
            examples=[["t3a.small", "t2.small"]],
        ),
    ] = ()

    session_manager: Annotated[
        bool,
        Field(
            description="Let Session Manager open a shell on the instance: its role may then talk to it. The image "
            "brings Amazon's SSM agent; whoever may start sessions is root there"
        ),
    ] = False

    @property
    def types(self) -> tuple[str, ...]:
        """Every type, the preferred one first."""
        return (self.type, *self.fallback_types)


def architecture_of(instance_type: str) -> str:
    """The architecture of an instance type, as EC2 names it: `arm64` or `x86_64`."""
    return "arm64" if _GRAVITON.match(instance_type) else "x86_64"


def type_findings(instance: Instance) -> Iterator[Finding]:
    """Types that are named twice, or that the image of the first one cannot fit."""
    wanted = architecture_of(instance.type)
    for number, one in enumerate(instance.fallback_types):
        path = f"instance.fallback_types[{number}]"
        if one in instance.types[: number + 1]:
            yield Finding(path=path, value=one, problem="named twice", remedy="Name each type once")
        elif architecture_of(one) != wanted:
            yield Finding(
                path=path,
                value=one,
                problem=f"{architecture_of(one)}, while {instance.type} is {wanted}: no image fits both",
                remedy=f"Name types of {wanted} only",
                depends_on=("instance.type",),
            )
