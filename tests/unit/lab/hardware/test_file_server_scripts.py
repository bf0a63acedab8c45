"""The commands the file server is given."""

import pytest

from lab.base.errors import LabError
from lab.hardware.file_server import MountTarget, directory_script, start_script, target_script

TARGET = MountTarget(subnet="subnet-1", address="10.0.1.10/24", gateway="10.0.1.1", mac="02:00:00:00:00:01")


def test_the_server_speaks_4_1_only_gives_no_delegations_and_keeps_its_lease() -> None:
    script = start_script(20)
    for line in ("vers3=n", "vers4.0=n", "vers4.1=y", "vers4.2=n", "lease-time=20", "grace-time=20"):
        assert line in script.splitlines()
    assert "echo 0 > /proc/sys/fs/leases-enable" in script


def test_acknowledged_means_on_disk() -> None:
    assert ",sync," in start_script(15)
    assert ",async," not in start_script(15)


def test_recovery_tracking_runs_before_the_server_and_survives_with_the_data() -> None:
    lines = start_script(15).splitlines()
    assert lines.index("ln -s /export/.recovery /var/lib/nfs/nfsdcld") < lines.index("/usr/sbin/nfsdcld")
    assert lines.index("/usr/sbin/nfsdcld") < lines.index("rpc.nfsd")


def test_a_mount_target_answers_through_its_own_interface() -> None:
    script = target_script(2, TARGET)
    assert "ip rule add from 10.0.1.10 lookup 102" in script
    assert "ip route replace default via 10.0.1.1 dev vec2 table 102" in script


def test_an_access_point_directory_that_exists_is_left_alone() -> None:
    script = directory_script("/influxdb/data", 986, 986, "0750")
    assert script.splitlines()[1].startswith("[ -d /export/influxdb/data ] ||")
    assert "chown 986:986 /export/influxdb/data; chmod 0750 /export/influxdb/data" in script


@pytest.mark.parametrize("path", ["relative", "/a/../../etc"])
def test_a_directory_outside_the_export_is_refused(path: str) -> None:
    with pytest.raises(LabError, match="not an absolute path"):
        directory_script(path, 0, 0, "0755")
