"""Small looks at the data, as a program that can be killed: `python -I -S probe_child.py`.

For: machine.data_probe. Like data_child.py it is what touches the file system instead of the agent: it reads one JSON
request per line from stdin and writes one JSON answer per line to stdout, until stdin ends. Guarantees: it writes one
file of its own beside the marker, and only where the marker is the expected one, so nothing gets into other data or
into the directory below the mount; to write over that file needs no space, so a full file system is no fault here;
between two looks it has no file of the data open; safe to kill at any point, and a write that lands late harms nobody.
Does not: judge, or import anything but the standard library (it runs without the agent's path).
"""

from __future__ import annotations

import errno
import json
import os
import sys

MARKER = ".soloist-file-system"  # as in data_child.py
PROBE = ".soloist-probe"
LARGEST_MARKER = 4096  # bytes
CAUSES = {errno.ESTALE: "stale", errno.EROFS: "read-only", errno.EACCES: "read-only", errno.EPERM: "read-only"}


def look(root: str, marker: str, text: str) -> dict[str, str]:
    """Write `text`, synced, and read it back; where the data are, and what their marker says, or what failed and its
    cause. Nothing is written without a marker, or with another one than `marker` ("": any)."""
    try:
        status, found = os.stat(root), _marker_of(root)
        if found and marker in ("", found):
            _overwrite(os.path.join(root, PROBE), text)
        return {"device": f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}", "found": found}
    except OSError as error:
        return {"failed": str(error), "cause": CAUSES.get(error.errno or 0, "")}


def _marker_of(root: str) -> str:
    try:
        with open(os.path.join(root, MARKER), "rb") as file:
            return file.read(LARGEST_MARKER).decode("utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""


def _overwrite(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, text.encode(), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with open(path, "rb") as file:  # opened anew, so that the server is asked
        if file.read(len(text)) != text.encode():
            raise OSError(errno.EIO, "something else is read back", path)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(look(**json.loads(line))) + "\n")
        sys.stdout.flush()
