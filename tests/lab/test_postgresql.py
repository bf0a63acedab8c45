"""A second real service on machines: Debian's PostgreSQL 15, with a template unit, a stale pid file and a slow stop.

Run inside the lab's namespace: `python -m lab.hardware.namespace -- python -m pytest tests/lab/test_postgresql.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.base.waiting import wait_for
from lab.client.check import compare
from lab.hardware.uml import UmlMachine
from lab.image.images import IMAGE_IDS
from lab.play.program import prepare
from lab.play.scenes import crash_scene, deploy_scene, synthesized
from lab.play.stage import Stage, open_stage
from lab.report.model import Scene
from tests.kit.rows import WRITERS, RowWriters, connected, count_rows

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
SERVICE = "postgresql"
UNIT = "postgresql@15-main.service"
SLOW_S = 8
# A backend that stands still: a fast shutdown waits for it (PostgreSQL documentation, "Shutting Down the Server").
HOLD_UP_THE_STOP = "kill -STOP {pid}; setsid sh -c 'sleep {slow_s}; kill -CONT {pid}' >/dev/null 2>&1 </dev/null &"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def stage(directory: Path) -> Iterator[Stage]:
    kernel, images = prepare(service=SERVICE)
    problems: list[str] = []
    with open_stage(kernel, images, directory / "run", problems, SERVICE) as opened:
        yield opened
    assert problems == []


@pytest.fixture(scope="module")
def rows(stage: Stage) -> Iterator[RowWriters]:
    writers = RowWriters(stage)
    yield writers
    writers.stop()


@pytest.fixture(scope="module")
def booted(stage: Stage, rows: RowWriters, directory: Path) -> Scene:
    deploy_scene(stage, *synthesized(SERVICE, IMAGE_IDS["1"], directory / "template"))
    return stage.play(
        "first boot", lambda _before: "the group launched its first instance", lambda _before: rows.start()
    )


@pytest.fixture(scope="module")
def crashed(stage: Stage, booted: Scene) -> Scene:
    return crash_scene(stage)


@pytest.fixture(scope="module")
def stopped(stage: Stage, crashed: Scene) -> Scene:
    """The group ends the instance, whose PostgreSQL takes its time to stop."""

    def act(_before: object) -> None:
        with connected(stage.lab.resolve(stage.record_name)) as link:
            pid = link.run(BACKENDS)[0][0]
        serving(stage).exec(HOLD_UP_THE_STOP.format(pid=pid, slow_s=SLOW_S))
        stage.lab.boto3_client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=stage.standing().instance_id, ShouldDecrementDesiredCapacity=False
        )

    return stage.play("slow stop", lambda _before: "the group ends the instance while a backend stands still", act)


def serving(stage: Stage) -> UmlMachine:
    machine = stage.lab.hypervisor.machine(stage.standing().instance_id)
    assert machine is not None
    return machine


def test_the_database_runs_where_the_fence_strikes_and_its_wrapper_not_at_all(stage: Stage, booted: Scene) -> None:
    assert booted.healed, booted.reason
    where = f"0::/soloist.slice/{UNIT}"
    shown = serving(stage).exec("for pid in $(pgrep -x postgres); do cat /proc/$pid/cgroup; done").output.split()
    assert len(shown) > WRITERS
    assert set(shown) == {where}


def test_a_crash_leaves_a_pid_file_that_holds_nobody_up(stage: Stage, crashed: Scene) -> None:
    assert crashed.healed, crashed.reason
    assert crashed.zone_to != crashed.zone_from


def test_a_killed_database_is_started_again_in_its_place(stage: Stage, crashed: Scene) -> None:
    machine, before = serving(stage), stage.standing()
    machine.exec(f"systemctl kill --signal=KILL {UNIT}")
    acknowledged = stage.lab.ledger.snapshot(stage.now_s()).acknowledged  # every connection is gone
    wait_for(
        lambda: stage.lab.ledger.snapshot(stage.now_s()).acknowledged > acknowledged + 50,
        "rows after a kill",
        deadline_s=60.0,
        describe=lambda: stage.lab.ledger.snapshot(stage.now_s()).last_trouble,
    )
    assert stage.standing().instance_id == before.instance_id
    assert stage.standing().generation == before.generation


def test_a_slow_stop_is_waited_for_and_the_successor_follows_a_release(stage: Stage, stopped: Scene) -> None:
    assert stopped.healed, stopped.reason
    assert stopped.outage_s > SLOW_S - 1
    details = {phase.name: phase.detail for phase in stopped.phases}
    assert "released" in details["lease"], details


def test_no_acknowledged_row_is_lost_in_all_of_this(stage: Stage, rows: RowWriters, stopped: Scene) -> None:
    rows.stop()
    acknowledged = stage.lab.ledger.acknowledged()
    stored = count_rows(stage.lab.resolve(stage.record_name))
    verdict = compare(acknowledged, {writer: set(counts) for writer, counts in stored.items()})
    assert verdict.acknowledged > 300
    assert verdict.lost == ()
    assert [seq for counts in stored.values() for seq, times in counts.items() if times > 1] == []
