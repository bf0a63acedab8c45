"""What every kind of storage offers to the rest of the stack.

For: stacks.service_stack, which knows no kind. Guarantees: nothing by itself. Does not: mount a storage; the agent does
(bootstrap.claims.storage).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable
from jsii import JSIIAbstractClass

from bootstrap.base.document import StorageSettings
from bootstrap.base.site import StorageSite
from stacks.alarms import Alarm
from stacks.dashboard import Widget


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a kind adds to the watch stack: alarms, and widgets that are one row of the dashboard."""

    alarms: tuple[Alarm, ...]
    widgets: tuple[Widget, ...]


class Storage(Construct, metaclass=JSIIAbstractClass):
    """One kind of storage. It exists before the first instance does, and stays when the stack goes."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Its id on AWS, by which the watch stack finds its metrics. May be a CDK token."""

    def unnamed(self) -> list[IDependable]:
        """What a mount needs and no instance is told of, so that the group must be made to wait for it."""
        return []

    @abstractmethod
    def settings(self) -> StorageSettings:
        """What the instance is told of it. Ids may be CDK tokens."""

    def site(self) -> StorageSite | None:
        """What of the settings a deployment changes at once; None where that is nothing."""
        return None

    @abstractmethod
    def statements(self) -> list[iam.PolicyStatement]:
        """What the instance's role must be allowed, so that the agent can mount it; on this storage alone."""

    @abstractmethod
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack, by name."""
