"""The watchdog device, with a FIFO in its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.fence.watchdog import WatchdogDevice


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[int]:
    os.mkfifo(tmp_path / "watchdog")
    descriptor = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def test_petted_and_let_go_with_the_magic_character(tmp_path: Path, reader: int) -> None:
    device = WatchdogDevice.open(tmp_path / "watchdog", 10)
    assert device is not None
    assert device.timeout_s == 0, "a pipe takes no time-out"
    device.pet()
    device.release()
    assert os.read(reader, 10) == b"\0V"


def test_no_device_is_an_answer(tmp_path: Path) -> None:
    assert WatchdogDevice.open(tmp_path / "nowhere", 10) is None


def test_device_that_fails_never_stops_the_caller(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "watchdog")
    reading = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    device = WatchdogDevice.open(tmp_path / "watchdog", 10)
    os.close(reading)
    assert device is not None
    device.pet()
    device.release()
