"""Everything that touches the lease directory, run as a killable child of the agent.

For: the lease directory is on a hard mount, and whoever touches it while its server is away is blocked; so the agent
never does, this program does: `python -I -S child.py`, one JSON request per line on stdin, one JSON answer per
line on stdout, until stdin ends. It lives as long as the agent, because a new process per renewal would cost more than
the renewal. Guarantees: every look opens directory and file afresh (close-to-open: the answer is the server's); a
generation file is published whole by link() and never over another one; after every write the file is read back, and
what was read is the answer, whatever the calls before it returned; safe to kill at any point; a renewal on a full file
system needs no new space, because it goes into a spare file that an earlier renewal has laid.
Does not: judge records, choose generations, or import anything but the standard library.
Sources: RFC 8881 (NFS4ERR_NOSPC, NFS4ERR_DQUOT); link(2), rename(2) BUGS ("on NFS filesystems ... the operation may be
performed although an error is returned"); EFS user guide "Consistency in Amazon EFS" (close-to-open, durable after
fsync or close).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

GENERATION = re.compile(r"generation-([0-9]{6,12})")
TEMPORARY = ".new-"
SPARE = ".spare-"
SPARES = 2  # one for the renewals of its holder, one more whose space its successor's record takes
FULL = (errno.ENOSPC, errno.EDQUOT)
LARGEST_RECORD = 4096  # bytes; what is longer is no record, and reading it all would take longer than a renewal may


def look(root: str) -> dict[str, Any]:
    """All names, and the content of the newest generation file ("" where there is none)."""
    names = sorted(os.listdir(root))
    generations = [(int(found[1]), name) for name in names if (found := GENERATION.fullmatch(name))]
    text = _read(Path(root) / max(generations)[1]) if generations else ""
    return {"names": names, "text": text}


def history(root: str, most: int) -> dict[str, Any]:
    """The newest `most` generation files with their content, the newest first."""
    generations = sorted((int(found[1]), name) for name in os.listdir(root) if (found := GENERATION.fullmatch(name)))
    return {"texts": {name: _read_if_there(Path(root) / name) for _, name in reversed(generations[-most:])}}


def read(root: str, name: str) -> dict[str, Any]:
    """The content of `name`, "" where there is none."""
    return {"text": _read_if_there(Path(root) / name)}


def publish(root: str, name: str, text: str, spares: Sequence[str] = ()) -> dict[str, Any]:
    """Publish `name` unless it is there; what it holds afterwards, and the error of link() if any, for people.

    `spares`: those of the generations before, whose space is used where there is no other."""
    path, error = Path(root) / name, ""
    try:
        temporary = _write_temporary(path, text)
    except OSError as failure:
        if failure.errno not in FULL or not spares:
            raise
        for spare in spares:
            with contextlib.suppress(OSError):
                path.with_name(spare).unlink()
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


def rewrite(root: str, name: str, text: str, spares: Sequence[str] = (), strays: Sequence[str] = ()) -> dict[str, Any]:
    """Replace the content of an own generation file; what it holds afterwards. Never creates it.

    `spares`: the spare files of this generation. `is_full`: one of them was used, because there is no other space.
    `strays`: what killed writes of this generation left. It goes first, so that none of them can land any more."""
    path, error, is_full = Path(root) / name, "", False
    _delete(root, strays)
    if not path.exists():
        return {"text": "", "error": f"{path} is gone"}
    try:
        temporary = _write_temporary(path, text)
    except OSError as failure:
        spare = _write_spare(path, text, spares) if failure.errno in FULL else None
        if spare is None:
            raise
        temporary, is_full = spare, True
        with contextlib.suppress(OSError):
            os.link(path, _spare_of(path))  # what is replaced now is the spare of the next renewal
    try:
        temporary.rename(path)
    except OSError as failure:
        error = str(failure)
        with contextlib.suppress(OSError):
            if not is_full:
                temporary.unlink()
    if not is_full and len(spares) < SPARES:
        _lay_spare(path)
    return {"text": _read_if_there(path), "error": error, "is_full": is_full}


def prune(root: str, names: Sequence[str]) -> dict[str, Any]:
    """Delete the files `names`; how many there were."""
    return {"deleted": _delete(root, names)}


def _delete(root: str, names: Sequence[str]) -> int:
    deleted = 0
    for name in names:
        with contextlib.suppress(OSError):
            (Path(root) / name).unlink()
            deleted += 1
    return deleted


def _write_temporary(path: Path, text: str) -> Path:
    """A temporary file with `text`, synced. Nothing is left of it where that fails, as on a full file system."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _spare_of(path: Path) -> Path:
    """A new name: a rename that is sent again must not find another file under the name of its own."""
    return path.with_name(f"{TEMPORARY}{path.name}{SPARE}{os.urandom(4).hex()}")


def _lay_spare(path: Path) -> None:
    """Keep space for one record. Where that fails, the next renewal tries again."""
    spare = _spare_of(path)
    try:
        with open(spare, "xb") as file:
            file.write(b" " * LARGEST_RECORD)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            spare.unlink()


def _write_spare(path: Path, text: str, spares: Sequence[str] = ()) -> Path | None:
    """A spare file that holds `text` now, in space that it had already; None where there is no such file."""
    for name in spares:
        spare = path.with_name(name)
        with contextlib.suppress(OSError):
            if spare.samefile(path):  # killed between link and rename: it is the record itself, and no spare
                spare.unlink()
                continue
            with open(spare, "r+b") as file:
                file.write(text.encode())
                file.flush()
                file.truncate()
                os.fsync(file.fileno())
            return spare
    return None


def _read(path: Path) -> str:
    """The content, cut just after what a record may have at the most, so that it cannot be taken for one."""
    with path.open("rb") as file:
        return file.read(LARGEST_RECORD + 1).decode("utf-8", errors="replace")


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
    "history": history,
    "read": read,
    "publish": publish,
    "rewrite": rewrite,
    "prune": prune,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request; its answer, or {"failed": why, "cause": the stable word of a cause that has one}."""
    arguments = {name: value for name, value in request.items() if name not in ("verb", "number")}
    try:
        return VERBS[request["verb"]](**arguments)
    except OSError as error:
        return {"failed": str(error), "cause": "file-system-full" if error.errno in FULL else ""}


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer each line until there are no more."""
    for line in requests:
        request = json.loads(line)
        answers.write(json.dumps({"number": request["number"], **answer(request)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
