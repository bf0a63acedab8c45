"""Every access to the data file system, as a program that can be killed: `python -I -S data_child.py`.

For: a hard mount whose server is gone blocks whoever touches it, so the agent never touches it; this program does. It
reads one JSON request from stdin, writes one JSON answer to stdout, and exits 0 even when it refuses.
Guarantees: safe to kill at any point and to run again. The marker appears by rename, so it is whole or absent; a
writer's file is linked whole and never overwritten. The factory content of a directory (what the package shipped, which
the image keeps as a template) is copied to a temporary directory and then renamed into place, so that a half copy is
never taken for data. A second marker says that a directory was prepared, so that the factory content of a later image
never gets into it, and a directory that has vanished is noticed and not made anew. The log of takeovers is appended to,
synced, and bounded: when it is full the older half goes. A line that a killed child left half-written stays alone.
Does not: mount, know AWS, or import anything but the standard library (it runs without the agent's path).
"""

from __future__ import annotations

import contextlib
import errno
import grp
import json
import os
import pwd
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = ".soloist-file-system"
PREPARED = ".soloist-directories"
WRITER = ".soloist-writer-"
WRITERS_KEPT = 10
SPARE = WRITER + "spare"
TAKEOVERS = ".soloist-takeovers"
LARGEST_LOG = 4 * 2**20  # bytes; eight takeovers a day for a year
LARGEST_LINE = 4096  # bytes, as in base/takeovers.py
TOLD = 50_000  # bytes of an answer; commands.py reads 65,536
LARGEST_RECORD = 4096  # bytes, as in lease/child.py
OURS = (".soloist-", ".nfs")  # ours, and what the NFS client keeps of deleted files that are still open


class Refused(Exception):
    """The file system does not hold what this service may use. The message ends in a remedy."""


def ensure_marker(root: str, file_system_id: str, service: str, *, is_written: bool = True) -> bool:
    """Check the marker, or (with `is_written`) create it on an empty file system; True when it was created. Raises
    Refused, OSError."""
    marker = Path(root) / MARKER
    wanted = {"file_system": file_system_id, "service": service}
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = None
    except ValueError as error:
        raise Refused(f"{marker} is not JSON ({error}). Inspect it and write {json.dumps(wanted)} into it.") from None
    if found == wanted:
        return False
    if found is not None:
        raise Refused(f"{marker} says {json.dumps(found)}, not {json.dumps(wanted)}. Mount the right file system.")
    if not is_written:
        raise Refused(f"{marker} is gone, and without it the next start refuses. Write {json.dumps(wanted)} into it.")
    foreign = sorted(name for name in os.listdir(root) if not name.startswith(OURS))
    if foreign:
        raise Refused(
            f"{root} has no {MARKER} but holds {', '.join(foreign[:5])}. "
            f"To adopt these data write {json.dumps(wanted)} into {marker}."
        )
    _publish(marker, json.dumps(wanted) + "\n")
    return True


def last_writer(root: str, below: int) -> str:
    """Generation and content of the highest writer's file below `below`; "0 " where there is none. Raises OSError."""
    highest = max((number for number in _writers(root) if number < below), default=0)
    if not highest:
        return "0 "
    with _writer(root, highest).open("rb") as file:
        return f"{highest} {file.read(LARGEST_RECORD + 1).decode('utf-8', errors='replace')}"


def enter_writer(root: str, generation: int, text: str) -> None:
    """Add the file of `generation` unless it is there, and delete those of long ago. On a full file system it takes the
    space of a spare file that an earlier writer has laid. Raises OSError."""
    path, spare = _writer(root, generation), Path(root) / SPARE
    try:
        temporary = _write(path, text)
    except OSError as failure:
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT) or not spare.exists():
            raise
        spare.unlink()
        temporary = _write(path, text)
    try:
        with contextlib.suppress(FileExistsError):  # perhaps by a replay of our own request: what is there counts
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)
    for number in _writers(root):
        if number <= generation - WRITERS_KEPT:
            _writer(root, number).unlink(missing_ok=True)
    if not spare.exists():
        with contextlib.suppress(OSError):
            _publish(spare, " " * LARGEST_RECORD)


def _writers(root: str) -> list[int]:
    name = re.compile(re.escape(_writer(root, 0).name.removesuffix("000000")) + "([0-9]{6,12})")
    return [int(found[1]) for entry in os.listdir(root) if (found := name.fullmatch(entry))]


def _writer(root: str, generation: int) -> Path:
    """Its name has the file system's: whoever wrote to the original of a restored copy does not write to the copy."""
    marker = json.loads((Path(root) / MARKER).read_text(encoding="utf-8"))
    return Path(root) / f"{WRITER}{marker['file_system'].replace('/', '%2f')}-{generation:06d}"


def append_takeover(root: str, line: str) -> str:
    """Append `line` to the log of takeovers; its newest lines afterwards. Raises Refused, OSError."""
    data = line.encode("ascii", errors="replace") + b"\n"
    if len(data) > LARGEST_LINE + 1 or b"\n" in data[:-1]:
        raise Refused(f"a line of {len(data)} bytes is none of the log of takeovers.")
    path = Path(root) / TAKEOVERS
    with _open_log(path) as log:
        size = os.fstat(log).st_size
        if size + len(data) > LARGEST_LOG:
            kept = os.pread(log, LARGEST_LOG // 2, size - LARGEST_LOG // 2).partition(b"\n")[2]
            _publish(path, kept.decode("ascii", errors="replace"))
    with _open_log(path) as log:
        size = os.fstat(log).st_size
        is_torn = size > 0 and os.pread(log, 1, size - 1) != b"\n"
        try:
            os.write(log, b"\n" * is_torn + data)
            os.fsync(log)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(log, size)
            raise
        return _newest(log)


@contextlib.contextmanager
def _open_log(path: Path) -> Iterator[int]:
    """The log, made if need be; never what somebody put in its place."""
    log = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(log).st_mode):
            raise Refused(f"{path} is no file. Move it away.")
        yield log
    finally:
        os.close(log)


