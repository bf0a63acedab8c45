"""The reset that is left when the kernel's trigger is not there: reboot(2), which does not sync."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bootstrap.fence import last_resort as uninterrupted


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What reboot(2) was asked for. Nothing is reset."""
    commands: list[int] = []
    library = SimpleNamespace(reboot=commands.append)
    monkeypatch.setattr(uninterrupted.ctypes, "CDLL", lambda *_, **__: library)
    return commands


def test_without_the_trigger_the_kernel_is_asked_to_restart(
    asked: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uninterrupted, "SYSRQ_TRIGGER", tmp_path / "missing")
    uninterrupted.reset_machine(tmp_path / "missing")
    assert asked == [0x01234567]  # LINUX_REBOOT_CMD_RESTART of reboot(2)


def test_with_the_trigger_nothing_else_is_asked(asked: list[int], tmp_path: Path) -> None:
    trigger = tmp_path / "trigger"
    trigger.touch()
    uninterrupted.reset_machine(trigger)
    assert (trigger.read_bytes(), asked) == (b"b", [])


def test_a_stand_in_for_the_trigger_never_restarts_this_machine(asked: list[int], tmp_path: Path) -> None:
    uninterrupted.reset_machine(tmp_path / "missing")
    assert asked == []
