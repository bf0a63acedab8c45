"""What the metadata service says of this instance, all of it or none.

For: agent.py, before anything else. Guarantees: one deadline for all of it. Does not: judge.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.base.clock import Clock, Deadline, StopRequest
from bootstrap.base.document import METADATA_S, BootDocument, parse_user_data
from bootstrap.base.errors import AgentError
from bootstrap.base.timeline import Timeline
from bootstrap.cloud.imds import Identity, MetadataService
from bootstrap.run.kinds import KINDS


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """`target_state`: what the group wants of this instance."""

    identity: Identity
    target_state: str
    document: BootDocument


def read_metadata(service: MetadataService, timeline: Timeline, clock: Clock, stop: StopRequest) -> Metadata:
    """Raises AgentError, StopRequested."""
    deadline = Deadline(clock, METADATA_S, "metadata service", stop)
    timeline.started("metadata")
    try:
        metadata = Metadata(
            identity=service.identity(deadline),
            target_state=service.target_lifecycle_state(deadline),
            document=parse_user_data(service.user_data(deadline), KINDS),
        )
    except AgentError as error:
        timeline.finished("metadata", "failed", str(error))
        raise
    identity = metadata.identity
    timeline.finished("metadata", "ok", f"{identity.instance_id} in {identity.zone}")
    return metadata
