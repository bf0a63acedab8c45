"""What every kind of connection offers to the rest of the stack.

For: stacks.service_stack, which knows no kind. Guarantees: nothing by itself. Does not: move a connection; the agent
does (bootstrap.claims.connection).
"""

from __future__ import annotations

from abc import abstractmethod

from aws_cdk import aws_iam as iam
from constructs import Construct
from jsii import JSIIAbstractClass

from bootstrap.base.document import ConnectionSettings


class Connection(Construct, metaclass=JSIIAbstractClass):
    """One kind of connection. It exists before the first instance does."""

    @abstractmethod
    def settings(self) -> ConnectionSettings:
        """What the instance is told of it. Ids may be CDK tokens."""

    @abstractmethod
    def statements(self) -> list[iam.PolicyStatement]:
        """What the instance's role must be allowed, so that the agent can move it; on this connection alone."""

    @abstractmethod
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack, by name."""
