"""Which messages are sent: each once, not too many, and each end for each beginning."""

from dataclasses import replace

import pytest

from bootstrap.tell.gate import HOUR_S, MOST, Told, admit
from bootstrap.tell.message import Kind, Message
from tests.kit.messages import BEGINNING, END, other


def said(*messages: tuple[float, Message], told: Told | None = None) -> list[Kind | None]:
    told = told or Told()
    kinds = []
    for at_s, message in messages:
        told, kind = admit(told, message, at_s)
        kinds.append(kind)
    return kinds


def test_the_same_is_told_once_and_again_after_an_hour_or_after_its_end() -> None:
    assert said((0, BEGINNING), (10, BEGINNING), (3599, BEGINNING), (3601, BEGINNING)) == [
        "degraded", None, None, "degraded"
    ]  # fmt: skip
    assert said((0, BEGINNING), (1, END), (2, BEGINNING), (3, END)) == ["degraded", "recovered"] * 2


def test_an_end_without_a_beginning_is_not_told() -> None:
    assert said((0, END), (1, BEGINNING), (2, END), (3, END)) == [None, "degraded", "recovered", None]


def test_too_many_are_withheld_which_is_said_once_an_hour_and_ends_come_all_the_same() -> None:
    many = [(float(number), other(number)) for number in range(MOST - 1)]
    late = [(50.0, other(50, "degraded")), (51.0, other(50, "recovered")), (52.0, END), (53.0, other(51))]
    kinds = said((0, BEGINNING), *many, *late, (HOUR_S + 60, other(52)))
    assert kinds[:MOST] == ["degraded", *["boot-failed"] * (MOST - 1)]
    assert kinds[MOST:] == ["withheld", None, "recovered", None, "boot-failed"]


@pytest.mark.parametrize("at_s", [-50.0, 0.0])
def test_what_another_clock_remembers_withholds_nothing(at_s: float) -> None:
    told = Told()
    for number in range(MOST):
        told, _ = admit(told, other(number), 1e9)
    assert said((at_s, BEGINNING), told=told) == ["degraded"]


def test_a_message_says_what_why_what_was_done_what_is_left_and_where_to_look() -> None:
    assert BEGINNING.subject == "soloist demo: trouble (file-system-full)"
    assert BEGINNING.text.splitlines() == [
        "demo on i-1 in us-east-1a, generation 5: no space left. Delete what is not needed.",
        "",
        "What happened: trouble (file-system-full), 2026-11-30T03:00:00.000Z",
        "What was done: The service goes on; this instance tries again and says when it is over.",
        "What is left to do: See the remedy above.",
        "Where to look: soloist status demo; journalctl -u soloist-agent on i-1; docs/runbook.md, "
        "reason file-system-full",
    ]
    assert replace(BEGINNING, generation=0, reason="").attributes == {
        "kind": "degraded", "service": "demo", "instance": "i-1", "zone": "us-east-1a", "generation": "0"
    }  # fmt: skip
