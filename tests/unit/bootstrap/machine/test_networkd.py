"""Keeping systemd-networkd off the service's interface: one file that comes first, and a reload where networkd runs."""

import logging

import pytest

from bootstrap.machine.networkd import Networkd
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs

MAC = "02:00:00:00:00:0a"
NETPLAN = "10-netplan-all-en.network"  # of Debian's generic cloud images


def keep_off(machine: FakeOs, clock: FakeClock, mac: str = MAC) -> list[str]:
    """What a new run of the agent runs."""
    before = len(machine.log())
    Networkd(machine, machine.paths).keep_off(mac, clock.deadline())
    return machine.log()[before:]


def test_its_file_comes_before_the_others_and_names_one_device(machine: FakeOs, clock: FakeClock) -> None:
    machine.paths.networkd_state.write_text("")
    assert keep_off(machine, clock) == ["networkctl reload"]
    (file,) = machine.paths.networkd_files.iterdir()
    assert sorted([NETPLAN, "70-ens6.network", file.name])[0] == file.name
    sections = file.read_text().split("\n\n")
    assert sections[0].splitlines()[1:] == ["[Match]", f"MACAddress={MAC}"]
    assert sections[1].splitlines() == ["[Link]", "Unmanaged=yes"]


def test_it_is_told_once_and_again_when_it_was_told_in_vain_or_the_file_is_gone(
    machine: FakeOs, clock: FakeClock
) -> None:
    machine.paths.networkd_state.write_text("")
    networkd = Networkd(machine, machine.paths)
    networkd.keep_off(MAC, clock.deadline())
    networkd.keep_off(MAC, clock.deadline())
    (file,) = machine.paths.networkd_files.iterdir()
    assert machine.log() == ["networkctl reload"]
    file.unlink()
    machine.forbid("networkctl")
    networkd.keep_off(MAC, clock.deadline())
    networkd.keep_off(MAC, clock.deadline())
    assert machine.log() == ["networkctl reload"] * 3
    machine.forbid()
    assert keep_off(machine, clock) == ["networkctl reload"], "a new run of the agent cannot know"
    assert keep_off(machine, clock, "02:00:00:00:00:0b") == ["networkctl reload"], "another interface"


def test_where_networkd_does_not_run_nothing_is_reloaded(machine: FakeOs, clock: FakeClock) -> None:
    assert keep_off(machine, clock) == []
    assert len(list(machine.paths.networkd_files.iterdir())) == 1, "it may be started later"


@pytest.mark.parametrize("is_full", [True, False])
def test_what_prevents_it_is_said_and_fails_nothing(
    machine: FakeOs, clock: FakeClock, caplog: pytest.LogCaptureFixture, *, is_full: bool
) -> None:
    if is_full:
        machine.paths.networkd_files.write_text("in the way")
    machine.paths.networkd_state.write_text("")
    machine.forbid("networkctl")
    with caplog.at_level(logging.WARNING):
        keep_off(machine, clock)
    assert f"networkd was not told to leave {MAC} alone" in caplog.text
