"""Shows the data directories where the service expects them, by bind mounts.

For: step directories. Guarantees: each target shows exactly its source of the data file system, proven in mountinfo;
running again is safe; touching the file system is left to a killable child.
Does not: change what is inside a directory (its factory content is copied once, see data_child.py).
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.base.codec import to_tree
from bootstrap.base.document import Directory
from bootstrap.base.errors import MountError
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.mountinfo import Mount


def bind_difference(data: Mount, directory: Directory, seen: Mount | None) -> str:
    """Why `seen` does not show `directory` of the file system mounted as `data`, or "". Pure.

    The kernel shows the root of every NFS mount as "/" and the directory in its source instead (Linux fs/nfs/super.c,
    nfs_show_path and nfs_show_devname).
    """
    if seen is None:
        return f"nothing is mounted at {directory.target}"
    wanted = f"{data.source.rstrip('/')}/{directory.source}"
    if (seen.device, seen.source) != (data.device, wanted):
        return f"{directory.target} shows {seen.source} on {seen.device}, not {wanted} on {data.device}"
    return ""


def ensure_directories(
    file_systems: FileSystems, root: str, directories: tuple[Directory, ...], factory: str, deadline: Deadline
) -> str:
    """Prepare and bind all of them; what was done. `factory`: where the image keeps what packages shipped in them.

    Raises MountError, StopRequested."""
    data = file_systems.mount_at(root)
    if data is None:
        raise MountError(f"nothing is mounted at {root}", remedy="Mount the data file system first")
    bound = {item.target: not bind_difference(data, item, file_systems.mount_at(item.target)) for item in directories}
    done = file_systems.ask_child(
        {
            "verb": "directories",
            "root": root,
            "directories": [
                {**to_tree(item), "is_bound": bound[item.target], "factory": factory + item.target}
                for item in directories
            ],
        },
        deadline,
    )
    for item in directories:
        if not bound[item.target]:
            _bind(file_systems, root, item, data, deadline)
    return done


def _bind(file_systems: FileSystems, root: str, item: Directory, data: Mount, deadline: Deadline) -> None:
    # Something else there is a bind of an earlier mount of the data root; it would hide behind the new one.
    if file_systems.mount_at(item.target) is not None:
        file_systems.unmount(item.target, deadline)
    file_systems.bind(f"{root}/{item.source}", item.target, deadline)
    wrong = bind_difference(data, item, file_systems.mount_at(item.target))
    if wrong:
        raise MountError(wrong, remedy="Look at /proc/self/mountinfo for what covers it")


def release_directories(file_systems: FileSystems, directories: tuple[Directory, ...], deadline: Deadline) -> list[str]:
    """Unmount all, last first, never lazily; the targets that are still there."""
    return [
        item.target
        for item in reversed(directories)
        if not file_systems.unmount(item.target, deadline, may_be_lazy=False)
    ]
