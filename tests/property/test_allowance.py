"""How long the checker of the simulation lets two write at once: what docs/failure-modes.md says, and no longer."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.lease.rules.actions import Ground
from lab.simulation.machine import Machine
from lab.simulation.schedule import Schedule
from lab.simulation.world import World

TEXT = (Path(__file__).resolve().parents[2] / "docs/failure-modes.md").read_text(encoding="utf-8")
PUBLISHED_S = 1000.0
NOTHING = Schedule(seed=0, policy="proof-or-lease", timings=(LeaseTiming(),), rates=(1.0,), zones=("a", "b"), faults=())


def bold(title: str) -> list[float]:
    section = TEXT.split(f"## {title}\n")[1].split("\n## ")[0]
    return [float(number) for number in re.findall(r"\*\*([\d.]+)\*\*", section)]


AFTER_WAKING_S = bold("The guest is paused, its clock runs on")[1]
LOOKING_S, BLIND_S = bold("The guest is paused together with its clock")


class Pair:
    """Generation 2 was published over generation 1 by a newcomer; both can write for a moment."""

    def __init__(self, *, ground: Ground = "lease-expired", policy: FencePolicy = "proof-or-lease") -> None:
        self.world = World(replace(NOTHING, policy=policy))
        for number in (1, 2):
            self.world.launch("a test")
            self.world.fleet.machines[-1].generation = number
        self.world.checker._taken.append((self.older.id, 1, ground, PUBLISHED_S))

    @property
    def older(self) -> Machine:
        return self.world.fleet.machines[0]

    def thawed(self, at_s: float) -> None:
        self.older.clock.thawed_at_s = self.older.clock.woke_at_s = at_s

    def allowed_until_s(self) -> float:
        self.world.engine.now = PUBLISHED_S + 1.0
        self.world.checker.writers_changed(self.world.fleet.machines)
        self.world.engine.now = PUBLISHED_S + 500.0
        self.world.checker.writers_changed([])
        (overlap,) = self.world.checker.overlaps
        assert len(self.world.checker.violations) == 1, "500 s are a violation in any case"
        return overlap.allowed_until_s


def test_a_holder_that_was_never_paused_is_allowed_nothing() -> None:
    assert Pair().allowed_until_s() == 0.0


@pytest.mark.parametrize("ground", ["first", "released", "own-reboot", "own-restart", "terminated", "gone"])
def test_beside_proof_or_a_release_nobody_is_allowed_anything(ground: Ground) -> None:
    pair = Pair(ground=ground)
    pair.thawed(PUBLISHED_S)
    assert pair.allowed_until_s() == 0.0


def test_under_the_policy_proof_nobody_is_allowed_anything() -> None:
    pair = Pair(policy="proof")
    pair.thawed(PUBLISHED_S)
    assert pair.allowed_until_s() == 0.0


def test_a_guest_whose_clock_ran_on_is_allowed_what_is_written() -> None:
    pair = Pair()
    pair.older.clock.woke_at_s = PUBLISHED_S + 7.0
    assert pair.allowed_until_s() == PUBLISHED_S + 7.0 + AFTER_WAKING_S


def test_a_guest_that_confirmed_a_renewal_after_it_woke_is_allowed_nothing() -> None:
    pair = Pair()
    pair.older.clock.woke_at_s = PUBLISHED_S - 50.0
    pair.world.checker.confirmed(pair.older, PUBLISHED_S - 49.0)
    assert pair.allowed_until_s() == 0.0


@pytest.mark.parametrize("woke_after_s", [-20.0, 0.0, 20.0])
def test_a_guest_whose_clock_stood_still_is_allowed_what_is_written_from_the_later_of_both(woke_after_s: float) -> None:
    pair = Pair()
    pair.thawed(PUBLISHED_S + woke_after_s)
    assert pair.allowed_until_s() == PUBLISHED_S + max(woke_after_s, 0.0) + LOOKING_S


def test_a_guest_that_does_not_reach_the_lease_directory_is_allowed_its_own_ladder_and_no_more() -> None:
    pair = Pair()
    pair.thawed(PUBLISHED_S + 5.0)
    pair.older.file_system_cut_until_s = PUBLISHED_S + 300.0
    assert pair.allowed_until_s() == PUBLISHED_S + 5.0 + BLIND_S


def test_a_guest_whose_agent_was_hit_is_allowed_its_own_ladder_and_no_more() -> None:
    pair = Pair()
    pair.thawed(PUBLISHED_S + 5.0)
    pair.older.agent_hit_s = PUBLISHED_S - 10.0
    assert pair.allowed_until_s() == PUBLISHED_S + 5.0 + BLIND_S
