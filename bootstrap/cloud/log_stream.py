"""One log stream of CloudWatch Logs. Thin: two calls; every error is a CloudError.

For: run.log_copy. Guarantees: the stream is made by the first call that needs it, and again after somebody deleted it;
the group is the stack's and is never made here. Does not: retry, cut, or order; the caller keeps what is put within the
limits below.
Sources: CloudWatch Logs API reference PutLogEvents (at most 1,048,576 bytes in a call, counted as each message in UTF-8
and 26 bytes more; at most 10,000 events; ordered by time; within 24 hours; no event larger than 1 MB; events older than
14 days, or than the group keeps them, or more than 2 hours ahead are not taken, and the others are), CreateLogStream,
RejectedLogEventsInfo (the two ends are exclusive, the start of those that are too new is not).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bootstrap.base.errors import CloudError
from bootstrap.cloud.clients import Clients, converted

LARGEST_CALL = 1_048_576  # bytes, with `OVERHEAD` of each event
OVERHEAD = 26
NOT_THERE = "ResourceNotFoundException"
UNACCEPTABLE = "InvalidParameterException"  # what is put will never be taken


class LogStream:
    """The stream of one instance."""

    def __init__(self, clients: Clients, group: str, stream: str) -> None:
        self._clients = clients
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._what = f"put log events into {group}/{stream}"
        self._is_made = False

    def put(self, events: Sequence[tuple[int, str]]) -> int:
        """Put events, each with its time in milliseconds since the epoch; how many CloudWatch Logs did not take. Raises
        CloudError."""
        if not self._is_made:
            self._make()
        try:
            with converted(self._what):
                answer = self._clients.logs().put_log_events(
                    **self._where, logEvents=[{"timestamp": at_ms, "message": text} for at_ms, text in events]
                )
        except CloudError as error:
            self._is_made = error.code != NOT_THERE
            raise
        return _rejected(answer.get("rejectedLogEventsInfo") or {}, len(events))

    def _make(self) -> None:
        try:
            with converted(f"{self._what}: make the stream"):
                self._clients.logs().create_log_stream(**self._where)
        except CloudError as error:
            if error.code != "ResourceAlreadyExistsException":  # by an earlier run of the agent
                raise
        self._is_made = True


def _rejected(info: dict[str, Any], count: int) -> int:
    too_old = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    return int(too_old + count - info.get("tooNewLogEventStartIndex", count))