def _newest(log: int) -> str:
    """The newest lines, the oldest of them first, as many as fit into an answer."""
    size = os.fstat(log).st_size
    begin = max(0, size - TOLD)
    lines = os.pread(log, TOLD, begin).decode("ascii", errors="replace").split("\n")
    told: list[str] = []
    left = TOLD
    for line in reversed(lines[1:] if begin else lines):
        left -= len(json.dumps(line))
        if left < 0:
            break
        told.append(line)
    return "\n".join(reversed(told))


def space(root: str) -> list[int]:
    """Bytes of the file system: all, and those in use. Raises OSError."""
    seen = os.statvfs(root)
    return [seen.f_blocks * seen.f_frsize, (seen.f_blocks - seen.f_bfree) * seen.f_frsize]


def prepare_directory(root: str, item: dict[str, Any]) -> str:
    """Prepare one data directory for its bind mount; what was done, in words. Raises Refused, OSError.

    `item`: source, target, owner, group and mode as in the boot document; `is_bound`: the target shows it already;
    `factory`: where the image keeps what the package shipped there, if anything.
    """
    source = Path(root) / item["source"]
    done = Path(root) / PREPARED / item["source"].replace("/", "%2f")
    if not item["is_bound"] and not os.path.isdir(item["target"]):
        raise Refused(f"{item['target']} is not a directory of the image. Create it there.")
    real = os.path.realpath(item["target"])
    if real != item["target"]:  # the kernel would show what is mounted there under its real name only
        raise Refused(f"{item['target']} leads to {real} by a symbolic link. Name {real} in the service file.")
    did = "was ready"
    if done.exists():
        if not source.is_dir():
            raise Refused(f"{source} was prepared before and is gone. Restore it from a backup.")
    else:
        did = _fill(source, item)
        done.parent.mkdir(mode=0o755, exist_ok=True)
        _publish(done, f"{did}\n")
    _own(source, item)
    return did


def _fill(source: Path, item: dict[str, Any]) -> str:
    if source.is_dir() and any(source.iterdir()):
        return "adopted"  # data, or a copy after which the agent died before it wrote the marker
    source.parent.mkdir(parents=True, exist_ok=True)
    building = source.parent / f".soloist-building-{source.name}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    # An image that ami/install.sh did not make may still have the factory content at the target.
    origins = [item["factory"]] if item["is_bound"] else [item["factory"], item["target"]]
    if os.path.islink(item["factory"]) and not os.path.exists(item["factory"]):
        raise Refused(f"{item['factory']} is a symbolic link to nothing: the content is lost. Bake the image again.")
    origin = next((place for place in origins if os.path.isdir(place)), "")
    copied = _copy_tree(origin, building) if origin else 0
    os.sync()
    os.rename(building, source)  # replaces an empty directory, fails on one that is not
    _sync_directory(source.parent)
    return f"copied {copied} entries of the image" if copied else "created empty"


def _copy_tree(origin: str, building: Path) -> int:
    shutil.copytree(origin, building, symlinks=True, dirs_exist_ok=True)
    count = 0
    for here, directories, files in os.walk(origin):
        for name in directories + files:
            original = os.path.join(here, name)
            status = os.lstat(original)
            copy = building / os.path.relpath(original, origin)
            os.chown(copy, status.st_uid, status.st_gid, follow_symlinks=False)
            if not os.path.islink(copy):
                os.chmod(copy, status.st_mode & 0o7777)  # chown clears set-id bits
            count += 1
    return count


def _own(source: Path, item: dict[str, Any]) -> None:
    try:
        owner, group = pwd.getpwnam(item["owner"]).pw_uid, grp.getgrnam(item["group"]).gr_gid
    except KeyError as error:
        raise Refused(f"{source}: {error.args[0]}. Create the user and group in the image.") from None
    status, mode = source.stat(), int(item["mode"], 8)
    if (status.st_uid, status.st_gid) != (owner, group):
        os.chown(source, owner, group)
    if source.stat().st_mode & 0o7777 != mode:
        source.chmod(mode)


def _publish(path: Path, text: str) -> None:
    _write(path, text).replace(path)
    _sync_directory(path.parent)


def _write(path: Path, text: str) -> Path:
    """A temporary file with `text`, synced. Nothing is left of it where that fails, as on a full file system."""
    temporary = path.with_name(f".soloist-new-{path.name.lstrip('.')}-{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # NFS servers may refuse to sync a directory; its changes are synchronous
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request; {"done": what}, {"refused": why, with a remedy} or {"failed": why}."""
    try:
        if request["verb"] in ("marker", "inspect-marker"):
            is_written = request["verb"] == "marker"
            made = ensure_marker(request["root"], request["file_system"], request["service"], is_written=is_written)
            return {"done": "marker created" if made else "marker matches", "space": space(request["root"])}
        if request["verb"] == "append-takeover":
            return {"done": append_takeover(request["root"], request["line"])}
        if request["verb"] == "enter-writer":
            enter_writer(request["root"], int(request["generation"]), request["text"])
        if request["verb"] in ("enter-writer", "last-writer"):
            return {"done": last_writer(request["root"], int(request["below"]))}
        did = [f"{item['source']} {prepare_directory(request['root'], item)}" for item in request["directories"]]
        return {"done": ", ".join(did)}
    except Refused as error:
        return {"refused": str(error)}
    except (OSError, shutil.Error) as error:
        return {"failed": str(error)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.loads(sys.stdin.read()))) + "\n")
