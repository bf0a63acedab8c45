"""Interface slots of a machine whose guest is frozen, was rebooted or does not let go: none stays taken for ever."""

from collections.abc import Callable

import pytest

from lab.base.errors import LabError
from lab.base.waiting import wait_for
from lab.hardware import slots
from lab.hardware.machine import HardwareRefused, MachineTimeout, NetworkInterface
from lab.hardware.network import Port
from lab.hardware.slots import Slots

SLACK_S = 10.0


class FakeNetwork:
    def __init__(self) -> None:
        self.ports: list[str] = []
        self.removed: list[str] = []
        self.pulled: list[str] = []

    def add_port(self, subnet: str) -> Port:
        number = len(self.ports)
        self.ports.append(subnet)
        return Port(subnet=subnet, cable=f"c{number}", device=f"p{number}")

    def pull_cable(self, port: Port) -> None:
        self.pulled.append(port.cable)

    def remove_port(self, port: Port) -> None:
        self.removed.append(port.cable)


class FakeMachine:
    """`devices` are there; `removal` is what its kernel says to a removal."""

    name = "m"

    def __init__(self) -> None:
        self.devices: set[str] = set()
        self.is_on = True
        self.removal: Callable[[str], None] = self.devices.discard

    def is_running(self) -> bool:
        return self.is_on

    def request(self, command: str, timeout_s: float = 5.0) -> str:
        verb, rest = command.split(" ", 1)
        if verb == "remove":
            self.removal(rest)
        else:
            self.devices.add(rest.split(":")[0] + " " + rest.rsplit("mac=", 1)[1])
        return ""

    def ask_guest(self, command: str, limit_s: int) -> int | None:
        return slots.GONE if not self.devices else 0


def interface(mac: str) -> NetworkInterface:
    return NetworkInterface(index=1, mac=mac, bridge="a")


def made(monkeypatch: pytest.MonkeyPatch) -> tuple[FakeMachine, FakeNetwork, Slots]:
    monkeypatch.setattr(slots, "RELEASE_AGAIN_S", 0.01)
    machine, network = FakeMachine(), FakeNetwork()
    return machine, network, Slots(machine, network, {})


def refuse(_: str) -> None:
    raise HardwareRefused("it is in use")


def stay_silent(_: str) -> None:
    raise MachineTimeout("no answer")


@pytest.mark.parametrize("removal", [refuse, stay_silent])
def test_what_is_plugged_into_a_slot_that_the_guest_holds_appears_once_it_is_free(
    monkeypatch: pytest.MonkeyPatch, removal: Callable[[str], None]
) -> None:
    machine, network, own = made(monkeypatch)
    own.attach(interface("old"))
    machine.removal = removal
    own.detach(1)
    own.attach(interface("dropped"))
    own.detach(1)
    own.attach(interface("new"))
    assert (machine.devices, set(network.pulled)) == ({"vec1 old"}, {"c0"})
    machine.removal = lambda _: machine.devices.clear()
    wait_for(lambda: machine.devices == {"vec1 new"}, "the new interface", deadline_s=SLACK_S)
    assert network.removed == ["c0"]
    assert own.port(1).cable == "c1"


def test_a_guest_that_was_rebooted_meanwhile_has_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, network, own = made(monkeypatch)
    own.attach(interface("old"))
    machine.removal = refuse
    machine.devices.clear()
    own.detach(1)
    wait_for(lambda: network.removed == ["c0"], "a free slot", deadline_s=SLACK_S)
    own.plug_again()
    assert machine.devices == set(), "nobody plugs in what was unplugged"


def test_a_machine_that_ends_leaves_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, network, own = made(monkeypatch)
    own.attach(interface("old"))
    machine.removal = refuse
    own.detach(1)
    own.attach(interface("new"))
    machine.is_on = False
    own.clear()
    assert network.removed == ["c0"]
    with pytest.raises(LabError, match="no interface in slot 1"):
        own.port(1)


def test_a_slot_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, network, own = made(monkeypatch)
    own.attach(interface("old"))
    with pytest.raises(HardwareRefused, match="machine m: slot 1 is not free"):
        own.attach(interface("new"))
    assert network.ports == ["a"]
