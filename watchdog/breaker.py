"""The crash-loop breaker: counts the failed boots of a version, and says when to go back to the last good one. Pure.

For: watch. Guarantees: it goes back from a version once, and only to one that was ready and stayed so; never to one
that it went back from, so it cannot swing between two bad ones; an instance that a rollout ended is no failed boot.
Does not: look or act, or ask why: a good image in a broken account is counted like any other.
A boot has failed when its instance goes away before it was in service, or within `settle_s` of that as unhealthy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from watchdog.memory import Boot, Memory
from watchdog.rules import Settings


@dataclass(frozen=True, kw_only=True)
class Member:
    """One instance of the group, as DescribeAutoScalingGroups lists it."""

    instance_id: str
    version: str
    lifecycle: str
    health: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the breaker does: `version` is where it goes."""

    kind: Literal["nothing", "go-back", "give-up"]
    version: str = ""
    sentence: str = ""


def observe(
    memory: Memory, members: tuple[Member, ...], group_version: str, settle_s: float, now_s: float
) -> tuple[Memory, str]:
    """The memory after a look at the group, and the instance whose boot has failed ("" for none).

    `members`: all of the group, those that it ends as well. `group_version`: what the next launch boots; an instance of
    another version is ended by whoever changed that."""
    boot, failed = memory.boot, ""
    mine = next((one for one in members if one.instance_id == boot.instance_id), None)
    arriving = next((one for one in reversed(members) if not _is_leaving(one)), None)
    if mine is not None and mine.health != "Healthy":
        boot = replace(boot, unhealthy=True)
    is_over = bool(boot.instance_id) and (mine is None or _is_leaving(mine))
    if is_over and not boot.is_over:
        boot = replace(boot, is_over=True)
        if boot.version == group_version and _has_failed(boot, settle_s, now_s):
            failed = boot.instance_id
            count = memory.failed_boots if memory.failed_version == boot.version else 0
            memory = replace(memory, failed_version=boot.version, failed_boots=count + 1)
    if arriving is not None and (is_over or not boot.instance_id):
        boot = Boot(instance_id=arriving.instance_id, version=arriving.version)
        mine = arriving
    memory = replace(memory, boot=boot)
    return (_served(memory, mine, settle_s, now_s) if mine is not None else memory), failed


def _is_leaving(member: Member) -> bool:
    return member.lifecycle.startswith(("Terminat", "Detach"))


def _has_failed(boot: Boot, settle_s: float, now_s: float) -> bool:
    if not boot.ready_at:
        return True
    return boot.unhealthy and now_s - boot.ready_at < settle_s


def _served(memory: Memory, member: Member, settle_s: float, now_s: float) -> Memory:
    if member.lifecycle != "InService":
        return memory
    boot = memory.boot
    if not boot.ready_at:
        return replace(memory, boot=replace(boot, ready_at=now_s))
    is_settled = now_s - boot.ready_at >= settle_s and member.health == "Healthy"
    if not is_settled or member.version in memory.broken:
        return memory
    # Also of the good version: failures with a boot between them that stayed are no row, and the next row is told anew.
    return replace(memory, good=member.version, failed_version="", failed_boots=0, gave_up=False)


def decide(memory: Memory, group_version: str, settings: Settings) -> Step:
    """`group_version`: what the next launch boots."""
    good, count = memory.good, memory.failed_boots
    has_way_back = bool(good) and good != group_version and good not in memory.broken
    if group_version in memory.broken and has_way_back:
        return Step(
            kind="go-back",
            version=good,
            sentence=f"the group launches version {group_version} again, whose boots failed: back to version {good}",
        )
    if memory.failed_version != group_version or count < settings.failed_boots:
        return Step(kind="nothing")
    what = f"{count} boots of version {group_version} in a row have failed"
    if has_way_back:
        return Step(
            kind="go-back", version=good, sentence=f"{what}: back to version {good}, the last one that stayed ready"
        )
    if memory.gave_up:
        return Step(kind="nothing")
    others = f", and from {', '.join(memory.broken)} it has gone back before" if memory.broken else ""
    return Step(
        kind="give-up",
        sentence=f"{what}{others}: there is no other version that stayed ready, so the breaker does nothing more. The "
        "group goes on launching it",
    )


def after(memory: Memory, step: Step, group_version: str) -> Memory:
    """The memory once `step` is decided. It is kept before the step is made: an interrupted one is then completed."""
    if step.kind == "go-back":
        broken = tuple(dict.fromkeys((*memory.broken, group_version)))
        return replace(memory, broken=broken, failed_version="", failed_boots=0, gave_up=False)
    if step.kind == "give-up":
        return replace(memory, gave_up=True)
    return memory
