"""Turns a seed into a list of timed faults. Pure.

For: `lab.chaos.runs` plays schedules, `shrink` makes failing ones smaller, reports print them. Guarantees: the same
seed and timings give the same schedule everywhere; every fault ends by itself; a schedule survives JSON unchanged.
Does not: know instances: a fault names its target by role (`holder`: who serves at that moment; `newest`: the instance
that was launched last), because who that is depends on the run.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

TARGETS = ("holder", "newest")


class Kind(StrEnum):
    """What can go wrong. `_KINDS` says it in words and draws it, `lab.chaos.actor` carries it out.

    The order is part of what a seed means: `generate` draws from it. A new kind goes to the end.
    """

    CRASH = "crash"
    FREEZE = "freeze"
    CUT_EFS = "cut-efs"
    CUT_API = "cut-api"
    CUT_CLIENTS = "cut-clients"
    CUT_ALL = "cut-all"
    AGENT_KILL = "agent-kill"
    AGENT_STOP = "agent-stop"
    EFS_RESTART = "efs-restart"
    ZONE_LOSS = "zone-loss"
    LAUNCH_FIRST = "launch-first"
    REPLACE = "replace"
    API_ERRORS = "api-errors"
    API_DELAY = "api-delay"
    API_LOST_ANSWERS = "api-lost-answers"


@dataclass(frozen=True, kw_only=True)
class LeaseTimings:
    """What the schedule needs to know of the lease of the service under test, in seconds."""

    renew_deadline_s: float
    lease_duration_s: float


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, `at_s` seconds after the schedule's start, undone after `for_s` (0: nothing to undo).

    `is_replaced`: shortly after the fault the group is told that the target is unhealthy, as an alarm or the status
    checks would do, so that a successor is launched while the target may still live. `is_moved`: successors come up
    in another zone than the target's, else in the same one, where they need the same network interface.
    """

    kind: Kind
    at_s: float
    for_s: float = 0.0
    target: str = "holder"
    detail: str = ""
    is_replaced: bool = False
    is_moved: bool = False

    @property
    def sentence(self) -> str:
        """For people: what happens, to whom, for how long."""
        text = _KINDS[self.kind][0].format(target=f"the {self.target}", detail=self.detail or "every service")
        lasting = f" for {self.for_s:.1f} s" if self.for_s else ""
        replaced = ", and the group is told to replace it" if self.is_replaced else ""
        moved = " (successors go to another zone)" if self.is_moved else ""
        return f"at {self.at_s:4.1f} s {text}{lasting}{replaced}{moved}"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Faults in the order in which they begin."""

    seed: int
    faults: tuple[Fault, ...]

    @property
    def duration_s(self) -> float:
        """Until the last fault has been undone."""
        return max((fault.at_s + fault.for_s for fault in self.faults), default=0.0)

    @property
    def story(self) -> str:
        return "\n".join(f"  {fault.sentence}" for fault in self.faults) or "  nothing happens"

    def as_json(self) -> dict[str, Any]:
        """Plain data; `schedule_from_json` reads it."""
        return asdict(self)


API_SERVICES = ("ec2", "autoscaling", "route53", "")  # empty: every service
FIRST_AT_S = 1.0


def schedule_from_json(data: Mapping[str, Any]) -> Schedule:
    """The schedule that `as_json` described. Raises ValueError where it is none."""
    try:
        faults = tuple(Fault(**fault | {"kind": Kind(fault["kind"])}) for fault in data["faults"])
        schedule = Schedule(seed=int(data["seed"]), faults=faults)
        for fault in faults:
            if fault.target not in TARGETS or fault.at_s < 0 or fault.for_s < 0:
                raise ValueError(f"not a fault: {fault}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a schedule: {error}") from error
    return schedule


def generate(seed: int, timings: LeaseTimings) -> Schedule:
    """One to three faults that may overlap; roughly every other one is longer than the lease.

    The text seed keeps schedules equal across Python versions (random.seed with a string is documented as stable).
    """
    source = random.Random(f"soloist chaos {seed}")
    count = source.choice((1, 2, 2, 3))
    faults, at_s = [], FIRST_AT_S
    for _ in range(count):
        kind = source.choice(tuple(Kind))
        fault = _KINDS[kind][1](source, kind, round(at_s, 1), timings)
        faults.append(replace(fault, is_moved=source.random() < 0.5))
        at_s += source.uniform(0.5, 8.0)
    return Schedule(seed=seed, faults=tuple(faults))


def _plain(source: random.Random, kind: Kind, at_s: float, _timings: LeaseTimings) -> Fault:
    return Fault(kind=kind, at_s=at_s, target=source.choice(TARGETS))


def _lasting(source: random.Random, kind: Kind, at_s: float, timings: LeaseTimings) -> Fault:
    return Fault(
        kind=kind,
        at_s=at_s,
        for_s=_short_or_long(source, timings),
        target=source.choice(("holder", "holder", "newest")),
        is_replaced=source.random() < 0.6,
    )


def _short_or_long(source: random.Random, timings: LeaseTimings) -> float:
    """Half shorter than the renew deadline, half longer than the lease: the two sides of what a lease can bear."""
    if source.random() < 0.5:
        return round(source.uniform(1.0, timings.renew_deadline_s - 1.0), 1)
    return round(timings.lease_duration_s + source.uniform(1.0, 6.0), 1)


def _server_restart(source: random.Random, kind: Kind, at_s: float, _timings: LeaseTimings) -> Fault:
    return Fault(kind=kind, at_s=at_s, for_s=round(source.uniform(0.0, 3.0), 1))


def _second_instance(source: random.Random, kind: Kind, at_s: float, timings: LeaseTimings) -> Fault:
    return Fault(kind=kind, at_s=at_s, for_s=round(source.uniform(10.0, timings.lease_duration_s + 6.0), 1))


def _api(source: random.Random, kind: Kind, at_s: float, _timings: LeaseTimings) -> Fault:
    """The API hardly matters to a service at rest, so mostly a replacement is under way at the same time."""
    return Fault(
        kind=kind,
        at_s=at_s,
        for_s=round(source.uniform(3.0, 15.0), 1),
        detail=source.choice(API_SERVICES),
        is_replaced=source.random() < 0.7,
    )


# What a fault is for people, and how one is drawn.
_KINDS: Mapping[Kind, tuple[str, Callable[[random.Random, Kind, float, LeaseTimings], Fault]]] = {
    Kind.CRASH: ("{target} loses power", _plain),
    Kind.FREEZE: ("{target} freezes", _lasting),
    Kind.CUT_EFS: ("{target} is cut off from the file system", _lasting),
    Kind.CUT_API: ("{target} is cut off from the API", _lasting),
    Kind.CUT_CLIENTS: ("{target} is cut off from its clients", _lasting),
    Kind.CUT_ALL: ("{target} is cut off from file system, API and clients", _lasting),
    Kind.AGENT_KILL: ("the agent of {target} is killed", _plain),
    Kind.AGENT_STOP: ("the agent of {target} hangs", _lasting),
    Kind.EFS_RESTART: ("the file server restarts", _server_restart),
    Kind.ZONE_LOSS: ("the zone of {target} is isolated", _lasting),
    Kind.LAUNCH_FIRST: ("the group runs a second instance beside {target}", _second_instance),
    Kind.REPLACE: ("the group is told to replace {target}", _plain),
    Kind.API_ERRORS: ("the API answers calls to {detail} with errors", _api),
    Kind.API_DELAY: ("the API answers calls to {detail} late", _api),
    Kind.API_LOST_ANSWERS: ("the API carries out calls to {detail}, but its answers are lost", _api),
}
