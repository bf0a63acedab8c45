"""EC2's notices of what it is going to do to this instance, as the metadata service gives them.

For: run.notices. Guarantees: an answer of another form is an error and never a notice; a sentence is one short line.
Does not: decide what follows.
Sources: EC2 user guide "Spot Instance interruption notices" (spot/instance-action, 404 without one; to be asked for
every 5 s), "EC2 instance rebalance recommendations" (events/recommendations/rebalance, likewise) and "Scheduled events
for Amazon EC2 instances" (events/maintenance/scheduled, a list).
"""

from __future__ import annotations

from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.base.codec import DecodeError, read_json
from bootstrap.base.errors import SurroundingsError
from bootstrap.cloud.imds import MetadataService

SPOT = "meta-data/spot/instance-action"
REBALANCE = "meta-data/events/recommendations/rebalance"
SCHEDULED = "meta-data/events/maintenance/scheduled"
OVER = ("completed", "canceled")
LONGEST = 100  # characters of a value


def spot_interruption(metadata: MetadataService, deadline: Deadline) -> str:
    """What EC2 is going to do and when, in words; "" when nothing. Raises SurroundingsError, StopRequested."""
    text = metadata.read(SPOT, deadline)
    if text is None:
        return ""
    notice = _object(SPOT, _json(SPOT, text))
    return f"EC2 takes this Spot Instance back: {_value(SPOT, notice, 'action')} at {_value(SPOT, notice, 'time')}"


def rebalance(metadata: MetadataService, deadline: Deadline) -> str:
    """Since when EC2 recommends to leave, in words; "" when it does not. Raises SurroundingsError, StopRequested."""
    text = metadata.read(REBALANCE, deadline)
    if text is None:
        return ""
    notice = _object(REBALANCE, _json(REBALANCE, text))
    since = _value(REBALANCE, notice, "noticeTime")
    return f"EC2 says that it may soon take this Spot Instance back (notice of {since})"


def scheduled_events(metadata: MetadataService, deadline: Deadline) -> str:
    """The events that are not over, in words; "" when there are none. Raises SurroundingsError, StopRequested."""
    text = metadata.read(SCHEDULED, deadline)
    events = _json(SCHEDULED, text) if text is not None else []
    if not isinstance(events, list):
        raise _wrong(SCHEDULED, "it is no list")
    due = [event for event in (_object(SCHEDULED, each) for each in events) if event.get("State") not in OVER]
    return "; ".join(
        f"EC2 has scheduled {_value(SCHEDULED, event, 'Code')} for {_value(SCHEDULED, event, 'NotBefore')}"
        for event in due[:3]
    )


def _json(path: str, text: str) -> Any:
    try:
        return read_json(text)
    except DecodeError as error:
        raise _wrong(path, str(error)) from None


def _object(path: str, tree: object) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise _wrong(path, "it holds no object")
    return tree


def _value(path: str, tree: dict[str, Any], name: str) -> str:
    value = tree.get(name)
    if not isinstance(value, str) or not value or len(value) > LONGEST or not value.isprintable():
        raise _wrong(path, f"{name} is no short text")
    return value


def _wrong(path: str, why: str) -> SurroundingsError:
    return SurroundingsError(
        f"/latest/{path} is no notice that can be read: {why}",
        remedy="Make sure that nothing else answers for the metadata service",
    )
