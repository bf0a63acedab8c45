"""Lease and fence on real machines: guards of the unit, a stopped agent, a killed fence, an instance cut off from EFS.

Run inside the lab's namespace: `python -m lab.hardware.namespace -- python -m pytest tests/lab/test_fencing.py`.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

from bootstrap.base.names import access_point_path
from bootstrap.base.state import StateServerSettings
from bootstrap.base.timing import LeaseTiming
from bootstrap.lease.child import SPARE, SPARES
from bootstrap.machine.probe_child import PROBE
from bootstrap.run.data_watch import PROBE_S
from bootstrap.run.data_watch_rules import LATE_S, STALL_S
from lab.base.errors import LabError
from lab.base.waiting import wait_for
from lab.hardware.file_server import EXPORT
from lab.hardware.machine import MachineEnded, MachineTimeout
from lab.hardware.uml import UmlMachine
from lab.image.images import SERVICE
from lab.play.scenes import deploy_scene, first_boot_scene
from lab.play.stage import Stage
from lab.play.standing import Standing
from lab.play.synthesis import Template
from lab.report.model import Phase, Scene

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
TIMING = LeaseTiming()
EARLY_S = 5.0  # before a look at the data
ALONE_S = 20.0  # boot, polling and a busy machine on top of what is measured


@pytest.fixture(scope="module")
def booted(stage: Stage, templates: dict[str, tuple[Template, Phase]]) -> Scene:
    deploy_scene(stage, *templates["1"])
    scene = first_boot_scene(stage)
    assert scene.healed, scene.reason
    return scene


def serving(stage: Stage) -> tuple[Standing, UmlMachine]:
    standing = stage.standing()
    machine = stage.lab.hypervisor.machine(standing.instance_id)
    assert machine is not None
    return standing, machine


def said(machine: UmlMachine, command: str, timeout_s: float = 20.0) -> str:
    """What `command` prints; empty while the machine does not answer."""
    try:
        return machine.exec(command, timeout_s).output.strip()
    except (MachineTimeout, MachineEnded):
        return ""


def generation(machine: UmlMachine) -> int:
    return int(json.loads(said(machine, "cat /run/soloist/state.json"))["generation"])


def until_ready(stage: Stage, timeout_s: float, is_so: Callable[[Standing], bool] = lambda _: True) -> Standing:
    def look() -> Standing | None:
        standing = stage.standing()
        return standing if standing.is_good and is_so(standing) else None

    return wait_for(look, "a good standing", deadline_s=timeout_s, poll_s=0.5, describe=lambda: last_steps(stage))


def last_steps(stage: Stage) -> str:
    """What is missing, and where the boot of the reporting instance is."""
    standing = stage.standing()
    machine = stage.lab.hypervisor.machine(standing.instance_id)
    steps = ""
    if machine is not None:
        with suppress(LabError):
            steps = machine.exec("tail -n 6 /run/soloist/timeline.jsonl; mount -t nfs4", 20.0).output
    return f"{standing.missing}\n{steps}"


def test_fence_stands_with_a_device_and_locked_memory(stage: Stage, booted: Scene) -> None:
    _, machine = serving(stage)
    log = said(machine, "journalctl -u soloist-fence --no-pager -o cat")
    assert "watchdog: /dev/watchdog" in log, log
    locked = said(machine, "grep VmLck /proc/$(systemctl show -p MainPID --value soloist-fence)/status")
    assert int(locked.split()[1]) > 1000, locked


def test_service_knows_its_generation_and_runs_where_the_fence_strikes(stage: Stage, booted: Scene) -> None:
    _, machine = serving(stage)
    environment = said(machine, "tr '\\0' '\\n' < /proc/$(pgrep -x influxd)/environ")
    assert f"SOLOIST_GENERATION={generation(machine)}" in environment.splitlines()
    assert said(machine, "cat /proc/$(pgrep -x influxd)/cgroup") == "0::/soloist.slice/influxdb.service"
    state_server = f"http://{stage.standing().address}:{StateServerSettings().port}"
    shown = requests.get(f"{state_server}/state", timeout=20).json()
    assert (shown["is_ready"], shown["state"]["generation"]) == (True, generation(machine))
    metrics = requests.get(f"{state_server}/metrics", timeout=20).text  # by a package that the image has to have
    assert f"soloist_lease_generation {generation(machine):.1f}" in metrics.splitlines()
    found = f"journalctl -u soloist-agent SOLOIST_GENERATION={generation(machine)} --output=cat"
    assert "ready: influxdb serves at" in said(machine, found), "the log has its fields"


def test_lease_directory_is_mounted_without_any_cache(stage: Stage, booted: Scene) -> None:
    _, machine = serving(stage)
    (line,) = [line for line in said(machine, "cat /proc/self/mountinfo").splitlines() if "/srv/soloist/lease" in line]
    assert {"hard", "noac", "lookupcache=none"} <= set(line.split()[-1].split(","))


def test_a_wall_clock_that_is_set_changes_time_stamps_only(stage: Stage, booted: Scene) -> None:
    before, machine = serving(stage)
    pid, first, seen = said(machine, "pgrep -x influxd"), generation(machine), set()
    for step in ("+1 hour", "-2 hours"):
        assert machine.exec(f"date -s '{step}'").exit_code == 0
        over_s = time.monotonic() + TIMING.renew_deadline_s + TIMING.retry_period_s
        while time.monotonic() < over_s:  # a deadline by the wall clock would be over, or never
            seen.add(said(machine, "pgrep -x influxd"))
            time.sleep(2.0)
    machine.exec("date -s '+1 hour'")
    after = stage.standing()
    assert (seen, generation(machine)) == ({pid}, first)
    assert (after.is_good, after.instance_id, after.sentence) == (True, before.instance_id, before.sentence), after


def test_a_file_server_that_stands_still_for_a_failover_is_a_line_in_the_log_and_nothing_else(
    stage: Stage, booted: Scene
) -> None:
    """It begins shortly before a look at the data, which then waits for more than `LATE_S`. The answer may take twice
    as long as the stall, because TCP sends again after ever longer pauses: still below what is a trouble."""
    before, machine = serving(stage)
    pid, first, server = said(machine, "pgrep -x influxd"), generation(machine), stage.lab.file_server.machine
    stalled_s = EARLY_S + LATE_S + 2.0
    assert 2 * stalled_s < STALL_S
    written = f"stat --format=%Y {EXPORT}{access_point_path(SERVICE, 'data')}/{PROBE}"
    seen = said(server, written)
    wait_for(lambda: said(server, written) != seen, "a look at the data", deadline_s=2 * PROBE_S, poll_s=0.2)
    time.sleep(PROBE_S - EARLY_S)
    server.freeze()
    try:
        time.sleep(stalled_s)
    finally:
        server.thaw()
    log = "journalctl -u soloist-agent --no-pager -o cat | grep 'data: an answer after'"
    wait_for(lambda: said(machine, log), "a line about the late answer", deadline_s=60.0, poll_s=1.0)
    after = until_ready(stage, 60.0)
    assert (after.instance_id, after.sentence) == (before.instance_id, before.sentence)
    assert (said(machine, "pgrep -x influxd"), generation(machine)) == (pid, first)
    assert json.loads(said(machine, "cat /run/soloist/state.json"))["reason"] == ""


def start_alone(machine: UmlMachine) -> str:
    """Start the service's unit without what it is bound to, which systemd would start with it; its state then."""
    command = "systemctl start --job-mode=ignore-dependencies influxdb; systemctl is-active influxdb"
    return said(machine, command).splitlines()[-1]


