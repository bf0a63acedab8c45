"""A small account for the watchdog: a group, its instances and their agents, CloudWatch's metrics, in made-up time.

For: tests of the watchdog's runs. Guarantees: the code under test is the source text that ships; time passes only when
it sleeps or a test says so. Does not: know AWS's rules (the lab's control plane does; see tests/contract).
"""

import importlib.util
import itertools
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacks.inline_source import one_source
from stacks.watchdog import WATCH_MODULES

START_S = 1_800_000_000.0
BEAT_S = 10.0
BOOT_S = 40.0
HOOK_S = 600.0  # of the launch hook
DRAIN_S = 150.0  # of the terminate hook
LAUNCH_S = 5.0
POWER_OFF_S = 20.0  # the group lists an instance until EC2 has ended it
_LOADED = itertools.count(1)


def load(change: Callable[[str], str] = str) -> Any:
    """The watchdog's module as it ships, after `change` of its source."""
    name = f"watchdog_index_{next(_LOADED)}"
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "index.py")
        file.write_text(change(one_source(WATCH_MODULES)), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up there
        spec.loader.exec_module(module)
    return module


@dataclass
class Machine:
    """One instance. `fails`: its boot ends in failure."""

    instance_id: str
    version: str
    launched_s: float
    fails: bool = False
    crashes_after_s: float | None = None  # in service for so long, then its agent reports it unhealthy
    lifecycle: str = "Pending:Wait"
    health: str = "Healthy"
    agent_s: float = BEAT_S  # after its launch its agent is there
    lives: bool = True  # its agent
    beat_s: float = BEAT_S
    answers: bool = True  # its state port
    is_impaired: bool = False
    ready_s: float | None = None
    ended_s: float | None = None  # Terminating:Wait since
    beats: list[float] = field(default_factory=list)


@dataclass
class Account:
    """What the watchdog reads and changes (watchdog.watch.Door)."""

    module: Any
    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)  # of a version: fields of its machines
    version: str = "1"
    metrics_late_s: float = 0.0
    look_fails: bool = False
    api_is_away: bool = False
    path_is_cut: bool = False  # from the looking function to the instances
    in_maintenance: str = ""
    now_s: float = START_S
    machines: list[Machine] = field(default_factory=list)
    parameter: tuple[str, int] = ("{}", 1)
    own: list[float] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    counted: dict[str, float] = field(default_factory=dict)
    interferes: bool = False
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _launch_s: float = 0.0

    # ------------------------------------------------------------------ time
    def monotonic(self) -> float:
        return self.now_s - START_S

    def sleep(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += 1.0
            self._second()

    def _second(self) -> None:
        if not self.machines or all(one.ended_s is not None for one in self.machines):
            self._launch_s = self._launch_s or self.now_s + LAUNCH_S
            if self.now_s >= self._launch_s:
                self._launch_s = 0.0
                self.launch()
        for one in list(self.machines):
            self._live(one)

    def _live(self, one: Machine) -> None:
        age_s = self.now_s - one.launched_s
        if one.lives and age_s >= one.agent_s and age_s % one.beat_s == 0:
            one.beats.append(self.now_s)
        stages: dict[str, Callable[[Machine], None]] = {
            "Pending:Wait": self._boot,
            "InService": self._serve_on,
            "Terminating:Wait": self._drain,
            "Terminating:Proceed": self._power_off,
        }
        stages[one.lifecycle](one)

    def _boot(self, one: Machine) -> None:
        age_s = self.now_s - one.launched_s
        is_booted = one.lives and age_s >= max(BOOT_S, one.agent_s)
        if is_booted and not one.fails:
            one.lifecycle, one.ready_s = "InService", self.now_s
        elif is_booted or age_s >= HOOK_S:
            self._end(one, "Unhealthy")

    def _serve_on(self, one: Machine) -> None:
        has_crashed = one.crashes_after_s is not None and self.now_s - (one.ready_s or 0.0) >= one.crashes_after_s
        if has_crashed or one.health != "Healthy":
            self._end(one, "Unhealthy")

    def _drain(self, one: Machine) -> None:
        if one.lives or self.now_s - (one.ended_s or 0.0) >= DRAIN_S:
            one.lifecycle, one.ended_s = "Terminating:Proceed", self.now_s

    def _power_off(self, one: Machine) -> None:
        if self.now_s - (one.ended_s or 0.0) >= POWER_OFF_S:
            self.machines.remove(one)

    def _end(self, one: Machine, health: str) -> None:
        one.health, one.lifecycle, one.ended_s = health, "Terminating:Wait", self.now_s

    def launch(self) -> Machine:
        kind = self.kinds.get(self.version, {})
        made = Machine(f"i-{next(self._ids)}", self.version, self.now_s, **kind)
        self.machines.append(made)
        return made

    def serve(self) -> Machine:
        """An instance that serves, and that the watchdog has seen for longer than it takes to be called good."""
        self.launch()
        self.watch(minutes=7)
        (one,) = self.machines
        assert one.lifecycle == "InService"
        return one

    def promote(self, version: str) -> None:
        """As the operator's command: the group's version, then the instance's orderly end."""
        self.version = version
        for one in self.machines:
            if one.ended_s is None:
                self._end(one, one.health)

    def watch(self, minutes: int = 1, **settings: Any) -> None:
        """So many runs of the function."""
        for _ in range(minutes):
            began_s = self.now_s
            self.run(**settings)
            self.sleep(max(0.0, began_s + 60.0 - self.now_s))

    def new_run(self, **settings: Any) -> Any:
        given = {
            "silence_s": 30.0,
            "boot_silence_s": 240.0,
            "window_s": 1800.0,
            "failed_boots": 2,
            "settle_s": 300.0,
            "port": 9480,
            **settings,
        }
        return self.module.Watch(
            aws=self,
            clock=self,
            settings=self.module.Settings(**given),
            service="monitor",
            is_tls=False,
            say=self.said.append,
        )

    def run(self, **settings: Any) -> None:
        self.new_run(**settings).run()

    def actions(self, *kinds: str) -> list[tuple[str, str]]:
        return [one for one in self.done if one[0] in kinds]

    # ------------------------------------------------------------------ the door
    def _answer(self) -> None:
        if self.api_is_away:
            raise self.module.AwsError("the API is away")

    def group(self) -> Any:
        self._answer()
        members = tuple(
            self.module.Member(
                instance_id=one.instance_id, version=one.version, lifecycle=one.lifecycle, health=one.health
            )
            for one in self.machines
        )
        return self.module.Group(version=self.version, members=members, now_s=self.now_s)

    def one(self, instance_id: str) -> Machine:
        return next(one for one in self.machines if one.instance_id == instance_id)

    def machine(self, instance_id: str) -> Any:
        self._answer()
        return self.module.Machine(address=instance_id, zone="us-east-1a", launched_at=self.one(instance_id).launched_s)

    def is_impaired(self, instance_id: str) -> bool:
        self._answer()
        return self.one(instance_id).is_impaired

    def look(self, address: str, port: int, *, is_tls: bool) -> dict[str, Any]:
        assert not is_tls
        self._answer()
        if self.look_fails:
            raise self.module.AwsError("function soloist-monitor-look failed")
        one = self.one(address)
        age_s = self.now_s - one.launched_s
        answers = one.lives and one.answers and age_s >= one.agent_s and port == 9480 and not self.path_is_cut
        return {"answered": answers, "how": "status 200" if answers else "TimeoutError"}

    def count(self, **metrics: float) -> None:
        self._answer()
        self.counted |= metrics
        if "WatchdogLooked" in metrics:
            self.own.append(self.now_s)

    def ages(self, instance_id: str, now_s: float) -> tuple[float | None, float, float | None]:
        self._answer()

        def age(sent: list[float]) -> float | None:
            arrived = [at for at in sent if at <= self.now_s - self.metrics_late_s and at >= self.now_s - 900]
            return now_s - max(arrived) if arrived else None

        return age(self.one(instance_id).beats), self.one(instance_id).beat_s, age(self.own)

    def maintenance(self, now_s: float) -> str:
        self._answer()
        return self.in_maintenance

    def state_text(self) -> str:
        self._answer()
        return '{"phase": "failed"}'

    def memory(self) -> tuple[str, int]:
        self._answer()
        return self.parameter

    def remember(self, text: str, version: int) -> int:
        self._answer()
        if self.parameter[1] != version or self.interferes:
            raise self.module.Interfered("another run")
        self.parameter = (text, version + 1)
        return version + 1

    def report_unhealthy(self, instance_id: str) -> None:
        self._answer()
        self.done.append(("report-unhealthy", instance_id))
        self.one(instance_id).health = "Unhealthy"

    def abandon_launch(self, instance_id: str) -> None:
        self._answer()
        self.done.append(("abandon-launch", instance_id))
        self._end(self.one(instance_id), "Unhealthy")

    def let_go(self, instance_id: str) -> None:
        self._answer()
        self.done.append(("let-go", instance_id))
        one = self.one(instance_id)
        one.lifecycle, one.ended_s = "Terminating:Proceed", self.now_s

    def launch_from(self, version: str) -> None:
        self._answer()
        self.done.append(("launch-from", version))
        self.version = version

    def console(self, instance_id: str) -> str:
        self._answer()
        return f"the console of {instance_id}"

    def tell(self, message: Any) -> None:
        self._answer()
        self.told.append(message)
