"""Exactly one writer, on real machines: fixed scenarios, a planted second writer, and some random schedules.

Run inside the lab's namespace: `python -m lab.hardware.namespace -- python -m pytest tests/lab/test_one_writer.py`.
Every scenario is judged by the checker of `lab.chaos` from what arrived at the file server, from the lease directory
and from the clients; more random schedules: `make chaos RUNS=20`.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lab.base.checkout import BUILD
from lab.base.run_directory import run_directory
from lab.base.waiting import wait_for
from lab.chaos.checker import stretches
from lab.chaos.runs import ChaosLab, Run, open_chaos_lab, write_report
from lab.chaos.schedule import Fault, Schedule, generate
from lab.chaos.service_file import TIMINGS
from lab.chaos.story import tell
from lab.hardware import namespace
from lab.play.program import prepare

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
LONG_S = TIMINGS.lease_duration_s + 4.0
SHORT_S = 1.5  # below the watchdog's time-out: a longer stop ends in a reset, as it must
RANDOM_SEEDS = (1, 2, 3)
REPORTS = BUILD / "chaos" / "scenarios"

# A machine without the lease that writes into the service's directory all the same, as a broken product would.
WRITE_WITHOUT_LEASE = """
set -e
mkdir -p /planted
for try in $(seq 40); do  # the network may just be coming up
    mount -t nfs4 -o vers=4.1,nosharecache {server}:{path} /planted && break
    sleep 0.5
done
mountpoint -q /planted
for number in $(seq 5); do
    echo "planted $number" > /planted/planted
    sync /planted/planted
    sleep 0.3
done
umount /planted
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[ChaosLab]:
    if not namespace.inside():
        pytest.fail("needs the lab's namespace: run `python -m lab.hardware.namespace -- python -m pytest tests/lab`")
    with run_directory(Path("/tmp")) as directory, open_chaos_lab(*prepare(), directory, REPORTS) as opened:
        yield opened


def play(lab: ChaosLab, seed: int, *faults: Fault) -> Run:
    """Play a fixed schedule; the seed only names it."""
    return without_violations(lab.play(Schedule(seed=seed, faults=faults)))


def without_violations(run: Run) -> Run:
    write_report(run, REPORTS / f"seed-{run.schedule.seed}.json")
    assert run.violations == (), tell(run, with_events=True)
    return run


def writers(run: Run) -> list[str]:
    return [stretch.machine for stretch in stretches(run.history.writes)]


def longest_gap_s(lab: ChaosLab, run: Run) -> float:
    times_s = [at_s for at_s in lab.stage.lab.ledger.times_s() if at_s >= run.history.writes[0].at_s]
    return max(after - before for before, after in pairwise(times_s))


def service_pid(lab: ChaosLab) -> str:
    """The main process of the service: the same one as before has never been stopped."""
    machine = lab.stage.lab.hypervisor.machine(lab.stage.standing().instance_id)
    assert machine is not None
    return machine.exec("systemctl show --property=MainPID --value influxdb", 20.0).output.split()[-1]


def said(run: Run) -> str:
    return "\n".join(event.sentence for event in run.events)


def is_led_by_another_than(lab: ChaosLab, instance_id: str) -> bool:
    standing = lab.stage.standing()
    return standing.is_good and standing.instance_id != instance_id


def test_a_crashed_holder_is_followed_in_its_own_zone(lab: ChaosLab) -> None:
    run = play(lab, 9001, Fault(kind="crash", at_s=1.0))
    assert len(writers(run)) == 2


def test_a_holder_that_stands_still_longer_than_its_lease_is_dead_before_another_one_writes(lab: ChaosLab) -> None:
    run = play(lab, 9002, Fault(kind="freeze", at_s=1.0, for_s=LONG_S, is_replaced=True, is_moved=True))
    old, new = writers(run)
    assert old != new
    assert lab.stage.lab.hypervisor.machine(old) is None


def test_a_holder_that_stands_still_for_a_moment_goes_on(lab: ChaosLab) -> None:
    lab.await_good()
    before, pid = lab.stage.standing().instance_id, service_pid(lab)
    run = play(lab, 9003, Fault(kind="freeze", at_s=1.0, for_s=SHORT_S))
    assert writers(run) == [before]
    assert service_pid(lab) == pid
    assert longest_gap_s(lab, run) < TIMINGS.lease_duration_s


def test_a_holder_without_its_file_system_stops_itself(lab: ChaosLab) -> None:
    run = play(lab, 9004, Fault(kind="cut-efs", at_s=1.0, for_s=LONG_S, is_replaced=True, is_moved=True))
    assert run.history.generations[-1].number > run.history.generations[0].number


