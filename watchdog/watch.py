"""Lambda function that watches the instance: one run is most of a minute, then EventBridge starts the next one.

    every PAUSE_S: group -> breaker (a boot failed? the image bad?) -> look at each instance
    LOOKS looks without an answer, SUSPICIOUS_PAUSE_S apart -> heartbeat, own metric, status checks, maintenance
    -> rules -> report unhealthy, abandon the launch, or complete the terminate hook

Guarantees: whatever AWS refuses or does not answer leads to no action; the memory is written before an instance is
ended, by its version, so that of two runs at once one ends nobody; each look and each decision is one sentence in the
log. Does not: decide (rules, breaker), or know AWS (aws).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from bootstrap.base.names import Metric
from bootstrap.tell.message import Kind, Message
from watchdog.aws import LOOKED, Aws, AwsError, Group, Interfered, Machine
from watchdog.breaker import Member, Step, after, decide, observe
from watchdog.memory import Memory, memory_text, parse_memory
from watchdog.rules import ACTIONS, LOOKS, Seen, Settings, Verdict, judge

ACTED: Metric = "WatchdogActed"
BLIND: Metric = "WatchdogBlind"  # 1: it cannot look, or its looks have never found anybody
NOBODY_KNOWS = "an unknown instance"
RUN_S = 54.0  # the next run starts a minute after this one did
PAUSE_S = 10.0
SUSPICIOUS_PAUSE_S = 3.0
BLIND_AFTER_S = 300.0  # in service, and its state port has never answered


class Clock(Protocol):
    """The time of this run, in seconds."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Door(Protocol):
    """What `watchdog.aws.Aws` offers."""

    def group(self) -> Group: ...
    def machine(self, instance_id: str) -> Machine | None: ...
    def is_impaired(self, instance_id: str) -> bool: ...
    def look(self, address: str, port: int, *, is_tls: bool) -> dict[str, Any]: ...
    def count(self, **metrics: float) -> None: ...
    def ages(self, instance_id: str, now_s: float) -> tuple[float | None, float, float | None]: ...
    def maintenance(self, now_s: float) -> str: ...
    def state_text(self) -> str: ...
    def memory(self) -> tuple[str, int]: ...
    def remember(self, text: str, version: int) -> int: ...
    def report_unhealthy(self, instance_id: str) -> None: ...
    def abandon_launch(self, instance_id: str) -> None: ...
    def let_go(self, instance_id: str) -> None: ...
    def launch_from(self, version: str) -> None: ...
    def console(self, instance_id: str) -> str: ...
    def tell(self, message: Message) -> None: ...


@dataclass
class Watched:
    """One instance, as this run has seen it."""

    machine: Machine
    unanswered: int = 0
    is_done: bool = False  # this run has acted on it


