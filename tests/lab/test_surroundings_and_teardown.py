"""What stops a run is one clear line before anything is built; what ends a run leaves nothing behind.

Run inside the lab's namespace, in which further ones are made: `python -m lab.hardware.namespace -- python -m pytest
FILE`.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.base.checkout import CHECKOUT
from lab.base.errors import LabPreconditionError
from lab.base.run_directory import sweep
from lab.base.waiting import wait_for
from lab.hardware import namespace
from lab.play.program import prepare
from lab.play.stage import open_stage

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _inside() -> None:
    if not namespace.inside():
        pytest.fail("needs the lab's namespace: run `python -m lab.hardware.namespace -- python -m pytest tests/lab`")


def machines_of(run_directories: set[str]) -> list[str]:
    """Command lines of machines whose disks are below one of `run_directories`."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(directory in text for directory in run_directories):
            found.append(text)
    return found


def disks_below(directory: str) -> list[Path]:
    return list(Path(directory).glob("soloist-*/*/disk.cow"))


def start_demo(tmp_path: Path, **changes: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != namespace.MARK}
    environment |= {"TMPDIR": str(tmp_path), **changes}
    return subprocess.Popen(
        [sys.executable, "-m", "lab.demo"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until_machines_run(demo: subprocess.Popen[str], directory: str) -> None:
    def are_there() -> bool:
        if demo.poll() is not None:
            pytest.fail(f"the demo ended by itself: {demo.communicate()[0]}")
        return len(machines_of({directory})) > 3

    wait_for(are_there, "machines of the demo", deadline_s=60.0)


def test_ctrl_c_ends_every_machine_and_leaves_no_disk() -> None:
    with tempfile.TemporaryDirectory(prefix="sl", dir="/tmp") as directory:
        demo = start_demo(Path(directory))
        wait_until_machines_run(demo, directory)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        said, _ = demo.communicate(timeout=60.0)
        assert demo.returncode == 130, said
        assert "stopped by Ctrl-C" in said
        assert machines_of({directory}) == []
        assert list(Path(directory).iterdir()) == []


def test_killed_demo_takes_its_machines_along_and_the_next_run_its_disks() -> None:
    with tempfile.TemporaryDirectory(prefix="sl", dir="/tmp") as directory:
        demo = start_demo(Path(directory))
        wait_until_machines_run(demo, directory)
        wait_for(lambda: disks_below(directory), "a disk of theirs", deadline_s=20.0)
        demo.kill()
        demo.communicate(timeout=60.0)
        wait_for(lambda: not machines_of({directory}), "the end of every machine", deadline_s=20.0)
        assert disks_below(directory) != []
        wait_for(lambda: sweep(Path(directory)), "the directory to be free, as the next run does it", deadline_s=20.0)
        assert disks_below(directory) == []


def test_taken_port_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    kernel, images = prepare()
    with socket.socket() as other:
        other.bind(("0.0.0.0", 4566))
        other.listen()
        with (
            pytest.raises(LabPreconditionError, match=r"cannot listen: .*port 4566: .*: end the program that holds"),
            open_stage(kernel, images, Path("/tmp") / f"sl-{os.getpid()}", []),
        ):
            pytest.fail("the lab started beside the other program")


def test_missing_user_mode_linux_is_one_line_before_anything_is_built(tmp_path: Path) -> None:
    script = (
        "import lab.hardware.probe as probe; "
        "probe.KERNEL_NAME = 'no-such-linux.uml'; import sys, lab.demo; sys.exit(lab.demo.main())"
    )
    environment = {key: value for key, value in os.environ.items() if key != namespace.MARK}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4
    assert len(done.stderr.strip().splitlines()) == 1
    assert "apt-get install user-mode-linux" in done.stderr
