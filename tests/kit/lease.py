"""A newcomer and a holder of the lease over a real lease directory and the real guard of the fence."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import AgentError
from bootstrap.base.member import Member
from bootstrap.base.threads import SystemThreads
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.lease import child
from bootstrap.lease.directory import LeaseDirectory
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer
from bootstrap.lease.rules.record import Applicant, LeaseRecord, file_name, new_record, parse_record, render_record
from bootstrap.lease.rules.renew import Hold
from bootstrap.lease.takeover import Taken, Takeover
from tests.kit.clock import FakeClock
from tests.kit.fence import FenceInProcess

ME = "i-me"
OTHER = "i-other"
TIMING = LeaseTiming()
IN_SERVICE = Member(lifecycle_state="InService", is_healthy=True)
ARRIVING = Member(lifecycle_state="Pending:Wait", is_healthy=True)
LEAVING = Member(lifecycle_state="Terminating:Wait", is_healthy=True)


def applicant(instance_id: str = ME, boot_id: str = "boot-1") -> Applicant:
    return Applicant(
        instance_id=instance_id,
        zone="us-east-1a",
        network_interface_id="eni-1",
        boot_id=boot_id,
        image_id="ami-1",
        agent_version="1",
    )


class FakeEvidence:
    """What EC2 and the group say; `on_terminate` is what ending the holder leads to."""

    def __init__(self) -> None:
        self.holder: HolderAnswer | NoAnswer = HolderAnswer(state="running")
        self.group: GroupAnswer | NoAnswer = GroupAnswer(me=ARRIVING, holder=None)
        self.on_terminate: Callable[[bool], str] = lambda _is_forced: ""
        self.terminations: list[bool] = []

    def gather(self, holder: str, deadline: Deadline) -> tuple[HolderAnswer | NoAnswer, GroupAnswer | NoAnswer]:
        return self.holder, self.group

    def terminate(self, holder: str, deadline: Deadline, *, is_forced: bool) -> str:
        self.terminations.append(is_forced)
        return self.on_terminate(is_forced)

    def say(self, state: str) -> str:
        self.holder = HolderAnswer(state=state)
        return ""


class SeenTroubles:
    """Which troubles began, and which are over."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def begin(self, trouble: AgentError) -> None:
        if trouble.reason not in self.seen[-1:]:
            self.seen.append(trouble.reason)

    def over(self, reason: str) -> None:
        if reason in self.seen[-1:]:
            self.seen.append(f"{reason} is over")


class DirectWorker:
    """lease/child.py in this process, over a real directory. With `silent` set nothing is answered any more."""

    def __init__(self) -> None:
        self.silent = ""
        self.asked: list[str] = []

    def ask(self, timeout_s: float, **request: Any) -> dict[str, Any] | NoAnswer:
        self.asked.append(request["verb"])
        if self.silent:
            return NoAnswer(reason=self.silent)
        answer = child.answer(request)
        return NoAnswer(reason=str(answer["failed"]), cause=str(answer["cause"])) if "failed" in answer else answer


class Newcomer:
    """An instance that takes the lease; the lease directory and the fence are real, without their processes."""

    def __init__(self, root: Path, clock: FakeClock) -> None:
        self.root, self.run, self.clock = root / "lease", root / "run", clock
        self.root.mkdir()
        self.worker, self.evidence, self.troubles = DirectWorker(), FakeEvidence(), SeenTroubles()
        self.fence = FenceInProcess(clock, self.run)
        self.directory = LeaseDirectory(self.worker, str(self.root), clock)
        self.stops = 0
        self.stop_request = StopRequest()

    def put(self, **changes: Any) -> LeaseRecord:
        """A generation of the other instance, by its own hand."""
        plain = new_record(applicant(OTHER), TIMING, generation=7, nonce="theirs")
        record = replace(plain, **changes)
        (self.root / file_name(record.generation)).write_text(render_record(record))
        return record

    def read(self, generation: int) -> LeaseRecord | None:
        return parse_record((self.root / file_name(generation)).read_text(), generation)

    def generations(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir())

    def takeover(self, policy: FencePolicy = "proof-or-lease", boot_id: str = "boot-1") -> Takeover:
        return Takeover(
            self.parts(policy, boot_id),
            evidence=self.evidence,  # type: ignore[arg-type]
            stop_service=self.stop_service,
            nonce=lambda: "mine",
        )

    def parts(self, policy: FencePolicy = "proof-or-lease", boot_id: str = "boot-1") -> LeaseParts:
        return LeaseParts(
            directory=self.directory,
            fence=self.fence,
            clock=self.clock,
            threads=SystemThreads(),
            me=applicant(boot_id=boot_id),
            timing=TIMING,
            policy=policy,
            mounts=("/data",),
            troubles=self.troubles,
        )

    def take(self, policy: FencePolicy = "proof-or-lease", boot_id: str = "boot-1") -> Taken:
        deadline = Deadline(self.clock, TIMING.longest_wait_s + 30, "lease", self.stop_request)
        return self.takeover(policy, boot_id).run(deadline)

    def stop_service(self) -> list[str]:
        self.stops += 1
        self.fence.group.is_left = self.fence.mounts.is_left = False
        return []


class Holder:
    """A holder right after it took generation 1."""

    def __init__(self, root: Path, clock: FakeClock) -> None:
        newcomer = Newcomer(root, clock)
        self.root, self.clock = newcomer.root, clock
        self.hold: Hold = newcomer.take().hold
        self.worker: DirectWorker = newcomer.worker
        self.fence: FenceInProcess = newcomer.fence
        self.troubles = newcomer.troubles
        self.fence.requests.clear()
        self.keeper = LeaseKeeper(newcomer.parts())
        self.lost: list[str] = []
        self.beats = 0

    def run(self) -> None:
        """The loop, in this thread, until it ends by itself."""
        self.keeper._hold = self.hold
        self.keeper._run(self.on_lost, self.beat)

    def on_lost(self, sentence: str) -> None:
        self.lost.append(sentence)

    def beat(self) -> None:
        self.beats += 1

    def rival(self, generation: int = 2) -> None:
        record = new_record(applicant(OTHER), TIMING, generation=generation, nonce="theirs")
        (self.root / file_name(generation)).write_text(render_record(record))

    def record(self) -> str:
        return (self.root / file_name(1)).read_text()
