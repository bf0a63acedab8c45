"""Rules broken on purpose, one at a time, in the code that ships: the simulation must see each of them.

For: tests/property and `python -m lab.simulation --defect NAME`. A defect replaces a rule, a method or a function where
the loops of the lease use it (broken_takeover, broken_holding), or is a name that a part of the world reads.
Guarantees: each says which rule it breaks and in whose words it may turn up. Does not: combine defects.
"""

import lab.simulation.broken_holding  # noqa: F401 (registers its defects)
from lab.simulation.broken_takeover import OVER_A_HEALTHY_ONE
from lab.simulation.drawing import draw
from lab.simulation.planting import DEFECTS, planted, register
from lab.simulation.schedule import Schedule
from lab.simulation.world import Result, World

__all__ = ["DEFECTS", "run_schedule", "run_seed"]

# Of the surroundings of the lease (mount options, link and rename, the device): parts of the world read these names.
register("one-record", "one file per generation, never overwritten", ("overwrote", "not higher than all before"))
register("cached-look", "each look is fresh (noac, lookupcache=none)", OVER_A_HEALTHY_ONE)
register(
    "renewed-in-place",
    "a renewal lands once: a write sent again brings back an old one, and it looks unchanged",
    ("was brought back",),
)
register("agent-pets", "only the fence process pets the device", ())
register("steal-interface", "a network interface is never taken from a live instance", ("took the network",))
register("no-dns-guard", "the record moves by look and compare-and-swap", ("the record went back",))


def run_seed(seed: int, defect: str = "", *, is_telling: bool = False) -> Result:
    """One run of the schedule of `seed`, with at most one rule broken."""
    return run_schedule(draw(seed), defect, is_telling=is_telling)


def run_schedule(schedule: Schedule, defect: str = "", *, is_telling: bool = False) -> Result:
    """The same for a schedule that no seed gives."""
    flags = frozenset([defect] if defect else [])
    with planted(DEFECTS[defect].plant if defect else None):
        return World(schedule, flags, is_telling=is_telling).run()
