"""Schedules chosen by Hypothesis: any faults in any order, shrunk to a readable story when something is violated."""

from __future__ import annotations

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from bootstrap.lease_timing import LeaseTiming
from lab.simulation.schedule import EXTRA, HITS, Fault, Schedule
from lab.simulation.world import World

KINDS = sorted({*EXTRA, *HITS, "freeze", "launch_first", "stuck", "unhealthy", "silent_cloud", "slow_then_cut"})

faults = st.builds(
    Fault,
    at_s=st.floats(5.0, 200.0),
    kind=st.sampled_from(KINDS),
    target=st.sampled_from(("holder", "newest", "other")),
    length_s=st.floats(1.0, 250.0),
)
schedules = st.builds(
    Schedule,
    seed=st.integers(0, 10_000),
    policy=st.sampled_from(("proof", "proof-or-lease")),
    timings=st.just((LeaseTiming(),)),
    rates=st.tuples(*[st.floats(0.98, 1.02)] * 3),
    zones=st.sampled_from((("a",), ("a", "b"), ("a", "b", "c"))),
    faults=st.lists(faults, max_size=7).map(lambda found: tuple(sorted(found, key=lambda fault: fault.at_s))),
)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(schedules)
def test_no_faults_in_any_order_violate_anything(schedule: Schedule) -> None:
    result = World(schedule, is_telling=True).run()
    note("\n".join(result.story))
    assert result.violations == []
