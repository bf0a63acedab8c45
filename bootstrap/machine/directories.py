"""Shows the data directories where the service expects them, by bind mounts.

For: the step directories, and the ordered stop. Guarantees: each target shows exactly its source on the data file
system, as mountinfo proves; safe to repeat; only a child that can be killed touches the file system.
Does not: change what is inside a directory (data_child.py copies its factory content once).
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.base.codec import to_tree
from bootstrap.base.document import Directory
from bootstrap.base.errors import MountError
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.mountinfo import Mount


def bind_difference(data: Mount, directory: Directory, seen: Mount | None) -> str:
    """Why `seen` does not show `directory` of the file system mounted as `data`; "" when it does. Pure.

    For an NFS mount the kernel shows "/" as the root and puts the directory into the source (Linux fs/nfs/super.c,
    nfs_show_path and nfs_show_devname).
    """
    if seen is None:
        return f"nothing is mounted at {directory.target}"
    wanted = f"{data.source.rstrip('/')}/{directory.source}"
    if (seen.device, seen.source) != (data.device, wanted):
        return f"{directory.target} shows {seen.source} on {seen.device}, not {wanted} on {data.device}"
    return ""


class DataDirectories:
    """The data directories of one service, below the data root `root`."""

    def __init__(self, file_systems: FileSystems, root: str, directories: tuple[Directory, ...], factory: str) -> None:
        """`factory`: where the image keeps what packages shipped in these directories."""
        self._file_systems = file_systems
        self._root = root
        self._directories = directories
        self._factory = factory

    @property
    def targets(self) -> tuple[str, ...]:
        """Where the service sees them."""
        return tuple(item.target for item in self._directories)

    def ensure(self, deadline: Deadline) -> str:
        """Prepare and bind all of them; what was done, in words. Raises MountError, StopRequested."""
        data = self._file_systems.mount_at(self._root)
        if data is None:
            raise MountError(f"nothing is mounted at {self._root}", remedy="Mount the data file system first")
        unbound = [
            item for item in self._directories if bind_difference(data, item, self._file_systems.mount_at(item.target))
        ]
        requests = [
            {**to_tree(item), "is_bound": item not in unbound, "factory": self._factory + item.target}
            for item in self._directories
        ]
        done = self._file_systems.ask_child(
            {"verb": "directories", "root": self._root, "directories": requests}, deadline
        )
        for item in unbound:
            self._bind(item, data, deadline)
        return done

    def drift(self) -> str:
        """Which target does not show its source, in words; "" when all do. Looks at the kernel's list only."""
        data = self._file_systems.mount_at(self._root)
        if data is None:
            return f"nothing is mounted at {self._root}"
        seen = [bind_difference(data, item, self._file_systems.mount_at(item.target)) for item in self._directories]
        return "; ".join(filter(None, seen))

    def release(self, deadline: Deadline) -> list[str]:
        """Unmount all, last first, never lazily; the targets that are still there. Raises StopRequested."""
        return [
            target
            for target in reversed(self.targets)
            if not self._file_systems.unmount(target, deadline, may_be_lazy=False)
        ]

    def _bind(self, item: Directory, data: Mount, deadline: Deadline) -> None:
        # What is there is a bind of an earlier mount of the data root. It would stay, hidden behind the new one.
        if self._file_systems.mount_at(item.target) is not None:
            self._file_systems.unmount(item.target, deadline)
        self._file_systems.bind(f"{self._root}/{item.source}", item.target, deadline)
        wrong = bind_difference(data, item, self._file_systems.mount_at(item.target))
        if wrong:
            raise MountError(wrong, remedy="Look at /proc/self/mountinfo for what covers it")
