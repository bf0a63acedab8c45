"""The machine is reset at some point of a boot or while it serves: with another boot id, the next boot ends ready."""

import signal

import pytest

from tests.kit.agent_cloud import ADDRESS
from tests.kit.surroundings import Surroundings

BEFORE_THE_LEASE = ("started:mount-lease", "started:lease")
HOLDING = ("finished:lease", "finished:network-interface", "finished:directories", "started:healthy", "finished:ready")


def boots(here: Surroundings) -> list[tuple[int, str, bool]]:
    return [(record["generation"], record["boot_id"], record["is_released"]) for record in here.generations()]


def serve(here: Surroundings) -> dict[str, str]:
    """Boot until ready; what each phase said."""
    here.serve()
    here.until(lambda: here.record() == [ADDRESS])
    here.assert_serves()
    return here.details()


@pytest.mark.parametrize("event", [*BEFORE_THE_LEASE, *HOLDING])
def test_reset_at_any_point_the_next_boot_ends_ready(surroundings: Surroundings, event: str) -> None:
    victim = surroundings.start(event)
    assert victim.wait(timeout=60) == -signal.SIGKILL
    surroundings.reboot("boot-2")
    said = serve(surroundings)
    if event in BEFORE_THE_LEASE:
        assert boots(surroundings) == [(1, "boot-2", False)]
        assert said["lease"] == "no generation yet: publish generation 1"
    else:
        # At once, and as a new generation: nothing of the old one can still run on this machine.
        assert boots(surroundings) == [(1, "boot-1", False), (2, "boot-2", False)]
        assert "is mine from before a reboot: publish generation 2" in said["lease"]


def test_a_restart_within_one_boot_is_no_reboot(surroundings: Surroundings) -> None:
    victim = surroundings.start("finished:ready")
    assert victim.wait(timeout=60) == -signal.SIGKILL
    surroundings.reboot("boot-1")  # as an agent would see it that is told a constant for its boot id
    assert "from before a reboot" not in serve(surroundings)["lease"]


def test_three_boots_in_a_row_raise_the_generation_each_time(surroundings: Surroundings) -> None:
    serve(surroundings)
    for number in (2, 3):
        surroundings.reboot(f"boot-{number}")
        serve(surroundings)
    assert boots(surroundings) == [(1, "boot-1", False), (2, "boot-2", False), (3, "boot-3", False)]
