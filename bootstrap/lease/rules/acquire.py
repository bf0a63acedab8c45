"""How a newcomer comes to hold the lease: one step from observation to action. Pure.

For: takeover. The cases, in this order:
- The record is released, is mine from before a reboot, or EC2 says that its holder is terminated: publish the next
  generation at once.
- The group counts the holder, and the holder renews: this instance is surplus. It waits for a release, gives up at the
  deadline, and never terminates the holder.
- The holder is leaving, is healthy and renews: wait while it drains.
- Any other holder: terminate it, if the group counts this instance.
- EC2 gives no proof: under `proof-or-lease`, publish once the record has not changed for the holder's lease duration.
Guarantees: an unparseable record counts as held under every policy; nobody is terminated without the group's answer
about this instance; an instance that the group is ending terminates nobody; every wait has a deadline (GiveUp) and a
sentence.
Does not: publish (publish judges that) or guard the holder's deadline (renew and the fence do).
Sources: EC2 API reference TerminateInstances (Force, SkipOsShutdown), "Eventual consistency"; EC2 user guide
"Troubleshoot instance termination" (shutting-down may last for hours); Auto Scaling DescribeAutoScalingInstances.
"""

from __future__ import annotations

from dataclasses import replace

from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.lease.rules.actions import Action, GiveUp, Publish, Resume, StopOwnService, Terminate, Wait
from bootstrap.lease.rules.observation import (
    GONE,
    SHUTTING_DOWN,
    TERMINATED,
    GroupAnswer,
    HolderAnswer,
    NoAnswer,
    Observation,
    OwnRemains,
    Seen,
)
from bootstrap.lease.rules.record import Applicant, LeaseRecord
from bootstrap.lease.rules.watch import AcquireMemory, is_renewing, length_s, remember

POLL_S = 1.5  # between two looks while something is expected soon
FRESH_S = 2.0  # an expired lease is judged by a look at most this old: asking EC2 in vain takes longer
NOTHING_LEFT = OwnRemains()
Step = tuple[AcquireMemory, Action]


def must_ask(seen: Seen | NoAnswer, me: Applicant, remains: OwnRemains = NOTHING_LEFT) -> bool:
    """Whether EC2 and the group have to be asked. They need not be asked if the lease directory alone answers, or while
    something of an earlier generation is left on this machine: that has to stop first, whatever they say."""
    if isinstance(seen, NoAnswer) or seen.generation == 0:
        return False
    record = seen.record
    if not remains.is_service_stopped and not _is_mine(record, me):
        return False
    return record is None or not (record.is_released or record.instance_id == me.instance_id)


def acquire_step(
    memory: AcquireMemory,
    observation: Observation,
    *,
    me: Applicant,
    timing: LeaseTiming,
    policy: FencePolicy,
    now_s: float,
) -> Step:
    """What to remember, and what to do now."""
    memory = remember(memory, observation, now_s)
    seen = observation.seen
    if isinstance(seen, NoAnswer):
        return _patience(memory, timing, now_s, f"the lease directory does not answer: {seen.reason}")
    if not observation.remains.is_service_stopped and not _is_mine(seen.record, me):
        sentence = f"something of an earlier generation is left here, the highest is {seen.generation}: stop it first"
        return memory, StopOwnService(sentence=sentence)
    free = _free_at_once(seen, observation, me, now_s)
    if free is not None:
        return memory, free
    leaving = _not_current(memory, observation.group, timing)
    if leaving is not None:
        return memory, leaving
    if seen.record is None:
        # What cannot be read does not show a renewal either: its silence is no sign of an expired lease.
        sentence = f"generation {seen.generation} cannot be read as a record and counts as held"
        return _patience(memory, timing, now_s, sentence)
    return _held(memory, observation, seen.record, timing, policy, now_s)