@dataclass
class Watch:
    """One run."""

    aws: Door
    clock: Clock
    settings: Settings
    service: str
    is_tls: bool
    say: Callable[[str], None] = print
    memory: Memory = field(default_factory=Memory)
    kept: str = ""  # the memory as it stands in the parameter, of this version
    version: int = 0
    watched: dict[str, Watched] = field(default_factory=dict)
    is_blind: bool = False

    def run(self) -> None:
        """Look until the time is over. Raises AwsError and BadMemory where it cannot begin, or could not send its own
        metrics: that is an error of the function, and an alarm."""
        ends_s = self.clock.monotonic() + RUN_S
        self._recall()
        problem = self._count(LOOKED, 1.0)
        while True:
            pause_s = PAUSE_S
            try:
                pause_s = self.look()
            except Interfered as error:
                self.say(f"nothing is done, the memory is read again: {error}")
                self._recall()
            except AwsError as error:
                self.say(f"nothing is done: {error}")
            if self.clock.monotonic() + pause_s >= ends_s:
                break
            self.clock.sleep(pause_s)
        problem = self._count(BLIND, float(self.is_blind)) or problem
        if problem is not None:
            raise problem

    def _count(self, metric: Metric, value: float) -> AwsError | None:
        """Why a metric of this run could not be sent: it makes the run an error, but only at its end."""
        try:
            self.aws.count(**{metric: value})
        except AwsError as error:
            self.say(str(error))
            return error
        return None

    def _recall(self) -> None:
        """Raises AwsError and BadMemory."""
        self.kept, self.version = self.aws.memory()
        if self.version:
            self.memory = parse_memory(self.kept)
        else:
            self.say("the memory is gone: it begins anew, and nobody is ended until the window is over")
            self.memory = Memory(acted_on=NOBODY_KNOWS, acted_at=self.aws.group().now_s)

    def look(self) -> float:
        """Look once at everything; returns the pause until the next look. Raises AwsError."""
        group = self.aws.group()
        self._break_the_circle(group)
        self.is_blind = False
        suspicious = [self._look_at(member, group) for member in group.members if member.lifecycle in ACTIONS]
        if not group.members:
            self.say("the group has no instance: it launches one")
        self._keep(self.memory)
        return SUSPICIOUS_PAUSE_S if any(suspicious) else PAUSE_S

    def _look_at(self, member: Member, group: Group) -> bool:
        """Whether it is to be looked at again soon."""
        watched = self.watched.get(member.instance_id)
        if watched is None:
            machine = self.aws.machine(member.instance_id)
            if machine is None:
                self.say(f"{member.instance_id}: EC2 knows no address of it")
                return False
            watched = self.watched[member.instance_id] = Watched(machine=machine)
        try:
            found = self.aws.look(watched.machine.address, self.settings.port, is_tls=self.is_tls)
        except AwsError as error:
            self.is_blind, watched.unanswered = True, 0
            self.say(f"{member.instance_id}: nobody has looked: {error}")
            return self._consider(member, watched, group)
        boot = self.memory.boot
        if found["answered"]:
            watched.unanswered = 0
            is_mine = boot.instance_id == member.instance_id
            boot = replace(boot, answered_on=self.settings.port) if is_mine else boot
            self.memory = replace(self.memory, reached_on=self.settings.port, boot=boot)
            self.say(f"{member.instance_id} ({member.lifecycle}): its state port answers: {found['how']}")
            return False
        watched.unanswered += 1
        self.say(f"{member.instance_id} ({member.lifecycle}): no answer, {watched.unanswered} in a row: {found['how']}")
        if member.lifecycle == "InService" and not boot.answered_on and group.now_s - boot.ready_at > BLIND_AFTER_S:
            self.is_blind = True
        if watched.unanswered < LOOKS:
            return True
        return self._consider(member, watched, group)

    def _consider(self, member: Member, watched: Watched, group: Group) -> bool:
        """Gather what the rules want to know, and do what they say."""
        if watched.is_done and member.lifecycle != "Terminating:Wait":
            return True
        instance_id = member.instance_id
        self.aws.count(**{LOOKED: 1.0})
        beat_age_s, beat_gap_s, own_age_s = self.aws.ages(instance_id, group.now_s)
        boot = self.memory.boot
        if beat_age_s is not None and boot.instance_id == instance_id:
            self.memory = replace(self.memory, boot=replace(boot, beaten=True))
        seen = Seen(
            instance_id=instance_id,
            lifecycle=member.lifecycle,
            health=member.health,
            age_s=group.now_s - watched.machine.launched_at,
            unanswered=watched.unanswered,
            beat_age_s=beat_age_s,
            beat_gap_s=beat_gap_s,
            own_age_s=own_age_s,
            is_impaired=self.aws.is_impaired(instance_id),
            maintenance=self.aws.maintenance(group.now_s),
        )
        verdict = judge(seen, self.memory, self.settings, group.now_s)
        self.say(verdict.sentence)
        if verdict.action != "nothing":
            self._act(verdict, member, watched, group)
        return True

    def _act(self, verdict: Verdict, member: Member, watched: Watched, group: Group) -> None:
        instance_id = member.instance_id
        if verdict.action == "let-go":
            self.aws.let_go(instance_id)
            return
        self._keep(replace(self.memory, acted_on=instance_id, acted_at=group.now_s))
        if verdict.action == "report-unhealthy":
            self.aws.report_unhealthy(instance_id)
        else:
            self.aws.abandon_launch(instance_id)
        watched.is_done = True
        self._evidence(instance_id)
        self._tell("watchdog-acted", f"the watchdog ends {instance_id}", verdict.sentence, instance_id, group)
        self.aws.count(**{ACTED: 1.0})

    def _break_the_circle(self, group: Group) -> None:
        """Count the boots; go back where the image is bad."""
        self.memory, failed = observe(self.memory, group.members, group.version, self.settings.settle_s, group.now_s)
        if failed:
            self.say(f"{failed}: its boot has failed, {self.memory.failed_boots} in a row of version {group.version}")
            self._keep(self.memory)
            self._evidence(failed)
        step = decide(self.memory, group.version, self.settings)
        if step.kind == "nothing":
            return
        self.say(step.sentence)
        self._keep(after(self.memory, step, group.version))
        if step.kind == "go-back":
            self.aws.launch_from(step.version)
            for member in group.members:
                if member.lifecycle == "Pending:Wait" and member.version == group.version:
                    self.aws.abandon_launch(member.instance_id)
        self._tell_of(step, failed or self.memory.boot.instance_id, group)

    def _tell_of(self, step: Step, instance_id: str, group: Group) -> None:
        if step.kind == "go-back":
            what = f"back from version {group.version} to version {step.version}"
            self._tell("rolled-back", what, step.sentence, instance_id, group)
        else:
            self._tell("crash-loop", f"version {group.version} does not boot", step.sentence, instance_id, group)

    def _keep(self, memory: Memory) -> None:
        """Write the memory where it differs from what is kept. Raises Interfered, AwsError."""
        self.memory = memory
        text = memory_text(memory)
        if text != self.kept:
            self.version = self.aws.remember(text, self.version)
            self.kept = text

    def _evidence(self, instance_id: str) -> None:
        """Keep in this function's log what the instance said last; an instance's console is gone an hour after it."""
        try:
            self.say(f"last state: {self.aws.state_text()}")
            self.say(f"console of {instance_id}:\n{self.aws.console(instance_id)}")
        except AwsError as error:
            self.say(f"no console of {instance_id}: {error}")

    def _tell(self, kind: Kind, what: str, why: str, instance_id: str, group: Group) -> None:
        machine = self.watched.get(instance_id)
        message = Message(
            kind=kind,
            service=self.service,
            instance_id=instance_id,
            zone=machine.machine.zone if machine else "an unknown zone",
            what=what,
            why=why,
            at=datetime.fromtimestamp(group.now_s, UTC).isoformat(timespec="seconds"),
        )
        try:
            self.aws.tell(message)
        except AwsError as error:
            self.say(f"nobody was told: {error}")


def on_event(_event: dict[str, Any], _context: Any) -> None:
    """Lambda's entry point. Its environment says which service and what its service file wants."""
    given = os.environ
    Watch(
        aws=Aws(given["SERVICE"], given["TOPIC_ARN"]),
        clock=time,
        settings=Settings(
            silence_s=float(given["SILENCE_S"]),
            boot_silence_s=float(given["BOOT_SILENCE_S"]),
            window_s=float(given["WINDOW_S"]),
            failed_boots=int(given["FAILED_BOOTS"]),
            settle_s=float(given["SETTLE_S"]),
            port=int(given["PORT"]),
        ),
        service=given["SERVICE"],
        is_tls=given["IS_TLS"] == "true",
    ).run()
