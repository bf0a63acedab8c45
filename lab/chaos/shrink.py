"""Makes a failing schedule smaller while it still fails. Pure: the caller passes in the function that runs a schedule.

For: `python -m lab.chaos`. Guarantees: at most `reruns` runs; the result failed in its last run, by the same rule as
the original; the order of tries is fixed (drop one fault, then shorten one, then move all to the beginning).
Does not: promise the smallest schedule, because real machines do not repeat a race at will.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lab.chaos.schedule import FIRST_AT_S, Schedule

SHORTEST_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """The smallest failing schedule that was found, and how many runs that took."""

    schedule: Schedule
    reruns: int


def shrink(schedule: Schedule, still_fails: Callable[[Schedule], bool], *, reruns: int) -> Shrunk:
    """The smallest schedule found for which `still_fails` is true; `schedule` itself is known to fail."""
    best, used = schedule, 0
    while used < reruns:
        for candidate in smaller(best):
            if used == reruns:
                break
            used += 1
            if still_fails(candidate):
                best = candidate
                break
        else:
            break
    return Shrunk(schedule=best, reruns=used)


def smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Schedules that are a little smaller, the boldest first."""
    faults = schedule.faults
    for index in range(len(faults)):
        if len(faults) > 1:
            yield replace(schedule, faults=faults[:index] + faults[index + 1 :])
    for index, fault in enumerate(faults):
        simpler = [replace(fault, for_s=round(fault.for_s / 2, 1))] if fault.for_s / 2 >= SHORTEST_S else []
        if fault.is_replaced:
            simpler.append(replace(fault, is_replaced=False))
        if fault.is_moved:
            simpler.append(replace(fault, is_moved=False))
        for one in simpler:
            yield replace(schedule, faults=(*faults[:index], one, *faults[index + 1 :]))
    if faults and faults[0].at_s > FIRST_AT_S:
        early_s = faults[0].at_s - FIRST_AT_S
        yield replace(schedule, faults=tuple(replace(f, at_s=round(f.at_s - early_s, 1)) for f in faults))