def _is_mine(record: LeaseRecord | None, me: Applicant) -> bool:
    """Held by this boot of this machine: only the agent can have been restarted."""
    if record is None or record.is_released:
        return False
    return record.instance_id == me.instance_id and record.boot_id == me.boot_id


def _free_at_once(seen: Seen, observation: Observation, me: Applicant, now_s: float) -> Action | None:
    """The cases that the lease directory decides alone: no record, released, or mine."""
    following, record = seen.generation + 1, seen.record
    if seen.generation == 0:
        return Publish(generation=1, ground="first", sentence="no generation yet: publish generation 1")
    if record is None:
        return None
    holder = f"generation {record.generation} of {record.instance_id}"
    if _is_mine(record, me):
        return _own_remains(record, observation, following, now_s)
    if record.is_released:
        return Publish(
            generation=following, ground="released", sentence=f"{holder} is released: publish generation {following}"
        )
    if record.instance_id == me.instance_id:
        sentence = f"{holder} is mine from before a reboot: publish generation {following}"
        return Publish(generation=following, ground="own-reboot", sentence=sentence)
    return None


def _own_remains(record: LeaseRecord, observation: Observation, following: int, now_s: float) -> Action:
    """Only the agent was restarted: the fence process has guarded the deadline meanwhile."""
    remains = observation.remains
    deadline_s = remains.fence_deadline_s
    if remains.nonce == record.nonce and deadline_s is not None and now_s < deadline_s:
        sentence = f"generation {record.generation} is mine and guarded for {deadline_s - now_s:.0f} s more: resume it"
        return Resume(generation=record.generation, deadline_s=deadline_s, sentence=sentence)
    if not remains.is_service_stopped:
        return StopOwnService(
            sentence=f"generation {record.generation} is mine but its deadline is not guarded: stop the service first"
        )
    sentence = f"generation {record.generation} is mine and nothing of it runs: publish generation {following}"
    return Publish(generation=following, ground="own-restart", sentence=sentence)


def _not_current(memory: AcquireMemory, group: GroupAnswer | NoAnswer | None, timing: LeaseTiming) -> Action | None:
    """An instance that the group is ending, or does not know, takes nothing from anybody."""
    if not isinstance(group, GroupAnswer):
        return None
    if group.me is None:
        unlisted_s = length_s(memory.unlisted)
        sentence = f"the group has not listed this instance for {unlisted_s:.0f} s"
        if unlisted_s >= timing.silence_s:
            return GiveUp(reason="not-in-group", sentence=f"{sentence}: it is not the one to take over")
        return Wait(pause_s=POLL_S, sentence=f"{sentence}: ask again")
    if group.me.is_counted:
        return None
    health = "" if group.me.is_healthy else " and unhealthy"
    sentence = f"the group has this instance as {group.me.lifecycle_state}{health}: it is not the one to take over"
    return GiveUp(reason="not-in-group", sentence=sentence)


def _held(
    memory: AcquireMemory,
    observation: Observation,
    record: LeaseRecord,
    timing: LeaseTiming,
    policy: FencePolicy,
    now_s: float,
) -> Step:
    holder, group = observation.holder, observation.group
    name = f"generation {record.generation} of {record.instance_id}"
    if isinstance(holder, HolderAnswer) and holder.state == TERMINATED:
        following = memory.generation + 1
        sentence = f"{name} is terminated: publish generation {following}"
        return memory, Publish(generation=following, ground="terminated", sentence=sentence)
    if isinstance(holder, HolderAnswer) and holder.state == GONE and isinstance(group, GroupAnswer):
        return _gone(memory, record, name, timing, now_s)
    if not isinstance(holder, HolderAnswer):
        return _without_proof(memory, record, timing, policy, now_s, f"{name}: EC2 does not answer{_why(holder)}")
    if not isinstance(group, GroupAnswer):
        sentence = f"{name}: the group does not answer{_why(group)}, so nobody may be terminated"
        return _without_proof(memory, record, timing, policy, now_s, sentence)
    if group.holder is not None and group.holder.is_counted and holder.state != SHUTTING_DOWN:
        if memory.unchanged_s < record.lease_duration_s:
            # Also after a request to terminate it: that was refused or lost, and the holder is well again.
            return _surplus(replace(memory, asked_s=None), name, timing, now_s)
    elif memory.asked_s is None and _is_draining(memory, holder, group, record):
        since_s = memory.drain_from_s if memory.drain_from_s is not None else now_s
        if now_s - since_s < timing.drain_deadline_s:
            state = group.holder.lifecycle_state if group.holder else "no member of the group"
            sentence = f"{name} is {state} and still renews: wait for its release while it stops"
            memory = replace(memory, drain_from_s=since_s, waiting_from_s=None, surplus_from_s=None)
            return memory, Wait(pause_s=POLL_S, sentence=sentence)
    return _end(memory, observation, record, holder.state, timing, policy, now_s)


