"""The real fence as a process: a control group with real processes in it, a FIFO as watchdog, a file instead of sysrq.

The kernel's part is played by `Kernel`: it empties the group when cgroup.kill is written, as cgroup v2 does.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.clock import SystemClock
from bootstrap.base.errors import FenceError
from bootstrap.base.timing import LeaseTiming
from bootstrap.fence.client import FenceClient
from bootstrap.fence.protocol import SOCKET_NAME, FenceAnswer, FenceRequest
from bootstrap.fence.rules import LATE_S

REPOSITORY = Path(__file__).resolve().parents[2]
TIMING = LeaseTiming(stop_timeout_s=1.0, kill_timeout_s=2.0, watchdog_timeout_s=5.0)
OBEDIENT = "import time\ntime.sleep(600)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)


class Kernel:
    """A control group whose members are real processes, and what the kernel does with it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "soloist.slice"
        self.path.mkdir(parents=True)
        (root / "cgroup.procs").write_text("")
        (self.path / "cgroup.kill").write_text("")
        self.members: list[subprocess.Popen[bytes]] = []
        self.is_killing = True  # False: processes blocked in the kernel do not die
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._show()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, program: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        if program == STUBBORN:
            assert process.stdout is not None
            process.stdout.readline()
        self.members.append(process)
        self._show()
        return process

    def was_killed(self) -> bool:
        return (self.path / "cgroup.kill").read_text() == "1"

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        for process in self.members:
            process.kill()
            process.wait()

    def _run(self) -> None:
        while not self._ending.wait(0.02):
            if self.was_killed() and self.is_killing:
                for process in self.members:
                    process.kill()
            self._show()

    def _show(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        alive = [process.pid for process in self.members if process.poll() is None]
        for name, text in (
            ("cgroup.procs", "".join(f"{pid}\n" for pid in alive)),
            ("cgroup.events", f"populated {int(bool(alive))}\n"),
        ):
            temporary = self.path / f".{name}"
            temporary.write_text(text)
            temporary.replace(self.path / name)


class Bench:
    """One fence and everything around it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "run"
        self.run.mkdir()
        self.kernel = Kernel(root / "cgroup")
        self.sysrq, self.mountinfo = root / "sysrq", root / "mountinfo"
        self.sysrq.touch()
        self.unmount()
        self.process("self", "mnt:[1]")
        os.mkfifo(root / "watchdog")
        self.watchdog = os.open(root / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
        self.client = FenceClient(self.run / SOCKET_NAME)
        self.clock = SystemClock()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-S", "-m", "bootstrap.fence", "--run", str(self.run)]
        argv += ["--group", str(self.kernel.path), "--mountinfo", str(self.mountinfo)]
        argv += ["--proc", str(self.root / "proc")]
        argv += ["--watchdogs", str(self.root / "watchdog*"), "--sysrq", str(self.sysrq)]
        log = (self.root / f"fence-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(argv, cwd=REPOSITORY, stderr=log)
        self.processes.append(process)
        self.until(self.answers, "the fence to answer")
        return process

    def answers(self) -> bool:
        try:
            self.client.ask(FenceRequest(verb="look"))
        except FenceError:
            return False
        return True

    def hold(self, seconds: float, generation: int = 1, timing: LeaseTiming = TIMING) -> FenceAnswer:
        return self.client.ask(self.request(seconds, generation, timing))

    def request(self, seconds: float, generation: int = 1, timing: LeaseTiming = TIMING) -> FenceRequest:
        return FenceRequest(
            verb="hold",
            generation=generation,
            nonce=f"nonce-{generation}",
            deadline_s=self.clock.monotonic() + seconds,
            mounts=("/data",),
            timing=timing,
        )

    def mount(self) -> None:
        self.mountinfo.write_text("20 1 8:1 / / rw - ext4 /dev/root rw\n21 20 0:40 / /data rw - nfs4 x:/d rw\n")

    def unmount(self) -> None:
        self.mountinfo.write_text("20 1 8:1 / / rw - ext4 /dev/root rw\n")

    def process(self, pid: str, namespace: str, mountinfo: str = "") -> None:
        """A process of the machine, as the fence sees it below /proc."""
        (self.root / "proc" / pid / "ns").mkdir(parents=True)
        (self.root / "proc" / pid / "ns/mnt").symlink_to(namespace)
        (self.root / "proc" / pid / "mountinfo").write_text(mountinfo)

    def is_granted(self) -> bool:
        return (self.run / "granted").exists()

    def was_reset(self) -> bool:
        return self.sysrq.read_text() == "b"

    def petted(self) -> bytes:
        """What has reached the device since the last call."""
        try:
            return os.read(self.watchdog, 65536)
        except BlockingIOError:
            return b""

    def until(self, look: Callable[[], bool], what: str, timeout_s: float = 20.0) -> float:
        began_s = time.monotonic()
        while not look():
            logs = "".join(path.read_text() for path in sorted(self.root.glob("fence-*.log")))
            assert time.monotonic() - began_s < timeout_s, f"{what}: not seen within {timeout_s} s\n{logs}"
            time.sleep(0.01)
        return time.monotonic() - began_s

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.kernel.close()
        os.close(self.watchdog)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_granted_only_while_a_deadline_is_guarded_and_taken_back_when_let_go(bench: Bench) -> None:
    bench.start()
    assert not bench.is_granted()
    answer = bench.hold(30)
    assert (answer.is_accepted, answer.sentence) == (True, "generation 1 is guarded")
    assert bench.is_granted()
    bench.mount()
    refused = bench.client.ask(FenceRequest(verb="let-go"))
    assert (refused.is_accepted, refused.sentence) == (
        False,
        "generation 1 is guarded on: a mount of the data is still there",
    )
    assert bench.is_granted()
    bench.unmount()
    assert bench.client.ask(FenceRequest(verb="let-go")).is_accepted
    assert not bench.is_granted()
    assert not bench.was_reset()


def test_a_mount_in_another_namespace_is_as_good_as_ours(bench: Bench) -> None:
    """An orphaned container keeps a private copy, and writes after the release (coreos/bugs#1086)."""
    bench.start()
    bench.mount()
    bench.process("77", "mnt:[2]", "90 80 0:40 / /elsewhere rw - nfs4 x:/d rw\n")
    bench.process("78", "mnt:[3]", "91 80 0:41 / /data rw - nfs4 x:/d rw\n")
    assert bench.hold(60).is_accepted
    bench.unmount()
    assert "a mount of the data is still there" in bench.client.ask(FenceRequest(verb="let-go")).sentence
    (bench.root / "proc/77/mountinfo").write_text("")
    assert bench.client.ask(FenceRequest(verb="let-go")).is_accepted


def test_a_grant_that_was_removed_is_there_again_with_the_next_turn(bench: Bench) -> None:
    bench.start()
    bench.hold(30)
    (bench.run / "granted").unlink()
    bench.until(bench.is_granted, "the grant to be back")


def test_renewed_deadlines_keep_the_service_and_the_device(bench: Bench) -> None:
    bench.start()
    service = bench.kernel.add(OBEDIENT)
    bench.hold(3)
    for _ in range(4):
        assert bench.hold(3).sentence == "generation 1 is guarded further"
        assert service.poll() is None
        bench.until(lambda: b"\0" in bench.petted(), "the device to be petted")


def test_past_the_deadline_term_then_nothing_more_where_that_is_enough(bench: Bench) -> None:
    bench.start()
    service = bench.kernel.add(OBEDIENT)
    timing = replace(TIMING, kill_timeout_s=1.0)
    bench.hold(0.7, timing=timing)
    bench.until(lambda: service.poll() is not None, "the service to end")
    assert service.returncode == -signal.SIGTERM
    bench.until(lambda: not bench.is_granted(), "the grant to be withdrawn")
    time.sleep(timing.stop_timeout_s + timing.kill_timeout_s + 0.5)  # the whole ladder has passed
    assert not bench.kernel.was_killed()
    assert not bench.was_reset()
    assert bench.hold(30).sentence == "generation 1 is over: nothing can rescue it"


def test_stubborn_service_is_killed_and_the_machine_lives(bench: Bench) -> None:
    bench.start()
    service = bench.kernel.add(STUBBORN)
    bench.hold(0.7)
    bench.until(lambda: service.poll() is not None, "the service to end")
    assert service.returncode == -signal.SIGKILL
    time.sleep(TIMING.kill_timeout_s + 0.5)
    assert not bench.was_reset()


@pytest.mark.parametrize("what", ["process", "mount"])
def test_what_does_not_go_ends_in_a_reset_and_the_device_is_petted_no_more(bench: Bench, what: str) -> None:
    bench.start()
    bench.kernel.is_killing = False
    short = replace(TIMING, stop_timeout_s=0.3, kill_timeout_s=0.3)  # nothing here could end in time and must not
    if what == "process":
        bench.kernel.add(STUBBORN)
    else:
        bench.mount()
    bench.hold(0.5, timing=short)
    bench.until(bench.was_reset, "the reset")
    bench.petted()
    time.sleep(1.5)
    assert bench.petted() == b""


def test_it_strikes_also_when_the_agent_hangs_or_is_gone(bench: Bench) -> None:
    """The agent is this test: it says one deadline, closes its connection and is never heard of again."""
    bench.start()
    service = bench.kernel.add(OBEDIENT)
    FenceClient(bench.run / SOCKET_NAME).ask(bench.request(0.5))
    bench.until(lambda: service.poll() is not None, "the service to end")


@pytest.mark.parametrize("ladder_s", [6.0, 1.0])
def test_woken_up_past_its_deadline_it_gives_no_grace_and_past_the_whole_ladder_no_time(
    bench: Bench, ladder_s: float
) -> None:
    timing = replace(TIMING, stop_timeout_s=ladder_s, kill_timeout_s=ladder_s)
    fence = bench.start()
    service = bench.kernel.add(STUBBORN)
    bench.hold(0.5, timing=timing)
    fence.send_signal(signal.SIGSTOP)
    time.sleep(0.5 + LATE_S + 0.3)
    assert service.poll() is None
    fence.send_signal(signal.SIGCONT)
    if 2 * ladder_s <= LATE_S:
        bench.until(bench.was_reset, "the reset", 3)
    else:
        bench.until(lambda: service.poll() is not None, "the service to be killed", 3)
        assert service.returncode == -signal.SIGKILL
        assert not bench.was_reset()


def test_lost_is_struck_at_once(bench: Bench) -> None:
    bench.start()
    service = bench.kernel.add(STUBBORN)
    bench.hold(60)
    bench.client.ask(FenceRequest(verb="lost"))
    bench.until(lambda: service.poll() is not None, "the service to end", 5)
    assert not bench.is_granted()


def test_killed_and_started_again_it_guards_the_same_deadline(bench: Bench) -> None:
    fence = bench.start()
    service = bench.kernel.add(OBEDIENT)
    bench.hold(6.0)
    fence.kill()
    fence.wait()
    bench.start()
    assert bench.is_granted(), "the deadline lies ahead, unless the second fence took six seconds to start"
    answer = bench.client.ask(FenceRequest(verb="look"))
    assert (answer.generation, answer.nonce) == (1, "nonce-1")
    bench.until(lambda: service.poll() is not None, "the service to end")
    assert service.returncode == -signal.SIGTERM


def test_told_to_stop_it_stays_until_nothing_is_left(bench: Bench) -> None:
    fence = bench.start()
    bench.hold(60)
    bench.mount()
    assert not bench.client.ask(FenceRequest(verb="look")).is_stopping
    fence.terminate()
    bench.until(lambda: bench.client.ask(FenceRequest(verb="look")).is_stopping, "the fence to say that it is to end")
    answer = bench.hold(60)
    assert (answer.is_accepted, answer.is_stopping) == (True, True), "an orderly stop needs the lease until its end"
    assert fence.poll() is None
    bench.unmount()
    assert fence.wait(timeout=10) == 0
    assert bench.petted().endswith(b"V"), "the device is let go"


def test_next_generation_only_when_nothing_of_the_last_is_left(bench: Bench) -> None:
    bench.start()
    bench.hold(60)
    bench.mount()
    assert bench.hold(60, generation=2).sentence == "generation 2: something of generation 1 is left: refused"
    bench.unmount()
    assert bench.hold(60, generation=2).is_accepted
    assert bench.hold(90, generation=1).sentence == "generation 1 is older than generation 2: refused"


def test_damaged_state_means_nothing_may_run(bench: Bench) -> None:
    (bench.run / "fence.json").write_text("{")
    (bench.run / "granted").write_text("1\n")
    service = bench.kernel.add(STUBBORN)
    bench.start()
    bench.until(lambda: service.poll() is not None, "the service to end")
    assert not bench.is_granted()


def test_nonsense_closes_the_connection_and_nothing_else(bench: Bench) -> None:
    fence = bench.start()
    bench.hold(60)
    with pytest.raises(FenceError, match="does not answer look"):
        bench.client.ask(replace(FenceRequest(verb="look"), mounts=None))  # type: ignore[arg-type]
    assert fence.poll() is None
    assert bench.client.ask(FenceRequest(verb="look")).generation == 1


def test_without_a_fence_the_agent_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FenceError, match=r"the fence does not answer look.*must not run"):
        FenceClient(tmp_path / "nowhere.sock").ask(FenceRequest(verb="look"))
