"""The decisions of a group, on observations alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.aws.autoscaling.group_decisions import (
    CAUSE_EC2_STATE,
    CutOut,
    Decision,
    Forget,
    GroupSeen,
    Launch,
    MarkUnhealthy,
    MemberSeen,
    Move,
    Retire,
    WaitSeen,
    choose_zone,
    decide,
)

ONE = MemberSeen(instance_id="i-1", zone="a", lifecycle="InService", in_service_since=0.0)
SICK = replace(ONE, health="Unhealthy", unhealthy_cause="because")
GROUP = GroupSeen(desired=1, maximum=1, grace_s=0, impaired_replace_s=120)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ((), [Launch(count=1)]),
        ((ONE,), []),
        ((replace(ONE, ec2_state="terminated"),), [MarkUnhealthy(instance_id="i-1", cause=CAUSE_EC2_STATE)]),
        ((SICK,), [Retire(instance_id="i-1", cause="because")]),
        (
            (replace(ONE, lifecycle="Terminating:Wait", waits=(WaitSeen(deadline=200, default_result="CONTINUE"),)),),
            [Launch(count=1)],
        ),
        (
            (replace(ONE, lifecycle="Terminating:Wait", waits=(WaitSeen(deadline=50, default_result="CONTINUE"),)),),
            [Move(instance_id="i-1", to="Terminating:Proceed")],
        ),
        ((replace(ONE, lifecycle="Terminating:Proceed"),), [CutOut(instance_id="i-1")]),
        ((replace(ONE, lifecycle="Terminating:Proceed", ec2_state="terminated"),), [Forget(instance_id="i-1")]),
        ((replace(ONE, lifecycle="Pending", ec2_state="pending"),), []),
        ((replace(ONE, lifecycle="Pending"),), [Move(instance_id="i-1", to="InService")]),
        ((replace(ONE, impaired_for_s=119),), []),
    ],
)
def test_decisions(members: tuple[MemberSeen, ...], expected: list[Decision]) -> None:
    assert decide(replace(GROUP, members=members), now=100) == expected


def test_a_replacement_does_not_wait_for_the_end_of_its_predecessor() -> None:
    leaving = replace(GROUP, members=(replace(ONE, lifecycle="Terminating:Proceed", ec2_state="shutting-down"),))
    assert decide(leaving, now=100) == [Launch(count=1)]


def test_a_failed_launch_is_not_tried_again_at_once() -> None:
    assert decide(replace(GROUP, launch_allowed_at=160), now=100) == []
    assert decide(replace(GROUP, launch_allowed_at=160), now=160) == [Launch(count=1)]


def test_shrinking_takes_the_youngest_that_is_not_in_service() -> None:
    young = replace(ONE, instance_id="i-2", lifecycle="Pending", ec2_state="pending", in_service_since=None)
    (decision,) = decide(replace(GROUP, maximum=2, members=(ONE, young)), now=100)
    assert isinstance(decision, Retire)
    assert (decision.instance_id, decision.replace) == ("i-2", False)


def test_protected_instances_are_not_shrunk_away() -> None:
    kept = replace(GROUP, desired=0, members=(replace(ONE, protected=True),))
    assert decide(kept, now=100) == []


@pytest.mark.parametrize(
    ("in_use", "preferred", "excluded", "expected"),
    [
        ({}, (), (), "a"),
        ({"a": 1}, (), (), "b"),
        ({}, ("c",), (), "c"),
        ({"c": 1}, ("c", "b"), (), "c"),
        ({}, ("c", "b"), ("c",), "b"),
        ({}, (), ("a", "b", "c"), None),
    ],
)
def test_the_choice_of_a_zone(
    in_use: dict[str, int], preferred: tuple[str, ...], excluded: tuple[str, ...], expected: str | None
) -> None:
    chosen = choose_zone(("a", "b", "c"), in_use=in_use, preferred=preferred, excluded=frozenset(excluded))
    assert chosen == expected
