"""The demo's scenes, one test each, on real machines; then an agent that is killed at every step of its boot.

Run inside the lab's namespace: `python -m lab.hardware.namespace -- python -m pytest tests/lab/test_scenes.py`.
"""

import json
import re
import time
from pathlib import Path

import pytest

from bootstrap.machine.units import CONFLICTS
from lab.aws.core.call_log import read_calls
from lab.base.checkout import CHECKOUT
from lab.base.errors import LabError
from lab.base.waiting import wait_for
from lab.hardware.uml import UmlMachine
from lab.image.images import IMAGE_IDS, SERVICE
from lab.play.final_check import check_losses
from lab.play.lab import REGION
from lab.play.scenes import crash_scene, deploy_scene, first_boot_scene, rollback_scene, upgrade_scene
from lab.play.stage import Stage
from lab.play.synthesis import Template
from lab.policies.check import calls_by_role, read_reasons, ungranted, unused
from lab.policies.evaluator import evaluate
from lab.policies.roles import roles_of
from lab.report.model import Phase, Scene
from services.load import load_service
from tests.kit.instance import shipped_steps

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
HOUR_S = 3600.0
BOOT_PHASES = {"metadata", "site", *(step.name for step in shipped_steps()), "ready"}
UNREHEARSED = CHECKOUT / "stacks" / "unrehearsed_grants.yaml"
# Where kernel and systemd have a part in it. tests/process kills the agent at the start and at the end of every step.
KILLED_AT = ("mount-lease", "network-interface", "mount-data", "directories", "service-start", "healthy")

# Runs in the machine: polling from outside would be too slow to hit a step that takes milliseconds.
KILL_AT_STEP = """
set -e
systemctl stop soloist-agent
systemctl reset-failed soloist-agent 2>/dev/null || true
rm -f /run/soloist/timeline.jsonl
systemctl start --no-block soloist-agent
python3 -S -c '
import pathlib, sys, time
timeline, ends_s = pathlib.Path("/run/soloist/timeline.jsonl"), time.monotonic() + 60
while not (timeline.exists() and "\\"started\\", \\"name\\": \\"{step}\\"" in timeline.read_text()):
    if time.monotonic() > ends_s:
        sys.exit("not reached within 60 s: " + timeline.read_text() if timeline.exists() else "no timeline after 60 s")
    time.sleep(0.005)
'
systemctl show --property=MainPID --value soloist-agent
systemctl kill --kill-whom=main --signal=KILL soloist-agent
"""
# The agent is held in the middle of its stop, after its service has stopped. Earlier would not do: systemd sends CONT
# with its TERM (systemd.kill(5)).
START_DURING_A_STOP = """
systemctl stop --no-block soloist-agent
until [ "$(systemctl show --property=ActiveState --value influxdb)" = inactive ]; do sleep 0.05; done
systemctl kill --kill-whom=main --signal=STOP soloist-agent
systemctl start --job-mode=fail influxdb
systemctl list-jobs --no-legend --no-pager
systemctl kill --kill-whom=main --signal=CONT soloist-agent
"""
AWAIT_INACTIVE = "timeout 60 sh -c 'while systemctl is-active soloist-agent | grep -q deactivating; do sleep 0.1; done'"
# What a failing test shows of the machine.
EVIDENCE = """
systemctl list-jobs --no-pager
systemctl status --no-pager --lines=0 soloist-agent influxdb
ps -eo pid,stat,wchan:24,etimes,args | awk '$2 ~ /D/ || /bootstrap|influxd|mount/'
journalctl --no-pager -o short-monotonic -n 400 | grep -v httpd | tail -60
"""


@pytest.fixture(scope="module")
def deployed(stage: Stage, templates: dict[str, tuple[Template, Phase]]) -> Scene:
    return deploy_scene(stage, *templates["1"])


@pytest.fixture(scope="module")
def booted(stage: Stage, deployed: Scene) -> Scene:
    return first_boot_scene(stage)


@pytest.fixture(scope="module")
def crashed(stage: Stage, booted: Scene) -> Scene:
    """The successor's clock is an hour ahead from its boot on; that of the next one, after it, an hour behind."""
    stage.lab.hypervisor.clock_ahead_s = HOUR_S
    return crash_scene(stage)


@pytest.fixture(scope="module")
def upgraded(stage: Stage, crashed: Scene, templates: dict[str, tuple[Template, Phase]]) -> Scene:
    stage.lab.hypervisor.clock_ahead_s = -HOUR_S
    return upgrade_scene(stage, templates["2"][0], IMAGE_IDS["2"])


@pytest.fixture(scope="module")
def rolled_back(stage: Stage, upgraded: Scene) -> Scene:
    stage.lab.hypervisor.clock_ahead_s = 0.0
    return rollback_scene(stage, IMAGE_IDS["1"])


