"""mountinfo is read as the kernel writes it."""

from __future__ import annotations

import pytest

from bootstrap.machine.mountinfo import Mount, mount_at, parse_mountinfo

TEXT = r"""20 1 254:0 / / rw,relatime shared:1 - ext4 /dev/ubda rw
36 20 0:45 / /srv/soloist/data rw,relatime shared:20 master:3 - nfs4 10.0.0.20:/demo/data rw,vers=4.1,hard
40 20 0:45 /demo\040one /var/lib/demo rw,relatime - nfs4 10.0.0.20:/demo/data rw,vers=4.1,hard
41 20 0:46 / /var/lib/demo ro - tmpfs tmpfs rw
"""


def test_line_with_optional_fields_and_escapes() -> None:
    mounts = parse_mountinfo(TEXT)
    assert len(mounts) == 4
    assert mounts[2] == Mount(
        device="0:45",
        target="/var/lib/demo",
        kind="nfs4",
        source="10.0.0.20:/demo/data",
        options=frozenset({"rw", "relatime", "vers=4.1", "hard"}),
    )


@pytest.mark.parametrize(
    ("target", "kind"), [("/srv/soloist/data", "nfs4"), ("/var/lib/demo", "tmpfs"), ("/srv", None)]
)
def test_topmost_mount_at_exactly_the_target(target: str, kind: str | None) -> None:
    found = mount_at(TEXT, target)
    assert (found.kind if found else None) == kind


def test_a_line_the_kernel_would_not_write_is_an_error() -> None:
    with pytest.raises(ValueError, match="'-' is not in list"):
        parse_mountinfo("1 2 3:4 / / rw relatime ext4 x rw")
