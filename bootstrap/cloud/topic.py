"""SNS topic for the agent's notifications. Thin: one call; every error is a CloudError.

For: run.telling. Does not: retry; the outbox does.
Source: SNS API reference Publish (a subject is at most 100 ASCII characters without line breaks).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bootstrap.cloud.clients import Clients, converted

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class Topic:
    """One SNS topic."""

    def __init__(self, clients: Clients, arn: str) -> None:
        self._clients = clients
        self._arn = arn

    def publish(self, subject: str, text: str, attributes: Mapping[str, str]) -> None:
        """Send `text` to the subscribers; `subject` is cut to what SNS accepts. `attributes` are for subscriptions with
        a filter policy, and have no empty values. Raises CloudError."""
        line = " ".join(subject.split()).encode("ascii", "replace").decode()[:100]
        named: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        with converted(f"publish to {self._arn}"):
            self._clients.sns().publish(TopicArn=self._arn, Subject=line, Message=text, MessageAttributes=named)
