"""docs/failure-modes.md: its numbers are those of the defaults, and the real rules keep to them."""

import re
from pathlib import Path

import pytest

from bootstrap.base.member import Member
from bootstrap.base.notices import NoticeSettings
from bootstrap.base.patience import CLOSED_S
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.base.watchdog import WatchdogSettings
from bootstrap.claims.connection.route53 import TTL_STEPS
from bootstrap.claims.storage.efs import PATIENCE_S
from bootstrap.cloud.log_stream import LARGEST_CALL
from bootstrap.fence.client import FENCE_PATIENCE_S
from bootstrap.fence.rules import LATE_S, TICK_S, FenceAction, FenceMemory, fence_step
from bootstrap.lease.rules.acquire import POLL_S, acquire_step
from bootstrap.lease.rules.actions import GiveUp, Publish, Terminate, Wait
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer, Observation, Seen
from bootstrap.lease.rules.record import Applicant, new_record
from bootstrap.lease.rules.watch import RENEWALS_MISSED, AcquireMemory
from bootstrap.lease.takeover import PUBLISH_PAUSES
from bootstrap.run import kept_parts
from bootstrap.run.data_watch import PROBE_LIMIT_S, PROBE_S
from bootstrap.run.data_watch_rules import STALL_S as DATA_STALL_S
from bootstrap.run.data_watch_rules import longest_stall_s
from bootstrap.run.ladder import RESTART_PAUSES_S, RESTART_WINDOW_S
from bootstrap.run.maintenance import LOOK_S as MAINTENANCE_LOOK_S
from bootstrap.run.notices import OTHER_LOOK_S
from bootstrap.run.site import SITE_S
from lab.simulation.checker import HURRY_S, WAKE_S
from services.workload import Health
from watchdog.watch import PAUSE_S

ROOT = Path(__file__).resolve().parents[2]
T = LeaseTiming()
LADDER = [T.renew_deadline_s, T.renew_deadline_s + T.stop_timeout_s, T.ladder_s]
STALL_S = T.renew_deadline_s - T.retry_period_s - T.request_timeout_s
MISSED_S = RENEWALS_MISSED * T.retry_period_s
SEEN_S = T.retry_period_s + 2 * T.request_timeout_s + T.kill_timeout_s + HURRY_S
BLIND_S = T.ladder_s + T.watchdog_timeout_s + HURRY_S
RATE_PERCENT = int(100 * T.clock_margin_s / (2 * T.lease_duration_s))
AGENT_WATCHDOG_S = 30.0