def _is_draining(memory: AcquireMemory, holder: HolderAnswer, group: GroupAnswer, record: LeaseRecord) -> bool:
    """The holder is leaving and still renews. One that is unhealthy most likely crashed: it has nothing to finish."""
    is_unhealthy = group.holder is not None and not group.holder.is_healthy
    return holder.state != SHUTTING_DOWN and not is_unhealthy and is_renewing(memory, record)


def _why(answer: NoAnswer | object) -> str:
    return f" ({answer.reason})" if isinstance(answer, NoAnswer) else ""


def _gone(memory: AcquireMemory, record: LeaseRecord, name: str, timing: LeaseTiming, now_s: float) -> Step:
    """EC2 does not know the holder. That alone proves little: EC2 forgets an instance for moments. It counts only with
    a second witness, the group, all through gone_confirm_s, and after the holder's own lease has run out."""
    gone_s, need_s = length_s(memory.gone), record.lease_duration_s
    if memory.gone is None:
        return _patience(memory, timing, now_s, f"{name} is unknown to EC2, but listed by the group: ask again")
    if gone_s < timing.gone_confirm_s or memory.unchanged_s < need_s:
        sentence = (
            f"{name} is unknown to EC2 and not in the group for {gone_s:.0f} of {timing.gone_confirm_s:.0f} s, "
            f"unchanged for {memory.unchanged_s:.0f} of {need_s:.0f} s: ask again"
        )
        return _patience(memory, timing, now_s, sentence)
    if now_s - memory.looked_s > FRESH_S:
        return memory, Wait(pause_s=0.0, sentence=f"{name} is unknown to EC2: look once more before it is claimed")
    following = memory.generation + 1
    sentence = (
        f"{name} is unknown to EC2 and not in the group for {gone_s:.0f} s, unchanged for {memory.unchanged_s:.0f} s: "
        f"publish generation {following}"
    )
    return memory, Publish(generation=following, ground="gone", sentence=sentence)


def _surplus(memory: AcquireMemory, name: str, timing: LeaseTiming, now_s: float) -> Step:
    since_s = memory.surplus_from_s if memory.surplus_from_s is not None else now_s
    memory = replace(memory, surplus_from_s=since_s, waiting_from_s=None)
    sentence = f"{name} is healthy and renews: this instance is surplus"
    if now_s - since_s >= timing.surplus_deadline_s:
        sentence += f", and was not needed for {timing.surplus_deadline_s:.0f} s"
        return memory, GiveUp(reason="surplus", sentence=sentence)
    return memory, Wait(pause_s=POLL_S, sentence=f"{sentence} and waits for a release", is_surplus=True)


