"""How much CloudWatch Logs takes in one call, and from which time.

For: whoever puts log events. Guarantees: a call that is too large, has too many events or spans more than a day is
refused as a whole; events that are older than their group keeps them are rejected, and the others are taken.
Does not: expire what was taken, or limit the rate of calls.
Source: CloudWatch Logs API reference PutLogEvents (1,048,576 bytes with 26 for each event, 10,000 events, 24 hours,
retention of the group), RejectedLogEventsInfo. The texts are ours.
"""

from typing import Any

from moto.core.utils import unix_time_millis, utcnow
from moto.logs.exceptions import InvalidParameterException

from lab.aws.core.patches import original, replaces

LARGEST_CALL = 1_048_576
OVERHEAD = 26
MOST_EVENTS = 10_000
DAY_MS = 86_400_000
_PUT = "moto.logs.models:LogsBackend.put_log_events"


@replaces(
    _PUT,
    expects="self, log_group_name, log_stream_name, log_events",
    reason="moto takes a call of any size and span, and events that the group would not keep",
)
def put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
    """PutLogEvents."""
    size = sum(len(event["message"].encode()) + OVERHEAD for event in log_events)
    times = [event["timestamp"] for event in log_events]
    if not 1 <= len(log_events) <= MOST_EVENTS:
        raise InvalidParameterException(f"There are {len(log_events)} log events, and a call takes 1 to {MOST_EVENTS}.")
    if size > LARGEST_CALL:
        raise InvalidParameterException(f"Upload too large: {size} bytes exceeds limit of {LARGEST_CALL}")
    if times == sorted(times) and times[-1] - times[0] > DAY_MS:
        raise InvalidParameterException("The batch of log events in a single request cannot span more than 24 hours.")
    group = self.groups.get(log_group_name)
    days = int(group.retention_in_days or 0) if group is not None else 0
    oldest = unix_time_millis(utcnow()) - days * DAY_MS
    kept = [event for event in log_events if not days or event["timestamp"] >= oldest]
    expired = len(log_events) - len(kept)
    token, rejected = original(_PUT)(self, log_group_name, log_stream_name, kept)
    return token, rejected | ({"expiredLogEventEndIndex": expired} if expired else {})