TABLES = {
    "The holder loses the file system": [
        0.0,
        T.retry_period_s,
        *LADDER,
        T.ladder_s + T.watchdog_timeout_s,
        T.ladder_s + T.watchdog_timeout_s + T.clock_margin_s,
        T.lease_duration_s,
    ],
    "The holder loses the API only": [0.0, T.surplus_deadline_s],
    "The instance ends (crash, spot interruption, somebody's mistake)": [POLL_S, POLL_S + T.settle_s],
    "The operating system panics while EC2 says `running`": [
        0.0,
        MISSED_S,
        MISSED_S + T.terminate_deadline_s,
        MISSED_S + T.force_deadline_s,
        MISSED_S + T.takeover_deadline_s,
    ],
    "A zone is lost, and EC2 cannot end what is in it": [
        0.0,
        T.terminate_deadline_s,
        T.force_deadline_s,
        T.takeover_deadline_s,
    ],
    "The guest is paused, its clock runs on": [T.renew_deadline_s + LATE_S, T.ladder_s, T.lease_duration_s],
    "The agent hangs, or is killed": [0.0, AGENT_WATCHDOG_S, T.renew_deadline_s],
    "The fence is killed": [0.0, T.watchdog_timeout_s],
    "The group launches before it terminates": [0.0, T.surplus_deadline_s],
}
BOLD = {
    "The data give no answer": [PROBE_S, PROBE_LIMIT_S, DATA_STALL_S, DATA_STALL_S, longest_stall_s(T)],
    "Somebody empties the lease directory, or restores an older copy": [T.retry_period_s, T.lease_duration_s],
    "The holder loses the file system": [STALL_S],
    "The file system is full": [PUBLISH_PAUSES.first_s, PUBLISH_PAUSES.longest_s],
    "The operating system panics while EC2 says `running`": [T.drain_deadline_s],
    "The guest is paused, its clock runs on": [TICK_S, WAKE_S],
    "The guest is paused together with its clock": [SEEN_S, BLIND_S],
    "The agent hangs, or is killed": [T.renew_deadline_s],
    "The group launches before it terminates": [T.lease_duration_s],
    "The file server restarts, a mount target fails over": [STALL_S, T.settle_s, PATIENCE_S],
    "A deployment changes zones, addresses, the DNS record or the launch hook": [SITE_S, SITE_S],
    "What is guaranteed, and on what it rests": [
        WAKE_S,
        SEEN_S,
        BLIND_S,
        T.force_deadline_s,
        T.silence_s,
        T.gone_confirm_s,
        RATE_PERCENT,
        TTL_STEPS - 1,
    ],
}
HEALTH = {name: field.default for name, field in Health.model_fields.items()}
PROSE = {  # numbers in sentences, outside of first columns and bold
    "The instance is dead, or its image does not boot": [
        WatchdogSettings().silence_s,
        WatchdogSettings().boot_silence_s,
        5.0,  # minutes, of the alarm on the function's runs (tests/stacks/test_alarms.py)
        WatchdogSettings().settle_s / 60,
        PAUSE_S,
    ],
    "Something that the boot set up is changed while the instance serves": [
        3600 / WatchdogSettings().heartbeat_s,
        WatchdogSettings().heartbeat_s,
        *(look_s / 60 for look_s in (kept_parts.EC2_LOOK_S, kept_parts.MARKER_LOOK_S, kept_parts.RECORD_LOOK_S)),
        FENCE_PATIENCE_S,
        kept_parts.OUTSIDERS_LOOK_S / 60,
    ],
    "The service is not well, or EC2 announces something": [
        HEALTH["interval_s"],
        *RESTART_PAUSES_S[1:],
        RESTART_WINDOW_S / 60,
        HEALTH["unhealthy_after"],
        HEALTH["interval_s"],
        MAINTENANCE_LOOK_S,
        OTHER_LOOK_S,
        NoticeSettings().image_deprecation_days,
        CLOSED_S / 60,
        LARGEST_CALL / 2**20,
    ],
    "The holder loses the file system": [0.0],
    "The operating system panics while EC2 says `running`": [T.lease_duration_s],
    "A zone is lost, and EC2 cannot end what is in it": [T.lease_duration_s],
    "The guest is paused, its clock runs on": [0.0, T.renew_deadline_s + LATE_S, T.ladder_s, T.ladder_s],
    "What is guaranteed, and on what it rests": [1.0],  # a record's shortest TTL
}
COMPARED_ELSEWHERE = {"Every way a run of the agent ends"}  # exit codes, by test_every_end.py


def sections() -> dict[str, str]:
    text = (ROOT / "docs/failure-modes.md").read_text(encoding="utf-8")
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_every_section_with_numbers_is_compared() -> None:
    numbered = {title for title, text in sections().items() if re.search(r"^\| [\d.]+ \|", text, re.MULTILINE)}
    assert numbered == set(TABLES)
    assert {title for title, text in sections().items() if re.search(r"\*\*[\d.]+\*\*", text)} == set(BOLD)


@pytest.mark.parametrize("title", TABLES)
def test_the_seconds_of_a_table_are_those_of_the_defaults(title: str) -> None:
    assert [float(cell) for cell in re.findall(r"^\| ([\d.]+) \|", sections()[title], re.MULTILINE)] == TABLES[title]


@pytest.mark.parametrize("title", BOLD)
def test_the_bounds_in_bold_are_those_of_the_defaults(title: str) -> None:
    assert [float(number) for number in re.findall(r"\*\*([\d.]+)\*\*", sections()[title])] == BOLD[title]