def _end(
    memory: AcquireMemory,
    observation: Observation,
    record: LeaseRecord,
    state: str,
    timing: LeaseTiming,
    policy: FencePolicy,
    now_s: float,
) -> Step:
    """Terminate the holder and await EC2's word; the group counts me, the caller has seen to that."""
    name = f"generation {record.generation} of {record.instance_id}"
    if observation.refusal:
        sentence = f"{name} is {state} and EC2 refuses to terminate it ({observation.refusal})"
        return _without_proof(memory, record, timing, policy, now_s, sentence, is_hopeless=True)
    if state != SHUTTING_DOWN and not _is_fresh(memory, observation, timing, now_s):
        # Paused in between, this instance would shoot a holder that has recovered since.
        sentence = f"{name} is {state}; look once more before it is terminated"
        return _patience(memory, timing, now_s, sentence, pause_s=0.0)
    asked_s = memory.asked_s if memory.asked_s is not None else now_s
    memory = replace(memory, asked_s=asked_s)
    waited_s = now_s - asked_s
    if waited_s >= timing.force_deadline_s:
        sentence = f"{name} is {state}, {waited_s:.0f} s after the first request to terminate it"
        return _without_proof(memory, record, timing, policy, now_s, sentence, is_hopeless=True)
    is_forced = waited_s >= timing.terminate_deadline_s
    if state == SHUTTING_DOWN and not is_forced:
        return _patience(memory, timing, now_s, f"{name} is shutting-down: wait until it is terminated")
    memory, action = _patience(memory, timing, now_s, "")
    if isinstance(action, GiveUp):
        return memory, action
    how = "by force" if is_forced else "without the shutdown of its system"
    return memory, Terminate(
        instance_id=record.instance_id,
        is_forced=is_forced,
        pause_s=timing.retry_period_s if is_forced else POLL_S,
        sentence=f"{name} is {state} and neither renews nor drains: terminate it {how}",
    )


def _is_fresh(memory: AcquireMemory, observation: Observation, timing: LeaseTiming, now_s: float) -> bool:
    asked_s = observation.asked_s if observation.asked_s is not None else now_s
    return now_s - memory.looked_s <= FRESH_S and now_s - asked_s <= timing.request_timeout_s + FRESH_S


def _without_proof(
    memory: AcquireMemory,
    record: LeaseRecord,
    timing: LeaseTiming,
    policy: FencePolicy,
    now_s: float,
    sentence: str,
    *,
    is_hopeless: bool = False,
) -> Step:
    """No proof of death now. `is_hopeless`: EC2 answers, and none is to be expected."""
    if policy == "proof":
        return _patience(memory, timing, now_s, f"{sentence}; fence: proof claims nothing without proof of death")
    need_s = record.lease_duration_s
    silent_s = length_s(memory.silent)
    is_due = is_hopeless or silent_s >= timing.silence_s
    if is_due and memory.unchanged_s >= need_s and now_s - memory.looked_s > FRESH_S:
        return memory, Wait(pause_s=0.0, sentence=f"{sentence}; look once more before it is claimed")
    if is_due and memory.unchanged_s >= need_s:
        following = memory.generation + 1
        sentence = f"{sentence}; unchanged for {memory.unchanged_s:.0f} s: publish generation {following}"
        return memory, Publish(generation=following, ground="lease-expired", sentence=sentence)
    return _patience(memory, timing, now_s, f"{sentence}; unchanged for {memory.unchanged_s:.0f} of {need_s:.0f} s")


def _patience(memory: AcquireMemory, timing: LeaseTiming, now_s: float, sentence: str, pause_s: float = POLL_S) -> Step:
    """Wait, but not past the takeover deadline."""
    since_s = memory.waiting_from_s if memory.waiting_from_s is not None else now_s
    memory = replace(memory, waiting_from_s=since_s, surplus_from_s=None)
    if now_s - since_s >= timing.takeover_deadline_s:
        sentence = f"not taken over within {timing.takeover_deadline_s:.0f} s: {sentence or 'it does not end'}"
        return memory, GiveUp(reason="takeover-deadline", sentence=sentence)
    return memory, Wait(pause_s=pause_s, sentence=sentence)
