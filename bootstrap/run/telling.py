"""What this instance tells people, in the agent's words.

For: the boot, the endings and the troubles. Guarantees: each call returns at once; the end of a trouble that was told
is told, also by the next run of the agent. Does not: decide what is sent or repeat it (bootstrap.tell does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.document import BootDocument
from bootstrap.base.errors import AgentError, Reason
from bootstrap.base.troubles import Troubles, Untold
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.imds import Identity
from bootstrap.cloud.parameters import Parameter
from bootstrap.cloud.topic import Topic
from bootstrap.tell.message import Kind, Message
from bootstrap.tell.outbox import Channel, Outbox
from bootstrap.tell.webhook import Webhook

FLUSH_S = 10.0


class TopicChannel:
    """The topic as a channel."""

    name = "topic"

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def send(self, message: Message, message_id: str) -> None:
        """Raises CloudError."""
        self._topic.publish(message.subject, message.text, message.attributes | {"id": message_id})


def channels_of(document: BootDocument, clients: Clients) -> list[Channel]:
    """The topic first, then the webhooks of the service file."""
    return [
        TopicChannel(Topic(clients, document.topic_arn)),
        *[Webhook(each.url, _secret(each.secret_parameter, clients)) for each in document.webhooks],
    ]


def _secret(parameter: str, clients: Clients) -> Callable[[], str]:
    return lambda: Parameter(clients, parameter).read_secret() if parameter else ""


class Telling:
    """The messages of one instance."""

    def __init__(
        self,
        path: Path,
        document: BootDocument,
        identity: Identity,
        clients: Clients,
        clock: Clock,
        troubles: Troubles = Untold(),  # noqa: B008 - it holds nothing
    ) -> None:
        self._service = document.service.name
        self._identity = identity
        self._clock = clock
        self._outbox = Outbox(path, channels_of(document, clients), clock, troubles)
        self.generation: Callable[[], int] = lambda: 0  # of the lease, once there is one

    def start(self) -> None:
        """Send from now on."""
        self._outbox.start()

    def boot_failed(self, error: AgentError) -> None:
        self._tell("boot-failed", f"boot failed ({error.reason})", str(error), error.reason)

    def took_over(self, sentence: str, standing: Iterable[Reason]) -> None:
        """This instance serves; `standing` are the troubles that go on."""
        self._tell("took-over", f"{self._identity.instance_id} in {self._identity.zone} serves", sentence)
        for reason in set(self._outbox.standing) - set(standing):
            self._tell("recovered", f"{reason} is over", "This run of the agent does not see it.", reason)

    def begin(self, trouble: AgentError) -> None:
        self._tell("degraded", f"trouble ({trouble.reason})", str(trouble), trouble.reason)

    def over(self, reason: Reason) -> None:
        self._tell("recovered", f"{reason} is over", "It is no longer seen.", reason)

    def replaced(self, sentence: str, reason: Reason) -> None:
        self._tell("replaced", f"instance reported unhealthy ({reason})", sentence, reason)

    def lease_lost(self, sentence: str, reason: Reason) -> None:
        self._tell("lease-lost", f"the lease was lost ({reason})", sentence, reason)

    def stop_unfinished(self, sentence: str, reason: Reason) -> None:
        self._tell("stop-unfinished", f"a stop is not finished ({reason})", sentence, reason)

    def flush(self) -> None:
        """Wait for `FLUSH_S` at most until everybody has been told."""
        self._outbox.flush(Deadline(self._clock, FLUSH_S, "messages"))

    def _tell(self, kind: Kind, what: str, why: str, reason: str = "") -> None:
        self._outbox.tell(
            Message(
                kind=kind,
                service=self._service,
                instance_id=self._identity.instance_id,
                zone=self._identity.zone,
                generation=self.generation(),
                reason=reason,
                what=what,
                why=why,
                at=self._clock.utc_text(),
            )
        )