def test_service_starts_neither_without_lease_nor_without_mount(stage: Stage, booted: Scene) -> None:
    before, machine = serving(stage)
    first = generation(machine)
    assert machine.exec("systemctl stop soloist-agent", 60.0).exit_code == 0
    assert said(machine, "ls /run/soloist").split().count("granted") == 0
    for place in ("/var/lib/influxdb", "/srv/soloist/data", "/srv/soloist/lease"):
        assert said(machine, f"mountpoint {place}").endswith("is not a mountpoint")
        assert machine.exec(f"touch {place}/x").exit_code != 0, f"root could write to {place} without its mount"
    assert start_alone(machine) != "active"
    machine.exec("echo 1 > /run/soloist/granted")
    assert start_alone(machine) != "active", "granted, but nothing is mounted"
    machine.exec("rm /run/soloist/granted; mount -t tmpfs none /var/lib/influxdb")
    assert start_alone(machine) != "active", "something is mounted, but the lease is not granted"
    machine.exec("umount /var/lib/influxdb; systemctl start --no-block soloist-agent")
    until_ready(stage, 120.0, lambda standing: standing.generation > first)
    assert stage.standing().instance_id == before.instance_id
    assert generation(machine) == first + 1


def test_stopped_agent_is_replaced_by_systemd_before_the_fence_strikes(stage: Stage, booted: Scene) -> None:
    before, machine = serving(stage)
    boot_id = said(machine, "cat /proc/sys/kernel/random/boot_id")
    pid = said(machine, "systemctl show -p MainPID --value soloist-agent")
    machine.exec(f"kill -STOP {pid}")
    wait_for(
        lambda: said(machine, "systemctl show -p MainPID --value soloist-agent") not in (pid, "0", ""),
        "another agent",
        deadline_s=60.0 + ALONE_S,
    )
    until_ready(stage, 60.0 + ALONE_S, lambda standing: standing.instance_id == before.instance_id)
    wait_for(lambda: said(machine, "systemctl is-active soloist-agent") == "active", "ready again", deadline_s=60.0)
    assert said(machine, "cat /proc/sys/kernel/random/boot_id") == boot_id
    console = machine.console_path.read_text(errors="replace")
    assert "soloist-agent.service: Watchdog timeout" in console, "the journal of a failed agent is on the console"