def test_deploy_sends_the_synthesized_bytes(
    stage: Stage, deployed: Scene, templates: dict[str, tuple[Template, Phase]]
) -> None:
    assert stage.lab.control_plane.template_sha256("soloist-influxdb") == templates["1"][0].sha256


def test_first_boot_serves_by_address_and_name(booted: Scene) -> None:
    assert booted.healed, booted.reason
    assert {phase.name for phase in booted.phases} >= BOOT_PHASES
    assert {phase.outcome for phase in booted.phases} == {"ok"}
    assert booted.record_value == booted.address == "10.0.100.10"


CONDITION_FAILS = """
systemctl show --property=TimeoutStartUSec,TimeoutStopUSec influxdb
systemd-run --quiet --wait --property=ExecCondition='/bin/sh -c "exit 255"' --unit=unready touch /run/started || true
systemctl show --property=ActiveState --value unready
test ! -e /run/started && echo "nothing was started"
"""


def test_systemd_takes_the_units_settings_as_the_agent_means_them(stage: Stage, booted: Scene) -> None:
    """bootstrap/machine/unit_settings.py relies on it: the time-outs of the service file, and a failing condition."""
    machine = stage.lab.hypervisor.machine(stage.standing().instance_id)
    assert machine is not None
    shown = machine.exec(CONDITION_FAILS, 60.0).output.splitlines()
    service = load_service(CHECKOUT / "services" / f"{SERVICE}.yaml").service
    expected = {f"Timeout{what}USec={span(limit_s)}" for what, limit_s in
                (("Start", service.start_timeout_s), ("Stop", service.stop_timeout_s))}  # fmt: skip
    assert set(shown[:2]) == expected
    assert shown[2:] == ["failed", "nothing was started"]


def span(seconds: float) -> str:
    """As systemd writes it: 90 is "1min 30s"."""
    minutes, rest = divmod(int(seconds), 60)
    return " ".join(part for part in (f"{minutes}min" * bool(minutes), f"{rest}s" * bool(rest)) if part)


BREAK = """
set -e
systemd-run --quiet --unit=shipper tail -f /var/lib/influxdb/meta/meta.db
systemd-run --quiet --unit=orphan unshare --mount --propagation private sleep 1000
ip address del {address}/24 dev "$(ip -o -4 address show to {address} | cut -d' ' -f2)"
ip rule del from {address}
systemctl restart systemd-networkd
rm /run/soloist/granted /run/soloist/generation.env
umount -l /var/lib/influxdb
"""
PUT_BACK = """
set -e
journalctl --no-pager -o cat -u soloist-agent | grep 'upkeep: mended' | cut -d: -f2 | sort -u
journalctl --no-pager -o cat -u soloist-agent | grep 'ended before the release' | cut -d'(' -f1 | cut -d: -f2
mountpoint -q /var/lib/influxdb && mountpoint -q /srv/soloist/data
test -e /run/soloist/granted && test -e /run/soloist/generation.env
ip rule show from {address} | grep -q lookup
networkctl list --no-legend --no-pager "$(ip -o -4 address show to {address} | cut -d' ' -f2)" | grep -q unmanaged
if systemctl is-active --quiet shipper orphan; then exit 1; fi
echo whole
"""


def test_what_is_broken_on_the_serving_machine_is_put_back_and_said(stage: Stage, booted: Scene) -> None:
    """All of it at once: keepalived#836, systemd#12050, efs-csi#112, coreos/bugs#1086, and a lazy unmount."""
    before = stage.standing()
    machine = stage.lab.hypervisor.machine(before.instance_id)
    assert machine is not None
    broken = machine.exec(BREAK.format(address=before.address), 120.0)
    assert broken.exit_code == 0, broken.output
    records, ec2 = stage.lab.boto3_client("route53"), stage.lab.boto3_client("ec2")
    hosted_zone = records.list_hosted_zones()["HostedZones"][0]["Id"]
    found = records.list_resource_record_sets(HostedZoneId=hosted_zone)["ResourceRecordSets"]
    (mine,) = [item for item in found if item["Type"] == "A" and item["Name"].rstrip(".") == stage.record_name]
    wanted = {**mine, "ResourceRecords": [{"Value": "10.0.100.99"}]}
    records.change_resource_record_sets(
        HostedZoneId=hosted_zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]}
    )
    (held,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[before.network_interface_id])["NetworkInterfaces"]

    def shown() -> str:
        return machine.exec(PUT_BACK.format(address=before.address), 60.0).output

    def is_whole(*parts: str) -> bool:
        output = shown()
        return stage.standing().is_good and "whole" in output and all(part in output for part in parts)

    parts = ("mended address", "mended connection", "mended data", "mended unit-files", "tail", "sleep")
    try:
        wait_for(lambda: is_whole(*parts), "everything put back", deadline_s=150.0, poll_s=2.0)
        ec2.detach_network_interface(AttachmentId=held["Attachment"]["AttachmentId"])
        wait_for(lambda: not stage.standing().is_good, "the interface to be detached", deadline_s=30.0, poll_s=0.2)
        wait_for(is_whole, "the interface attached again", deadline_s=150.0, poll_s=2.0)
    except LabError as error:
        pytest.fail(f"{error}\n{shown()}\n{evidence(machine)}")
    assert stage.standing().instance_id == before.instance_id
    assert stage.standing().sentence.startswith("healthy; mended ")


