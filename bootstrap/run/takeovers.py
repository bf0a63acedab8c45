"""Notes that this instance has taken over, in the log of takeovers on the data.

For: the agent, once it is ready. Guarantees: `NOTE_S` at most, in the thread that supervises next, so that the look
for outsiders never meets the child that writes; only a holder before its deadline writes; what fails is said in the log
and nowhere else. Does not: write anything that the service or another instance needs. A write that lands after a
successor's can spoil one line, which is then left out.
"""

from __future__ import annotations

import logging

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import AgentError, NotHolder, StopRequested
from bootstrap.base.state import TimelineEntry
from bootstrap.base.takeovers import Takeover, parse_takeovers, render_takeover
from bootstrap.lease.rules.record import LeaseRecord
from bootstrap.run.instance import Instance

log = logging.getLogger(__name__)

NOTE_S = 5.0


def note_takeover(instance: Instance, timeline: tuple[TimelineEntry, ...], stop: StopRequest) -> tuple[Takeover, ...]:
    """Append this takeover, with the phases of `timeline`; the newest entries afterwards, this one first. None where it
    cannot be written."""
    hold, clock = instance.lease.keeper.hold, instance.clock
    deadline = Deadline(clock, NOTE_S, "the log of takeovers", stop)
    try:
        if hold is None or instance.lease.keeper.lost is not None or clock.monotonic() >= hold.deadline_s:
            raise NotHolder("the lease is not held")
        former = _predecessor(instance, hold.record, deadline.remaining_s)
        entry = takeover_of(hold.record, former, timeline, clock.utc_text())
        return parse_takeovers(instance.service.takeovers.append(render_takeover(entry), deadline))
    except (AgentError, StopRequested) as error:
        log.warning("this takeover is not in the log of takeovers: %s", error)
        return ()


def takeover_of(
    record: LeaseRecord, former: LeaseRecord | None, timeline: tuple[TimelineEntry, ...], at: str
) -> Takeover:
    """The entry of the holder with `record`, whose predecessor had `former`."""
    by_name = {entry.name: entry for entry in timeline}
    return Takeover(
        generation=record.generation,
        at=at,
        predecessor_generation=former.generation if former else 0,
        predecessor_id=former.instance_id if former else "",
        predecessor_zone=former.zone if former else "",
        predecessor_version=former.agent_version if former else "",
        instance_id=record.instance_id,
        zone=record.zone,
        image_id=record.image_id,
        image_version=record.agent_version,
        ground=record.ground,
        why=by_name["lease"].detail if "lease" in by_name else "",
        ready_after_s=by_name["ready"].start_s if "ready" in by_name else 0.0,
        phases=tuple(entry for entry in timeline if entry.name != "ready"),
    )


def _predecessor(instance: Instance, record: LeaseRecord, timeout_s: float) -> LeaseRecord | None:
    """The record that this one follows, if it is still there."""
    known = instance.lease.parts.directory.history(2, timeout_s)
    return next((each for each in known if record.follows and each.nonce == record.follows), None)
