"""A running lab with one service in it, and the log of what happened.

For: `lab.play.scenes` acts through it; applications and lab tests read it. Guarantees: every event is kept with its
second; a scene is measured by the client's acknowledged writes, not by what the product reports of itself.
Does not: decide what is played.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bootstrap.base.names import SERVICE_TAG, ZONE_TAG, stack_name
from lab.aws import FAST, Timing
from lab.aws import Event as CloudEvent
from lab.base.checkout import SERVICE_FILES
from lab.base.errors import LabTimeout
from lab.base.waiting import wait_for
from lab.client.ledger import outage, per_second
from lab.hardware.probe import Kernel
from lab.image.images import IMAGE_IDS, SERVICE, Images
from lab.play.lab import Lab
from lab.play.standing import Standing, read_standing
from lab.report.model import Event, InterfaceRow, MachineRow, Scene, Snapshot, parts_of
from services.load import load_service

HEAL_LIMIT_S = 120.0
FLOW_LIMIT_S = 20.0
WATCHED_AFTER_S = 3.0  # how long writes are watched after a heal, so that a relapse is seen


@dataclass
class Stage:
    """One service in one lab."""

    lab: Lab
    service: str
    record_name: str
    zero_s: float = field(default_factory=time.monotonic)
    scene: str = ""
    doing: str = ""
    image_versions: dict[str, str] = field(default_factory=dict)  # by image id
    planned: tuple[str, ...] = ()  # the scenes of this run, in order
    _ended: dict[str, bool] = field(default_factory=dict)  # by scene: whether it healed
    _launched_s: dict[str, float] = field(default_factory=dict)  # by instance id: its first event
    _events: list[Event] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reported: str = ""

    def __post_init__(self) -> None:
        self._ssm: Any = self.lab.boto3_client("ssm")
        self.lab.control_plane.subscribe(self._on_cloud_event)

    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.zero_s

    def say(self, sentence: str) -> None:
        """Log what happens now; the display shows it, the report keeps it."""
        with self._lock:
            self.doing = sentence
            self._events.append(Event(at_s=self.now_s(), sentence=sentence))

    def note_end(self, scene: Scene) -> None:
        """A scene is over; the display shows how it ended."""
        self._ended[scene.name] = scene.healed

    def events(self) -> tuple[Event, ...]:
        with self._lock:
            return tuple(self._events)

    def standing(self) -> Standing:
        found = read_standing(self.lab.control_plane, self._ssm, self.service, self.record_name)
        said = f"{found.instance_id} ({found.zone}): {found.sentence}"
        if found.instance_id and found.sentence and said != self._reported:
            self._reported = said
            self.say(said)
        return found

    def play(
        self,
        name: str,
        happened: Callable[[Standing], str],
        act: Callable[[Standing], None],
        *,
        image_id: str | None = None,
    ) -> Scene:
        """Act, wait until another instance serves (on `image_id`, where given), and measure.

        A service that does not come back makes a scene that did not heal, with the reason; no exception is raised.
        """
        before = self.standing()
        start_s, self.scene = self.now_s(), name
        event_s = self.now_s()
        sentence = happened(before)
        self.say(sentence)
        act(before)
        reason, ready_s = "", event_s
        try:
            ready_s = self._await_successor(before, image_id)
        except LabTimeout as timeout:
            reason = str(timeout)
        after = self.standing()
        scene = self._measure(name, sentence, before, after, start_s, event_s, reason)
        launched_s = self._launched_s.get(after.instance_id)
        return replace(scene, parts=parts_of(event_s, launched_s, ready_s, after.phases))

    def _await_successor(self, before: Standing, image_id: str | None) -> float:
        """When it was ready, by `now_s`. Raises LabTimeout."""

        def is_there() -> bool:
            now = self.standing()
            is_other = now.instance_id != before.instance_id and image_id in (None, now.image_id)
            return is_other and now.is_good

        wait_for(
            is_there, "a successor", deadline_s=HEAL_LIMIT_S, poll_s=0.25, describe=lambda: self.standing().missing
        )
        ready_s = time.monotonic()
        wait_for(
            lambda: (self.lab.ledger.snapshot(time.monotonic()).last_acknowledged_s or 0.0) > ready_s,
            "an acknowledged write",
            deadline_s=FLOW_LIMIT_S,
            describe=lambda: self.lab.ledger.snapshot(time.monotonic()).last_trouble,
        )
        time.sleep(WATCHED_AFTER_S)
        return ready_s - self.zero_s

    def _measure(
        self, name: str, happened: str, before: Standing, after: Standing, start_s: float, event_s: float, reason: str
    ) -> Scene:
        end_s = self.now_s()
        times_s = [at_s - self.zero_s for at_s in self.lab.ledger.times_s()]
        away = outage(times_s, event_s, end_s)
        if not reason and (away.end_s is None or away.silent_at_end_s > 1.0):
            reason = f"no write was acknowledged in the last {away.silent_at_end_s:.1f} s"
        return Scene(
            name=name,
            happened=happened,
            healed=not reason and after.is_good,
            outage_s=round(away.duration_s, 2),
            start_s=start_s,
            event_s=event_s,
            end_s=end_s,
            zone_from=before.zone,
            zone_to=after.zone,
            ami_from=before.image_id,
            ami_to=after.image_id,
            instance_from=before.instance_id,
            instance_to=after.instance_id,
            outage_start_s=away.start_s,
            phases=after.phases,
            per_second=per_second(times_s, start_s, end_s),
            acknowledged=sum(1 for at_s in times_s if start_s <= at_s < end_s),
            network_interface=after.network_interface_id,
            address=after.address,
            record_value=after.record_value,
            generation_from=before.generation,
            generation_to=after.generation,
            reason=reason or after.missing,
        )

    def snapshot(self) -> Snapshot:
        cloud = self.lab.control_plane
        now_s = time.monotonic()
        ledger = self.lab.ledger.snapshot(now_s)
        group = cloud.group(stack_name(self.service))
        lifecycle = {m.instance_id: m.lifecycle_state for m in group.members} if group else {}
        machines = tuple(
            MachineRow(
                instance_id=instance.id,
                zone=instance.zone,
                image_version=self.image_versions.get(instance.image_id, "?"),
                state=instance.state,
                lifecycle=lifecycle.get(instance.id, ""),
                age_s=max(0.0, time.time() - instance.launched_at),
            )
            for instance in cloud.instances()
            if instance.state != "terminated"
        )
        interfaces = tuple(
            InterfaceRow(
                zone=nic.zone, id=nic.id, address=nic.address, attached_to=nic.instance_id if nic.device_index else ""
            )
            for nic in sorted(cloud.network_interfaces(), key=lambda nic: nic.zone)
            if nic.tags.get(SERVICE_TAG) == self.service and nic.tags.get(ZONE_TAG)
        )
        return Snapshot(
            now_s=self.now_s(),
            scene=self.scene,
            doing=self.doing,
            machines=machines,
            interfaces=interfaces,
            record_name=self.record_name,
            record_value=self.lab.resolve(self.record_name),
            acknowledged=ledger.acknowledged,
            per_second=ledger.per_second,
            gap_s=ledger.current_gap_s,
            events=self.events(),
            scenes=tuple((name, self._state_of(name)) for name in self.planned),
        )

    def _state_of(self, scene: str) -> str:
        if scene in self._ended:
            return "done" if self._ended[scene] else "failed"
        return "now" if scene == self.scene else ""

    def _on_cloud_event(self, event: CloudEvent) -> None:
        if event.kind == "instance":
            self._launched_s.setdefault(event.subject, self.now_s())
        if event.kind == "stack" and " (" in event.text and "FAILED" not in event.text:
            return  # sixty lines, one per resource, would hide the story
        self.say(f"{event.subject}: {event.text}" if event.subject not in event.text else event.text)


@contextmanager
def open_stage(
    kernel: Kernel,
    images: Images,
    directory: Path,
    problems: list[str],
    service: str = SERVICE,
    timing: Timing = FAST,
) -> Iterator[Stage]:
    """A running lab with the service and its images. `problems` collects what goes wrong in the background."""
    with Lab(kernel, images, directory, problems.append, timing) as lab:
        stage = Stage(lab, service, load_service(SERVICE_FILES / f"{service}.yaml").dns.name)
        stage.image_versions = {image_id: version for version, image_id in IMAGE_IDS.items()}
        for version, image_id in IMAGE_IDS.items():
            lab.control_plane.register_image(image_id, f"{service}-{version}", {"version": version})
        yield stage
