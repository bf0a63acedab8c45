"""Publication, renewal and the guard: what each look says, and the sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bootstrap.base.timing import LeaseTiming
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.permission import may_touch
from bootstrap.lease.rules.publish import Publication, judge_publication
from bootstrap.lease.rules.record import Applicant, LeaseRecord, new_record, renewed
from bootstrap.lease.rules.renew import Hold, Renewal, after_renewal, before_renewal

TIMING = LeaseTiming()
ME = Applicant(
    instance_id="i-1", zone="a", network_interface_id="eni-a", boot_id="b", image_id="ami-1", agent_version="1"
)
OWN = new_record(ME, TIMING, generation=42, nonce="mine")
OTHERS = replace(OWN, nonce="theirs", instance_id="i-2")
AWAY = NoAnswer(reason="time-out")
HOLD = Hold(record=OWN, deadline_s=45.0)


def seen(record: LeaseRecord | None, generation: int = 42) -> Seen:
    return Seen(generation=generation, record=record, text="", sent_s=0.0, returned_s=0.0)


@pytest.mark.parametrize(
    ("read_back", "now_s", "outcome", "sentence"),
    [
        (seen(OWN), 1.0, Publication.WON, "generation 42 is mine"),
        (seen(OTHERS), 1.0, Publication.LOST, "generation 42 was won by i-2"),
        (seen(None), 1.0, Publication.LOST, "generation 42 was won by a record that cannot be read"),
        (
            seen(OTHERS, 43),
            1.0,
            Publication.LOST,
            "generation 42 is not mine to hold: there is generation 43 already",
        ),
        (seen(OTHERS, 41), 1.0, Publication.MISSING, "generation 42 is not there, the highest is generation 41"),
        (AWAY, 1.0, Publication.UNKNOWN, "generation 42 cannot be read back: time-out"),
        (
            seen(OWN),
            45.0,
            Publication.EXPIRED,
            "generation 42 is confirmed only 45 s after it was sent, deadline 45 s",
        ),
    ],
)
def test_what_is_read_back_decides_a_publication(
    read_back: Seen | NoAnswer, now_s: float, outcome: Publication, sentence: str
) -> None:
    verdict = judge_publication(OWN, read_back, sent_s=0.0, now_s=now_s, timing=TIMING)
    assert (verdict.outcome, verdict.sentence, verdict.deadline_s) == (outcome, sentence, 45.0)


def test_a_renewal_is_sent_with_the_next_number() -> None:
    step = before_renewal(HOLD, seen(OWN), now_s=5.0)
    assert step.action is Renewal.SEND
    assert step.hold.record == renewed(OWN)
    assert step.sentence == "generation 42: send renewal 1"


def test_a_confirmed_renewal_counts_from_before_it_was_sent() -> None:
    step = after_renewal(HOLD, seen(OWN), sent_s=5.0, now_s=14.0, timing=TIMING)
    assert (step.action, step.hold.deadline_s) == (Renewal.CONFIRMED, 50.0)
    assert step.sentence == "generation 42: renewal 0 is confirmed, 36 s to the deadline"


def test_an_older_renewal_that_landed_late_confirms_nothing() -> None:
    hold = replace(HOLD, record=renewed(renewed(OWN)))
    step = after_renewal(hold, seen(renewed(OWN)), sent_s=5.0, now_s=6.0, timing=TIMING)
    assert (step.action, step.hold.deadline_s) == (Renewal.RETRY, 45.0)
    assert step.sentence == "generation 42: renewal 2 is not confirmed: something else is read back"


def test_a_renewal_confirmed_after_the_deadline_before_it_is_discarded() -> None:
    step = after_renewal(HOLD, seen(OWN), sent_s=44.0, now_s=45.0, timing=TIMING)
    assert (step.action, step.hold.deadline_s) == (Renewal.EXPIRED, 45.0)
    assert step.sentence == "generation 42: the deadline passed 0.0 s ago, no renewal can rescue it"


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (seen(OTHERS, 43), "generation 42 is lost: there is generation 43"),
        (seen(OTHERS), "generation 42 is lost: its file is that of i-2"),
    ],
)
def test_another_holder_means_lost_before_and_after_a_renewal(look: Seen, sentence: str) -> None:
    for step in (
        before_renewal(HOLD, look, now_s=5.0),
        after_renewal(HOLD, look, sent_s=5.0, now_s=6.0, timing=TIMING),
        before_renewal(HOLD, look, now_s=500.0),
    ):
        assert (step.action, step.sentence) == (Renewal.LOST, sentence)


def test_no_answer_is_tried_again_until_the_deadline() -> None:
    step = before_renewal(HOLD, AWAY, now_s=44.9)
    assert (step.action, step.sentence) == (
        Renewal.RETRY,
        "generation 42: the lease directory does not answer: time-out",
    )
    assert before_renewal(HOLD, AWAY, now_s=45.0).action is Renewal.EXPIRED


@pytest.mark.parametrize(
    ("look", "now_s", "is_given", "sentence"),
    [
        (seen(OWN), 44.0, True, "generation 42 is mine and the highest"),
        (seen(OWN), 45.0, False, "generation 42 is past its deadline: nothing is touched"),
        (AWAY, 1.0, False, "generation 42 cannot be verified (time-out): nothing is touched"),
        (
            seen(OTHERS, 43),
            1.0,
            False,
            "generation 42 is not the highest, there is generation 43: nothing is touched",
        ),
        (seen(OTHERS), 1.0, False, "generation 42 is somebody else's: nothing is touched"),
    ],
)
def test_the_guard(look: Seen | NoAnswer, now_s: float, is_given: object, sentence: str) -> None:
    permission = may_touch(HOLD, look, now_s=now_s)
    assert (permission.is_given, permission.sentence) == (is_given, sentence)
