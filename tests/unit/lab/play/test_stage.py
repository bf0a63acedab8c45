"""A scene on a stage: measured from outside, with the parts of the way back and its state on the screen."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lab.aws import Event as CloudEvent
from lab.play import stage as stages
from lab.play.stage import Stage
from lab.play.standing import Standing
from lab.report.model import Phase

BOOT = (Phase(name="metadata", start_s=0.0, duration_s=1.0, outcome="ok"),
        Phase(name="healthy", start_s=1.0, duration_s=2.0, outcome="ok"))  # fmt: skip
GOOD = {"phase": "ready", "lifecycle": "InService", "network_interface_id": "eni-1"}
BEFORE = Standing(instance_id="i-1", zone="us-east-1a", address="10.0.0.1", record_value="10.0.0.1", **GOOD)  # type: ignore[arg-type]
AFTER = Standing(instance_id="i-2", zone="us-east-1b", address="10.0.1.1", record_value="10.0.1.1", phases=BOOT, **GOOD)  # type: ignore[arg-type]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A lab whose clock moves only when somebody sleeps or waits, and which serves as `standing` says."""
    here = SimpleNamespace(now_s=100.0, standing=BEFORE, tell=lambda _event: None)

    def sleep(seconds: float) -> None:
        here.now_s += seconds

    def wait_for(condition: Callable[[], bool], *_: object, **__: object) -> None:
        while not condition():
            here.now_s += 0.5
            here.standing = AFTER if here.now_s >= 112.0 else here.standing

    monkeypatch.setattr(stages, "time", SimpleNamespace(monotonic=lambda: here.now_s, sleep=sleep, time=lambda: 0.0))
    monkeypatch.setattr(stages, "wait_for", wait_for)
    monkeypatch.setattr(stages, "read_standing", lambda *_: here.standing)
    answers = SimpleNamespace(snapshot=lambda now_s: SimpleNamespace(last_acknowledged_s=now_s, acknowledged=3,
                                                                      per_second=(), current_gap_s=0.0),
                              times_s=lambda: [100.0, 112.5, 113.0, 113.5, 114.0, 114.5, 115.0, 115.5])  # fmt: skip
    cloud = SimpleNamespace(subscribe=lambda tell: setattr(here, "tell", tell), group=lambda _name: None,
                            instances=lambda: (), network_interfaces=lambda: ())  # fmt: skip
    here.lab = SimpleNamespace(boto3_client=lambda _name: None, control_plane=cloud, ledger=answers,
                               resolve=lambda _name: "")  # fmt: skip
    return here


def stage_of(world: SimpleNamespace) -> Stage:
    lab: Any = world.lab
    return Stage(lab, "influxdb", "influxdb.example.internal", zero_s=world.now_s, planned=("crash", "upgrade"))


def test_the_parts_of_the_way_back_are_from_the_launch_and_from_the_boot_itself(world: SimpleNamespace) -> None:
    stage = stage_of(world)

    def crash(_before: Standing) -> None:
        world.now_s += 4.0
        for text in ("pending", "running"):
            world.tell(CloudEvent(at=0.0, kind="instance", subject="i-2", text=text))
            world.now_s += 1.0

    scene = stage.play("crash", lambda before: f"the machine was killed in {before.zone}", crash)
    assert scene.healed, scene.reason
    # Event at 0 s, launched at 4 s, seen ready at 12 s after a boot of 3 s.
    assert [(part.start_s, part.duration_s) for part in scene.parts] == [(0.0, 4.0), (4.0, 5.0), (9.0, 3.0)]
    assert (scene.zone_from, scene.zone_to, scene.outage_s) == ("us-east-1a", "us-east-1b", 12.5)


def test_the_screen_knows_which_scenes_are_over_and_which_is_on(world: SimpleNamespace) -> None:
    stage = stage_of(world)
    stage.scene = "crash"
    assert stage.snapshot().scenes == (("crash", "now"), ("upgrade", ""))
    scene = stage.play("crash", lambda _before: "killed", lambda _before: None)
    assert scene.parts == (), "nobody told of the launch"
    stage.note_end(scene)
    assert stage.snapshot().scenes == (("crash", "done" if scene.healed else "failed"), ("upgrade", ""))
