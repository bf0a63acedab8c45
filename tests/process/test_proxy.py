"""Debian's haproxy with docs/haproxy.cfg in front of two instances: a hand-over and a crash, and what clients see."""

from typing import Any

import pytest

from tests.kit.namespaces import seen_in_a_namespace

NOTICE_S = 0.5  # from the answer to a check to what the proxy makes of it, on a busy machine
CHECKS_S = 0.5 + NOTICE_S  # `inter` of the configuration


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    return seen_in_a_namespace("netns_proxy")


def answers(seen: dict[str, Any], after: float, before: float) -> set[str]:
    """Of the requests that lie wholly between the two moments."""
    found = {answer for began_s, ended_s, answer in seen["asked"] if began_s > after and ended_s < before}
    assert found, "nobody asked"
    return found


def test_until_an_instance_says_not_ready_every_request_is_answered_by_it(seen: dict[str, Any]) -> None:
    assert seen["told_not_ready"] - seen["not_ready"] < CHECKS_S
    assert answers(seen, 0.0, seen["told_not_ready"]) == {"first"}


def test_the_former_holder_is_not_reached_after_it_has_said_not_ready(seen: dict[str, Any]) -> None:
    """Its service goes on for more than a second then, so it would have answered."""
    assert seen["stopped"] - seen["told_not_ready"] > 2 * NOTICE_S, "it was there to be reached"
    late = [at_s for at_s in seen["reached_first"] if seen["told_not_ready"] + NOTICE_S < at_s < seen["ready_again"]]
    assert late == []
    assert answers(seen, seen["told_not_ready"] + NOTICE_S, seen["stopped"]) == {"status 503"}


def test_while_nobody_serves_clients_are_told_so_and_nothing_breaks_or_hangs(seen: dict[str, Any]) -> None:
    assert answers(seen, seen["told_not_ready"], seen["told_ready"]) <= {"first", "status 503"}
    assert max(ended_s - began_s for began_s, ended_s, _ in seen["asked"]) < 5.0


def test_from_the_successors_first_yes_on_every_request_is_answered_by_it(seen: dict[str, Any]) -> None:
    assert seen["told_ready"] - seen["ready"] < CHECKS_S
    assert answers(seen, seen["told_ready"] + NOTICE_S, seen["killed"]) == {"second"}


def test_after_a_crash_the_next_holder_is_found_as_soon_as_it_says_so(seen: dict[str, Any]) -> None:
    assert not {"first", "second"} & answers(seen, seen["killed"], seen["ready_again"])
    assert seen["told_ready_again"] - seen["ready_again"] < CHECKS_S
    last_s = seen["asked"][-1][1]
    assert answers(seen, seen["told_ready_again"] + NOTICE_S, last_s + 1) == {"first again"}
