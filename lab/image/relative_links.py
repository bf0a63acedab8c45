"""Makes every symbolic link of a root file system relative, so that it means the same inside and outside of it.

For: images are built without root by fakechroot, where an absolute link would lead into the host, and where links made
inside carry the build directory in front. Run as a program under fakeroot: `python relative_links.py ROOT`.
Guarantees: links into /dev, /proc and /sys stay absolute (fakechroot passes these through); nothing else is absolute.
Does not: follow links or check that their targets exist.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

PASSED_THROUGH = ("/dev", "/proc", "/sys")


def relative_target(link: str, target: str, root: str) -> str:
    """The target that the link at `link` (absolute inside the root file system) should have instead of `target`."""
    if not target.startswith("/"):
        return target
    if target == root or target.startswith(root + "/"):
        target = target[len(root) :] or "/"
    if any(target == path or target.startswith(path + "/") for path in PASSED_THROUGH):
        return target
    return os.path.relpath(target, os.path.dirname(link))


def make_links_relative(root: str) -> int:
    """Rewrites the links below `root`; returns how many were changed."""
    root = os.path.abspath(root)
    changed = 0
    for path in _links(root):
        target = os.readlink(path)
        wanted = relative_target(path[len(root) :], target, root)
        if wanted != target:
            os.unlink(path)
            os.symlink(wanted, path)
            changed += 1
    return changed


def _links(root: str) -> Iterator[str]:
    for directory, subdirectories, files in os.walk(root):
        for name in subdirectories + files:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                yield path


if __name__ == "__main__":
    make_links_relative(sys.argv[1])