def test_killed_fence_ends_the_service_and_both_come_back(stage: Stage, booted: Scene) -> None:
    before, machine = serving(stage)
    pid = said(machine, "pgrep -x influxd")
    machine.exec("systemctl kill --kill-whom=main --signal=KILL soloist-fence")
    wait_for(
        lambda: said(machine, "pgrep -x influxd") not in (pid, ""), "another process of the service", deadline_s=60.0
    )
    until_ready(stage, 60.0, lambda standing: standing.instance_id == before.instance_id)


def test_stopped_fence_is_a_reset_by_the_watchdog(stage: Stage, booted: Scene) -> None:
    """Only the device is left to act: systemd sees a running process, and nothing else pets the device."""
    before, machine = serving(stage)
    machine.exec("systemctl kill --kill-whom=main --signal=STOP soloist-fence")
    wait_for(
        lambda: "softdog: Initiating system reboot" in machine.console_path.read_text(errors="replace"),
        "a reset by the kernel's watchdog",
        deadline_s=TIMING.watchdog_timeout_s + ALONE_S,
        describe=lambda: said(machine, "systemctl status --no-pager --lines=5 soloist-fence soloist-agent", 5.0),
    )
    until_ready(stage, 240.0, lambda standing: standing.generation > before.generation)


def test_cut_off_from_the_file_system_it_stops_by_its_deadline_and_the_service_heals(
    stage: Stage, booted: Scene
) -> None:
    before, machine = serving(stage)
    first, boot_id = generation(machine), said(machine, "cat /proc/sys/kernel/random/boot_id")
    targets = stage.lab.control_plane.mount_targets()
    began_s = time.monotonic()
    addresses = " ".join(target.address for target in targets)
    machine.exec(f"for address in {addresses}; do ip route add blackhole $address/32; done")
    ended_s = _await_end_of_service(machine, boot_id) - began_s
    assert ended_s < TIMING.ladder_s + TIMING.watchdog_timeout_s + ALONE_S
    standing = until_ready(stage, 240.0, lambda standing: standing.instance_id != before.instance_id)
    _, successor = serving(stage)
    assert generation(successor) > first
    assert standing.is_good


def _await_end_of_service(machine: UmlMachine, boot_id: str) -> float:
    """When no process of the service was left, another boot had begun, or the machine was off."""

    def has_ended() -> bool:
        if not machine.is_running():
            return True
        answer = said(machine, "pgrep -cx influxd; cat /proc/sys/kernel/random/boot_id", 5.0).split()
        return answer != [] and (answer[0] == "0" or answer[-1] != boot_id)

    wait_for(has_ended, "the service to end", deadline_s=120.0, poll_s=0.5)
    return time.monotonic()


def test_fence_that_is_told_to_stop_is_named_and_the_instance_replaced(stage: Stage, booted: Scene) -> None:
    before, machine = serving(stage)
    machine.exec("systemctl stop --no-block soloist-fence")

    def states() -> str:
        """The instance's own state, and what is known of it in AWS when it has gone."""
        return said(machine, "cat /run/soloist/state.json", 5.0) + stage.standing().sentence

    wait_for(
        lambda: "soloist-fence.service is being stopped" in states(),
        "a state that names the fence",
        deadline_s=60.0 + ALONE_S,
        poll_s=0.5,
        describe=states,
    )
    until_ready(stage, 120.0, lambda standing: standing.instance_id != before.instance_id)


def test_an_emptied_lease_directory_makes_no_number_lower(stage: Stage, booted: Scene) -> None:
    """The first newcomer publishes generation 1 and finds in the data who wrote to them; its floor has one number."""
    before, machine = serving(stage)
    machine.exec("rm -f /srv/soloist/lease/* /srv/soloist/lease/.new-*")
    wait_for(lambda: said(machine, "pgrep -x influxd") == "", "the end of the service", deadline_s=30.0)
    standing = until_ready(stage, 240.0, lambda standing: standing.instance_id != before.instance_id)
    _, successor = serving(stage)
    assert generation(successor) == before.generation + 2
    assert standing.is_good


def test_nothing_is_left_of_the_temporary_files(stage: Stage, booted: Scene) -> None:
    """A renewal makes one and renames it a moment later; one that stays is a leftover. Each holder keeps two spares."""
    _, machine = serving(stage)

    def leftovers() -> str:
        names = said(machine, "ls -A /srv/soloist/lease").split()
        spares = Counter(name.partition(SPARE)[0] for name in names if SPARE in name)
        others = [name for name in names if not name.startswith("generation-") and SPARE not in name]
        return ", ".join([*others, *(name for name, count in spares.items() if count > SPARES)])

    wait_for(lambda: not leftovers(), "nothing but generations and spares", deadline_s=30.0, describe=leftovers)