def test_crash_heals_in_another_zone_with_that_zones_address(crashed: Scene) -> None:
    assert crashed.healed, crashed.reason
    assert crashed.zone_to != crashed.zone_from
    assert crashed.record_value == crashed.address == f"10.0.{100 + ord(crashed.zone_to[-1]) - ord('a')}.10"
    assert crashed.ami_to == crashed.ami_from == IMAGE_IDS["1"]


def test_both_parts_of_the_file_system_are_mounted_by_its_name_which_is_the_same_in_every_zone(
    stage: Stage, booted: Scene, crashed: Scene
) -> None:
    (file_system,) = {target.file_system_id for target in stage.lab.control_plane.mount_targets()}
    name = f"{file_system}.efs.{REGION}.amazonaws.com"
    for scene in (booted, crashed):
        details = {phase.name: phase.detail for phase in scene.phases}
        assert (details["mount-lease"], details["mount-data"]) == (f"by {name}", f"by {name}")
    machine = stage.lab.hypervisor.machine(stage.standing().instance_id)
    assert machine is not None
    shown = machine.exec("findmnt --noheadings --types nfs4 --output TARGET,SOURCE --raw").output.split()
    mounted = dict(zip(shown[::2], shown[1::2], strict=True))
    assert {source.split(":")[0] for source in mounted.values()} == {name}
    assert {"/srv/soloist/lease", "/srv/soloist/data"} <= set(mounted)


def running_version(stage: Stage) -> tuple[str, str]:
    """What the instance reports, and what its image says of itself."""
    standing = stage.standing()
    machine = stage.lab.hypervisor.machine(standing.instance_id)
    assert machine is not None
    return standing.image_version, json.loads(machine.exec("cat /etc/soloist/image.json").output)["version"]


def clock_ahead_s(stage: Stage) -> float:
    """By how much the clock of the machine that serves is ahead of ours, within some seconds."""
    machine = stage.lab.hypervisor.machine(stage.standing().instance_id)
    assert machine is not None
    return float(machine.exec("date +%s").output) - time.time()


def test_an_instance_that_boots_an_hour_ahead_takes_over_and_serves(stage: Stage, crashed: Scene) -> None:
    assert crashed.healed, crashed.reason
    assert clock_ahead_s(stage) == pytest.approx(HOUR_S, abs=60.0)


def test_the_first_image_shows_its_version(stage: Stage, crashed: Scene) -> None:
    assert running_version(stage) == ("1", "1")


def test_an_instance_that_boots_an_hour_behind_takes_over_from_one_that_is_ahead(stage: Stage, upgraded: Scene) -> None:
    assert upgraded.healed, upgraded.reason
    assert clock_ahead_s(stage) == pytest.approx(-HOUR_S, abs=60.0)


def test_upgrade_runs_the_promoted_image(
    stage: Stage, upgraded: Scene, templates: dict[str, tuple[Template, Phase]]
) -> None:
    assert upgraded.healed, upgraded.reason
    assert stage.lab.control_plane.template_sha256("soloist-influxdb") == templates["2"][0].sha256
    assert (upgraded.ami_from, upgraded.ami_to) == (IMAGE_IDS["1"], IMAGE_IDS["2"])
    assert running_version(stage) == ("2", "2")


def test_rollback_runs_the_image_before(stage: Stage, rolled_back: Scene) -> None:
    assert rolled_back.healed, rolled_back.reason
    assert (rolled_back.ami_from, rolled_back.ami_to) == (IMAGE_IDS["2"], IMAGE_IDS["1"])
    assert running_version(stage) == ("1", "1")


