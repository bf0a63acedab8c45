"""The self-fence at each moment, and its sentences."""

from dataclasses import replace

import pytest

from bootstrap.fence.rules import FenceAction, FenceMemory, FenceStep, fence_step, hold_until, let_go, lost
from tests.kit.lease import TIMING

GUARDED = FenceMemory(generation=7, deadline_s=45.0)


def look(now_s: float, memory: FenceMemory = GUARDED, *, is_empty: bool = False, is_gone: bool = False) -> FenceStep:
    return fence_step(memory, is_cgroup_empty=is_empty, is_mount_gone=is_gone, timing=TIMING, now_s=now_s)


def test_before_the_deadline_it_pets_and_waits() -> None:
    step = look(40.0)
    assert (step.action, step.is_petting, step.next_look_s) == (FenceAction.NOTHING, True, 41.0)
    assert step.sentence == "generation 7 is guarded for 5.0 s more"
    assert look(44.5).next_look_s == 45.0


def test_the_ladder_has_a_sentence_for_each_rung() -> None:
    step = look(45.0)
    assert (step.action, step.sentence) == (FenceAction.TERM, "generation 7 is past its deadline: TERM, KILL in 10 s")
    step = look(55.0, step.memory)
    assert (step.action, step.sentence) == (FenceAction.KILL, "generation 7 is over for 10.0 s: KILL")
    step = look(56.0, step.memory, is_empty=True)
    assert step.action is FenceAction.UNMOUNT
    assert step.sentence == "generation 7 is over for 11.0 s and its processes are gone: unmount"
    step = look(60.0, step.memory, is_empty=True)
    assert (step.action, step.is_petting) == (FenceAction.RESET, False)
    assert step.sentence == "generation 7 is over for 15.0 s and its mount is still there: reset without sync"


def test_when_nothing_is_left_it_goes_on_petting() -> None:
    step = look(61.0, is_empty=True, is_gone=True)
    assert (step.action, step.is_petting) == (FenceAction.NOTHING, True)
    assert step.sentence == "generation 7 is over and nothing of it is left"


def test_what_appears_after_the_ladder_is_reset() -> None:
    step = look(61.0, is_empty=True, is_gone=True)
    assert look(70.0, step.memory, is_empty=False, is_gone=False).action is FenceAction.RESET


def test_woken_up_late_there_is_no_grace() -> None:
    step = look(48.0)
    assert (step.action, step.sentence) == (FenceAction.KILL, "generation 7 is over for 3.0 s, no grace: KILL")
    assert look(53.0, step.memory).action is FenceAction.RESET  # kill_timeout later, not at the end of the ladder
    assert look(200.0).action is FenceAction.RESET


def test_lost_means_kill_at_once_and_reset_soon() -> None:
    memory = lost(GUARDED, now_s=20.0)
    step = look(20.0, memory)
    assert (step.action, step.sentence) == (FenceAction.KILL, "generation 7 is over for 0.0 s, no grace: KILL")
    assert look(25.0, step.memory).action is FenceAction.RESET
    assert lost(FenceMemory(), now_s=20.0) == FenceMemory()


def test_lost_during_the_grace_ends_it() -> None:
    step = look(45.0)
    assert look(46.0, lost(step.memory, now_s=46.0)).action is FenceAction.KILL


@pytest.mark.parametrize(
    ("generation", "deadline_s", "is_clear", "now_s", "memory", "sentence"),
    [
        (7, 50.0, False, 10.0, replace(GUARDED, deadline_s=50.0), "generation 7 is guarded further"),
        (7, 90.0, False, 45.0, GUARDED, "generation 7 is over: nothing can rescue it"),
        (6, 50.0, True, 10.0, GUARDED, "generation 6 is older than generation 7: refused"),
        (8, 50.0, True, 50.0, GUARDED, "generation 8: the deadline offered has passed already: refused"),
        (8, 90.0, False, 46.0, GUARDED, "generation 8: something of generation 7 is left: refused"),
        (8, 90.0, True, 46.0, FenceMemory(generation=8, deadline_s=90.0), "generation 8 is guarded"),
    ],
    ids=["before it passes", "after it has passed", "older", "passed already", "something is left", "the next one"],
)
def test_a_deadline_that_is_offered(
    generation: int, deadline_s: float, *, is_clear: bool, now_s: float, memory: FenceMemory, sentence: str
) -> None:
    assert hold_until(GUARDED, generation, deadline_s, is_clear=is_clear, now_s=now_s) == (memory, sentence)


def test_let_go_is_believed_only_when_nothing_is_left() -> None:
    assert let_go(GUARDED, is_cgroup_empty=True, is_mount_gone=False) == GUARDED
    gone = let_go(GUARDED, is_cgroup_empty=True, is_mount_gone=True)
    assert look(500.0, gone, is_empty=True, is_gone=True).sentence == "nothing is held"
    over = (gone, "generation 7 is over: nothing can rescue it")
    assert hold_until(gone, 7, 600.0, is_clear=True, now_s=500.0) == over