def test_no_number_in_a_sentence_escapes_the_comparison() -> None:
    found = {}
    for title, text in sections().items():
        if title in COMPARED_ELSEWHERE:
            continue
        plain = re.sub(r"^\| [\d.]+ \||\*\*[\d.]+\*\*|`[^`]*`|Route 53", "", text, flags=re.MULTILINE)
        found[title] = [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", plain)]
    assert {title: numbers for title, numbers in found.items() if numbers} == PROSE


def test_the_readme_has_the_same_time_for_the_lease() -> None:
    after_end_s = TABLES["The instance ends (crash, spot interruption, somebody's mistake)"][-1]
    assert f"| Lease | **{after_end_s:g} s** after that |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_agents_watchdog_is_that_of_its_unit() -> None:
    unit = (ROOT / "ami/units/soloist-agent.service").read_text(encoding="utf-8")
    assert f"WatchdogSec={AGENT_WATCHDOG_S:.0f}" in unit


def test_the_ladder_runs_as_written() -> None:
    memory, now_s, first = FenceMemory(generation=1, deadline_s=T.renew_deadline_s), 0.0, {}
    while FenceAction.RESET not in first:
        step = fence_step(memory, is_cgroup_empty=False, is_mount_gone=False, timing=T, now_s=now_s)
        first.setdefault(step.action, now_s)
        memory, now_s = step.memory, step.next_look_s
    assert [first[action] for action in (FenceAction.TERM, FenceAction.KILL)] == LADDER[:2]
    assert LADDER[2] <= first[FenceAction.RESET] < LADDER[2] + TICK_S


@pytest.mark.parametrize(
    ("woken_s", "action"),
    [
        (T.renew_deadline_s + LATE_S, FenceAction.TERM),
        (T.renew_deadline_s + LATE_S + 0.1, FenceAction.KILL),
        (T.ladder_s - 0.1, FenceAction.KILL),
        (T.ladder_s, FenceAction.RESET),
    ],
)
def test_a_late_wake_is_met_as_written(woken_s: float, action: FenceAction) -> None:
    memory = FenceMemory(generation=1, deadline_s=T.renew_deadline_s)
    assert fence_step(memory, is_cgroup_empty=False, is_mount_gone=False, timing=T, now_s=woken_s).action is action


ME = Applicant(
    instance_id="i-new", zone="b", network_interface_id="eni-b", boot_id="b", image_id="ami-1", agent_version="1"
)
RECORD = new_record(ME, T, generation=1, nonce="n")
HELD = {**RECORD.__dict__, "instance_id": "i-old"}


def waited(policy: FencePolicy, holder: HolderAnswer | NoAnswer, member: Member | None) -> dict[str, float]:
    """When each kind of action came first, for a holder that is seen once and never renews."""
    record = type(RECORD)(**HELD)
    group = GroupAnswer(me=Member(lifecycle_state="Pending:Wait", is_healthy=True), holder=member)
    memory, first = AcquireMemory(), {}
    for tick in range(3200):
        now_s = tick / 8
        seen = Seen(generation=1, record=record, text="same", sent_s=now_s, returned_s=now_s)
        memory, action = acquire_step(
            memory,
            Observation(seen=seen, holder=holder, group=group),
            me=ME,
            timing=T,
            policy=policy,
            now_s=now_s,
        )
        name = type(action).__name__ + (" by force" if isinstance(action, Terminate) and action.is_forced else "")
        if not isinstance(action, Wait):
            first.setdefault(name, now_s)
        if isinstance(action, Publish | GiveUp):
            break
    return first


TERMINATING = Member(lifecycle_state="Terminating:Wait", is_healthy=True)


def test_a_panicked_holder_is_ended_as_written() -> None:
    running = HolderAnswer(state="running")
    assert waited("proof-or-lease", running, TERMINATING) == {
        "Terminate": MISSED_S,
        "Terminate by force": MISSED_S + T.terminate_deadline_s,
        "Publish": MISSED_S + T.force_deadline_s,
    }
    assert waited("proof", running, TERMINATING)["GiveUp"] == MISSED_S + T.takeover_deadline_s
    assert waited("proof", running, Member(lifecycle_state="InService", is_healthy=False))["Terminate"] == 0.0


def test_an_instance_that_cannot_be_ended_is_left_to_the_lease_as_written() -> None:
    shutting_down = HolderAnswer(state="shutting-down")
    assert waited("proof-or-lease", shutting_down, TERMINATING) == {
        "Terminate by force": T.terminate_deadline_s,
        "Publish": T.force_deadline_s,
    }
    assert waited("proof", shutting_down, TERMINATING) == {
        "Terminate by force": T.terminate_deadline_s,
        "GiveUp": T.takeover_deadline_s,
    }


def test_without_ec2_the_lease_runs_out_as_written() -> None:
    assert waited("proof-or-lease", NoAnswer(reason="away"), None) == {"Publish": T.lease_duration_s}
