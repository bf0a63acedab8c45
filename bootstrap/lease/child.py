"""Everything that touches the lease directory, run as a killable child of the agent.

For: the lease directory is on a hard mount, and whoever touches it while its server is away is blocked; so the agent
never does, this program does: `python -I -S child.py`, one JSON request per line on stdin, one JSON answer per
line on stdout, until stdin ends. It lives as long as the agent, because a new process per renewal would cost more than
the renewal. Guarantees: every look opens directory and file afresh (close-to-open: the answer is the server's); a
generation file is published whole by link() and never over another one; after every write the file is read back, and
what was read is the answer, whatever the calls before it returned; safe to kill at any point.
Does not: judge records, choose generations, or import anything but the standard library.
Sources: link(2), rename(2) BUGS ("on NFS filesystems ... the operation may be performed although an error is
returned"); EFS user guide "Consistency in Amazon EFS" (close-to-open, durable after fsync or close).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

GENERATION = re.compile(r"generation-(\d{6,12})")
TEMPORARY = ".new-"


def look(root: str) -> dict[str, Any]:
    """All names, and the content of the newest generation file ("" where there is none)."""
    names = sorted(os.listdir(root))
    generations = [(int(found[1]), name) for name in names if (found := GENERATION.fullmatch(name))]
    text = _read(Path(root) / max(generations)[1]) if generations else ""
    return {"names": names, "text": text}


def publish(root: str, name: str, text: str) -> dict[str, Any]:
    """Publish `name` unless it is there; what it holds afterwards, and the error of link() if any, for people."""
    path, error = Path(root) / name, ""
    temporary = _write_temporary(path, text)
    try:
        os.link(temporary, path)
    except OSError as failure:
        error = str(failure)  # perhaps of a replay of our own request: only what is there now counts
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    _sync_directory(path.parent)
    return {"text": _read_if_there(path), "error": error}


def rewrite(root: str, name: str, text: str) -> dict[str, Any]:
    """Replace the content of an own generation file; what it holds afterwards. Never creates it."""
    path, error = Path(root) / name, ""
    if not path.exists():
        return {"text": "", "error": f"{path} is gone"}
    temporary = _write_temporary(path, text)
    try:
        temporary.rename(path)
    except OSError as failure:
        error = str(failure)
        with contextlib.suppress(OSError):
            temporary.unlink()
    return {"text": _read_if_there(path), "error": error}


def prune(root: str, names: list[str]) -> dict[str, Any]:
    """Delete the generation files `names` with what is left of their temporary ones; how many files."""
    unwanted = set(names)
    deleted = 0
    for entry in os.listdir(root):
        if (entry.removeprefix(TEMPORARY).split(".")[0] if entry.startswith(TEMPORARY) else entry) in unwanted:
            with contextlib.suppress(OSError):
                (Path(root) / entry).unlink()
                deleted += 1
    return {"deleted": deleted}


def _write_temporary(path: Path, text: str) -> Path:
    temporary = path.with_name(f"{TEMPORARY}{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return temporary


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _read_if_there(path: Path) -> str:
    try:
        return _read(path)
    except FileNotFoundError:
        return ""


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # NFS servers may refuse to sync a directory; its changes are synchronous
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "look": look,
    "publish": publish,
    "rewrite": rewrite,
    "prune": prune,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request; its answer, or {"failed": why}."""
    arguments = {name: value for name, value in request.items() if name not in ("verb", "number")}
    try:
        return VERBS[request["verb"]](**arguments)
    except OSError as error:
        return {"failed": str(error)}


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer each line until there are no more."""
    for line in requests:
        request = json.loads(line)
        answers.write(json.dumps({"number": request["number"], **answer(request)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