def test_the_roles_grant_every_call_of_the_run_and_nothing_without_use_or_reason(
    stage: Stage, rolled_back: Scene, directory: Path
) -> None:
    """Judged from the file that a demo leaves (before agents are killed): deploy, boots, crash, upgrade, rollback."""
    path = directory / "calls.jsonl"
    stage.lab.control_plane.calls.keep_in(path)
    clients = (stage.lab.boto3_client("cloudformation"), stage.lab.boto3_client("iam"))
    roles = roles_of(*clients, f"soloist-{SERVICE}")
    calls, strange = calls_by_role(read_calls(path), roles)
    assert strange == []
    judgements = evaluate(calls)
    assert {role.logical_id for role in roles} == {judgement.role.logical_id for judgement in judgements}
    # The watchdog is not deployed here, and neither is the role of the function that looks for it.
    reasons = [one for one in read_reasons(UNREHEARSED) if any(role.logical_id.startswith(one.role) for role in roles)]
    findings = ungranted(judgements) + unused(judgements, roles, reasons)
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("step", KILLED_AT)
def test_agent_killed_at_a_step_ends_ready_again(stage: Stage, rolled_back: Scene, step: str) -> None:
    before = stage.standing()
    machine = stage.lab.hypervisor.machine(before.instance_id)
    assert machine is not None
    try:
        killed = machine.exec(KILL_AT_STEP.format(step=step), 120.0)
        assert killed.exit_code == 0, killed.output
        await_ready_again(stage, machine, killed_pid=killed.output.split()[-1])
    except (LabError, AssertionError) as error:
        pytest.fail(f"{step}: {error}\n{evidence(machine)}")
    assert stage.standing().instance_id == before.instance_id


# A mount helper that leaves a child, as efs-utils leaves its proxy, called as the agent calls it.
MOUNT_BY_HELPER = r"""
printf '#!/bin/sh\nsetsid sleep 987 >/dev/null 2>&1 &\n' > /sbin/mount.efs && chmod +x /sbin/mount.efs
systemd-run --quiet --wait --property=KillMode=mixed --property=Environment=PYTHONPATH=/opt/soloist/lib \
    /opt/soloist/venv/bin/python -c '
from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.claims.storage.efs import OUTSIDE_OF_THE_AGENT
from bootstrap.machine.commands import ChildCommands
limit = Deadline(SystemClock(), 20, "mount")
print(ChildCommands().run((*OUTSIDE_OF_THE_AGENT, "mount", "-t", "efs", "fs-1:/", "/mnt"), limit).summary)
'
rm /sbin/mount.efs
for pid in $(pgrep -fx 'sleep 987'); do cat /proc/$pid/cgroup; done
pkill -fx 'sleep 987'
"""


def test_the_proxy_of_a_mount_outlives_the_unit_that_mounts(stage: Stage, rolled_back: Scene) -> None:
    """bootstrap/claims/storage/efs.py relies on it: systemd ends the whole control group of a unit that ends."""
    machine = stage.lab.hypervisor.machine(stage.standing().instance_id)
    assert machine is not None
    shown = machine.exec(MOUNT_BY_HELPER, 60.0).output
    assert re.search(r"^0::/system.slice/run-\w+\.scope$", shown, re.MULTILINE), shown


def test_systemd_refuses_a_start_of_the_service_that_would_reverse_the_stop_of_the_agent(
    stage: Stage, rolled_back: Scene
) -> None:
    """bootstrap/machine/units.py relies on it: in the default mode the start would cancel the stop and win."""
    machine = stage.lab.hypervisor.machine(stage.standing().instance_id)
    assert machine is not None
    shown = machine.exec(START_DURING_A_STOP, 60.0).output
    assert CONFLICTS in shown
    assert "soloist-agent.service stop running" in " ".join(shown.split())
    started = machine.exec(f"{AWAIT_INACTIVE} && systemctl start soloist-agent", 120.0)
    assert started.exit_code == 0, started.output
    # The agent's report to the state parameter does not hold up its readiness, and may come after it.
    wait_for(lambda: stage.standing().is_good, "ready after the stop", deadline_s=60.0, poll_s=0.5)


def evidence(machine: UmlMachine) -> str:
    try:
        return machine.exec(EVIDENCE, 60.0).output
    except LabError as error:
        return f"{error}\n{machine.console_tail(60)}"


def await_ready_again(stage: Stage, machine: UmlMachine, *, killed_pid: str) -> None:
    def is_ready() -> bool | None:
        shown = machine.exec("systemctl show --property=MainPID,ActiveState --value soloist-agent", 20.0).output.split()
        # systemd may not have noticed the death yet, and the state parameter is still that of the run before
        is_again = "active" in shown and killed_pid not in shown
        return is_again and stage.standing().is_good

    wait_for(is_ready, "ready after a kill", deadline_s=90.0, poll_s=0.5)


def test_nothing_acknowledged_is_lost_in_all_of_this(stage: Stage, rolled_back: Scene) -> None:
    verdict = check_losses(stage)
    assert verdict.acknowledged > 500
    assert verdict.lost == ()
