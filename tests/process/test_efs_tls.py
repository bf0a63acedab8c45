"""The transport of AWS, `efs-tls`: a whole boot through the image's mount helper, never plain NFS.

The fake machine's mount.efs refuses what the real one refuses and shows in mountinfo what stunnel's mounts show
(127.0.0.1:/); no lab has a server that speaks TLS.
"""

import signal
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.clock import Deadline, SystemClock
from tests.kit.fake_os import FakeOs
from tests.kit.surroundings import Surroundings

LEASE = "tls,iam,accesspoint=fsap-lease,noresvport,noac,lookupcache=none,nosharecache"
DATA = "tls,iam,accesspoint=fsap-data,noresvport"
FALLBACK = ",mounttargetip=10.0.0.20"


def speak_tls(tree: dict[str, Any]) -> None:
    tree["file_system"]["transport"] = "efs-tls"


def mounted(here: Surroundings) -> list[str]:
    """The mounts of file systems that were tried, but for what they are mounted at."""
    root = here.os.root
    tried = (line.partition(" -- ") for line in here.os.log() if " -- mount -t efs" in line)
    lines = [(scope, line.replace(str(root), "")) for scope, _, line in tried]
    # In the agent's own control group the helper's proxy would die with the agent, under data that are mounted.
    assert all(scope.startswith("systemd-run --scope ") for scope, _ in lines)
    return [line for _, line in lines]


@pytest.mark.parametrize("is_name_known", [True, False])
def test_a_boot_mounts_by_the_helper_and_serves(surroundings: Surroundings, *, is_name_known: bool) -> None:
    surroundings.change_document(speak_tls)
    if not is_name_known:
        surroundings.os.forbid(f"{LEASE} fs-1:/", f"{DATA} fs-1:/")
    agent = surroundings.serve()
    surroundings.assert_serves()
    by_name = [f"mount -t efs -o {LEASE} fs-1:/ /srv/lease", f"mount -t efs -o {DATA} fs-1:/ /srv/data"]
    by_address = [
        f"mount -t efs -o {LEASE}{FALLBACK} fs-1:/ /srv/lease",
        f"mount -t efs -o {DATA}{FALLBACK} fs-1:/ /srv/data",
    ]
    if is_name_known:
        assert mounted(surroundings) == by_name
    else:
        assert mounted(surroundings) == [by_name[0], by_address[0], by_name[1], by_address[1]]
    details = surroundings.details()
    way = "by fs-1.efs.us-east-1.amazonaws.com" if is_name_known else "by 10.0.0.20"
    assert (details["mount-lease"], details["mount-data"]) == (way, way)

    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=30) == 0
    assert surroundings.os.mounts() == []
    assert surroundings.generations()[-1]["is_released"] is True


def test_a_restart_finds_the_helpers_mounts_and_makes_no_second_ones(surroundings: Surroundings) -> None:
    surroundings.change_document(speak_tls)
    victim = surroundings.start("finished:ready")
    assert victim.wait(timeout=60) == -signal.SIGKILL
    surroundings.forget_state()
    before = mounted(surroundings)
    surroundings.os.set_unit("demo.service", "inactive")
    surroundings.serve()
    surroundings.assert_serves()
    lease_mounts = [line for line in mounted(surroundings)[len(before) :] if "/srv/lease" in line]
    assert lease_mounts == []


@pytest.mark.parametrize("options", [DATA.replace("tls,", ""), "accesspoint=fsap-data", "iam"])
def test_the_fake_helper_refuses_what_the_real_one_refuses(tmp_path: Path, options: str) -> None:
    fake, deadline = FakeOs(tmp_path / "machine"), Deadline(SystemClock(), 10, "mount")
    done = fake.run(("mount", "-t", "efs", "-o", options, "fs-1:/", "/mnt"), deadline)
    assert done.exit_code == 1
    assert 'The "tls" option is required when mounting via' in done.output
    assert fake.mounts() == []
