"""SNS topic for the agent's notifications. Thin: one call; every error is a CloudError.

For: run.ending. Does not: retry; a notification that fails is logged by the caller.
Source: SNS API reference Publish (a subject is at most 100 ASCII characters without line breaks).
"""

from __future__ import annotations

from bootstrap.cloud.clients import Clients, converted


class Topic:
    """One SNS topic."""

    def __init__(self, clients: Clients, arn: str) -> None:
        self._clients = clients
        self._arn = arn

    def publish(self, subject: str, text: str) -> None:
        """Send `text` to the subscribers; `subject` is cut to what SNS accepts. Raises CloudError."""
        line = " ".join(subject.split()).encode("ascii", "replace").decode()[:100]
        with converted(f"publish to {self._arn}"):
            self._clients.sns().publish(TopicArn=self._arn, Subject=line, Message=text)