def test_a_holder_without_the_api_serves_on(lab: ChaosLab) -> None:
    lab.await_good()
    pid = service_pid(lab)
    run = play(lab, 9005, Fault(kind="cut-api", at_s=1.0, for_s=LONG_S))
    assert len(writers(run)) == 1
    assert service_pid(lab) == pid
    assert longest_gap_s(lab, run) < TIMINGS.lease_duration_s


def test_a_hanging_agent_does_not_keep_the_service_alive(lab: ChaosLab) -> None:
    run = play(lab, 9006, Fault(kind="agent-stop", at_s=1.0, for_s=LONG_S))
    assert longest_gap_s(lab, run) > 1.0  # the fence stopped the service, and it came back


def test_a_second_instance_beside_a_healthy_holder_ends_itself(lab: ChaosLab) -> None:
    lab.await_good()
    pid = service_pid(lab)
    schedule = Schedule(seed=9007, faults=(Fault(kind="launch-first", at_s=0.0, is_moved=True),))
    with lab.recording() as recording:
        end = lab.actor.begin(schedule.faults[0])
        wait_for(
            lambda: any("ABANDON" in event.sentence for event in recording.events()),
            "the surplus instance's own launch hook",
            deadline_s=180.0,
            poll_s=0.25,
        )
        end()
    run = without_violations(lab.judge(schedule, recording))
    assert len(writers(run)) == 1
    assert service_pid(lab) == pid
    assert longest_gap_s(lab, run) < TIMINGS.lease_duration_s


def test_a_lost_zone_is_left(lab: ChaosLab) -> None:
    run = play(lab, 9008, Fault(kind="zone-loss", at_s=1.0, for_s=LONG_S, is_replaced=True, is_moved=True))
    assert len(writers(run)) == 2


def test_of_two_newcomers_one_serves(lab: ChaosLab) -> None:
    """The group goes back to one only when one serves: until then it may well end the one that holds the lease."""
    lab.await_good()
    crashed = lab.stage.standing().instance_id
    schedule = Schedule(seed=9009, faults=(Fault(kind="launch-first", at_s=0.0), Fault(kind="crash", at_s=0.0)))
    with lab.recording() as recording:
        end, _ = [lab.actor.begin(fault) for fault in schedule.faults]
        wait_for(
            lambda: is_led_by_another_than(lab, crashed),
            "one newcomer that serves",
            deadline_s=150.0,
            poll_s=0.25,
            describe=lambda: lab.stage.standing().missing,
        )
        led_by = lab.stage.standing().instance_id
        end()
    run = without_violations(lab.judge(schedule, recording))
    assert writers(run) == [crashed, led_by]
    assert len([sentence for sentence in said(run).splitlines() if ": launching " in sentence]) >= 2


@pytest.mark.parametrize("seed", RANDOM_SEEDS)
def test_random_schedules(lab: ChaosLab, seed: int) -> None:
    schedule = generate(seed, TIMINGS)
    play(lab, schedule.seed, *schedule.faults)


def test_a_second_writer_is_seen(lab: ChaosLab) -> None:
    """The rule broken on purpose: a machine that holds no lease is told to write, and the checker says so."""
    lab.await_good()
    holder = lab.stage.standing().instance_id
    schedule = Schedule(seed=9010, faults=(Fault(kind="launch-first", at_s=0.0, is_moved=True),))
    with lab.recording() as recording:
        end = lab.actor.begin(schedule.faults[0])
        plant_writer(lab, holder)
        end()
    run = lab.judge(schedule, recording)
    assert "overlap" in {violation.rule for violation in run.violations}, tell(run, with_events=True)


def plant_writer(lab: ChaosLab, holder: str) -> None:
    world = lab.stage.lab

    def second() -> str:
        return next((one.id for one in world.control_plane.instances()
                     if one.id != holder and world.hypervisor.machine(one.id)), "")  # fmt: skip

    machine = world.hypervisor.machine(wait_for(second, "a second instance", deadline_s=30.0))
    assert machine is not None
    machine.wait_until_reachable(60.0)
    zone = next(one.zone for one in world.control_plane.instances() if one.id == machine.name)
    server = next(target.address for target in world.control_plane.mount_targets() if target.zone == zone)
    path = next(point.path for point in world.control_plane.access_points() if point.path.endswith("/data"))
    done = machine.exec(WRITE_WITHOUT_LEASE.format(server=server, path=f"{path}/influxdb"), 40.0)
    assert done.exit_code == 0, done.output
