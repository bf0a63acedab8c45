"""Schedules chosen by Hypothesis: any faults in any order, shrunk to a readable story when something is violated."""

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, note, settings
from hypothesis import strategies as st

from bootstrap.base.timing import LeaseTiming
from lab.simulation.defects import run_schedule
from lab.simulation.drawing import draw
from lab.simulation.faults import Faults
from lab.simulation.schedule import Fault, Schedule
from lab.simulation.world import World

KINDS = sorted(name for name in vars(Faults) if not name.startswith("_") and name != "begin")

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


@pytest.mark.parametrize("defect", ["release-first", "shutting-down-is-dead"])
def test_a_rule_broken_on_purpose_is_found_without_a_seed(defect: str) -> None:
    found = find(
        schedules,
        lambda schedule: bool(run_schedule(schedule, defect).violations),
        settings=settings(
            max_examples=2000,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
        random=Random(1),
    )
    assert found.faults, "a schedule without any fault violates something"
    assert run_schedule(found).violations == []


def test_the_seeded_schedules_offer_every_fault_that_there_is() -> None:
    drawn = {fault.kind for seed in range(480) for fault in draw(seed).faults}
    assert drawn - {"nothing"} == set(KINDS)
