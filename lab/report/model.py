"""One run of the lab as plain data, for the report and the display.

For: the demo fills a `Report`, which `report_json` and `report_html` show; `lab.play.stage` fills a `Snapshot` several
times a second, which `screen` shows. Guarantees: frozen values; all `_s` are seconds since the run began, except
durations, ages and gaps. Does not: measure; `findings` only reads what is stated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened, as a sentence for people."""

    at_s: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase of a boot, as the agent timed it, or of a deployment. `start_s` counts from the beginning of the first.

    `outcome`: the agent's word: ok, failed, skipped or late.
    """

    name: str
    start_s: float
    duration_s: float
    outcome: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One scene: something was done at `event_s`, and this is how the service came back.

    `outage_s`: longest stretch without an acknowledged write (definition: lab.client.ledger). Only a scene with a
    `zone_from` has an outage. `per_second`: acknowledged writes in each second from `start_s` on. `phases`: of the
    agent's boot, or of the deployment. `parts`: from the event until the new instance was ready, in seconds since it.
    """

    name: str
    happened: str  # sentence without the final dot: "machine killed in us-east-1a"
    healed: bool
    outage_s: float
    start_s: float
    event_s: float
    end_s: float
    zone_to: str
    ami_to: str
    zone_from: str = ""  # empty where no instance ran before
    ami_from: str = ""
    instance_from: str = ""
    instance_to: str = ""
    outage_start_s: float | None = None
    phases: tuple[Phase, ...] = ()
    parts: tuple[Phase, ...] = ()
    per_second: tuple[int, ...] = ()
    acknowledged: int = 0
    lost: int = 0
    network_interface: str = ""
    address: str = ""
    record_value: str = ""
    generation_from: int = 0  # of the lease; 0 where nobody held it
    generation_to: int = 0
    reason: str = ""  # why it did not heal


@dataclass(frozen=True, kw_only=True)
class Report:
    service: str
    record_name: str
    record_ttl_s: int
    started_at: str  # ISO 8601, UTC
    duration_s: float
    acknowledged: int
    lost: int
    template_sha256: str
    deployed_sha256: str
    scenes: tuple[Scene, ...]
    planned: tuple[str, ...] = ()  # the names of the scenes that a whole run has
    machine: str = ""  # of this computer: processors, memory, kernel
    versions: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    @property
    def same_template(self) -> bool:
        """True if the deployed template is the synthesized one."""
        return bool(self.template_sha256) and self.template_sha256 == self.deployed_sha256

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is wrong, as sentences; empty means success."""
        found = [f"{scene.name}: did not heal{': ' + scene.reason if scene.reason else ''}"
                 for scene in self.scenes if not scene.healed]  # fmt: skip
        found += [f"{scene.name}: the name points at {scene.record_value or 'nothing'}, not at {scene.address}"
                  for scene in self.scenes if scene.address and scene.record_value != scene.address]  # fmt: skip
        successions = [scene for scene in self.scenes if scene.healed and scene.instance_to]
        found += [f"{scene.name}: the lease went from generation {scene.generation_from} to {scene.generation_to}"
                  for scene in successions if scene.generation_to <= scene.generation_from]  # fmt: skip
        if not self.scenes:
            found.append("no scene was played")
        played = {scene.name for scene in self.scenes}
        found += [f"{name}: not played" for name in self.planned if name not in played]
        if self.lost:
            found.append(f"{self.lost:,} of {self.acknowledged:,} acknowledged writes lost")
        if not self.acknowledged:
            found.append("no write was acknowledged, so nothing is proven")
        if not self.same_template:
            found.append("the deployed template is not the synthesized one")
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class MachineRow:
    """One machine. `state` is EC2's word, `lifecycle` the group's; `age_s` since it was launched."""

    instance_id: str
    zone: str
    image_version: str
    state: str
    lifecycle: str
    age_s: float


@dataclass(frozen=True, kw_only=True)
class InterfaceRow:
    """One zone's fixed network interface. `attached_to` is an instance id, empty when free."""

    zone: str
    id: str
    address: str
    attached_to: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything on the screen. `events` are all since the beginning, oldest first; only ever appended to."""

    now_s: float
    scene: str
    doing: str  # one sentence
    machines: tuple[MachineRow, ...] = ()
    interfaces: tuple[InterfaceRow, ...] = ()
    record_name: str = ""
    record_value: str = ""  # empty: no record yet
    acknowledged: int = 0
    per_second: tuple[int, ...] = ()  # acknowledged writes, oldest second first
    gap_s: float | None = None  # since the last acknowledged write; None before the first
    events: tuple[Event, ...] = ()
    # All scenes of the run in order: name, and "done", "now", "failed" or "" (to come).
    scenes: tuple[tuple[str, str], ...] = ()


def took(scene: Scene) -> str:
    """How long the scene took, and for whom: only clients that were served before can have an outage."""
    if not scene.zone_to:
        return f"done in {scene.end_s - scene.event_s:.1f} s"
    return f"{'back' if scene.zone_from else 'up'} after {scene.outage_s:.1f} s"


def parts_of(event_s: float, launched_s: float | None, ready_s: float, boot: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The parts of a recovery: until the launch, launch and system start, the agent's boot; () if not known.

    All times are seconds since the run began. `boot` counts from the start of the agent."""
    boot_s = max((phase.start_s + phase.duration_s for phase in boot), default=0.0)
    if launched_s is None or not event_s <= launched_s <= ready_s - boot_s:
        return ()
    edges = (event_s, launched_s, ready_s - boot_s, ready_s)
    names = ("noticed, until the launch", "launch and system start", "the agent's boot")
    return tuple(
        Phase(name=name, start_s=begin - event_s, duration_s=end - begin, outcome="ok")
        for name, begin, end in zip(names, edges, edges[1:], strict=False)
    )


def sentence(scene: Scene) -> str:
    """What happened in a scene and how it ended, for a stranger."""
    happened = scene.happened[:1].upper() + scene.happened[1:]
    if scene.healed and not scene.zone_to:
        return f"{happened}; that took {scene.end_s - scene.event_s:.1f} s."
    counted = f"{scene.lost:,} of {scene.acknowledged:,} acknowledged writes lost"
    if not scene.healed:
        why = f" ({scene.reason})" if scene.reason else ""
        return f"{happened}; the service did not come back within {scene.outage_s:.1f} s{why}; {counted}."
    again = "answered again" if scene.zone_from else "answered for the first time"
    return f"{happened}; the service {again} from {scene.zone_to} after {scene.outage_s:.1f} s; {counted}."


def one_line(text: str) -> str:
    """`text` without control characters: a machine's console output must not steer a terminal or break a page."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
