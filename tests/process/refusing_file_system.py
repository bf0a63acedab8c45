"""Run inside a mount namespace of its own: `unshare -Urm python -m tests.process.refusing_file_system`. Prints JSON.

What a look at the data says of a file system that takes writes, refuses them, is full, is another one, is gone.
"""

import contextlib
import json
import subprocess
from pathlib import Path

from bootstrap.machine import probe_child

ROOT = "/mnt"
MARKER = '{"file_system": "fs-1", "service": "demo"}'


def mount(*options: str) -> None:
    subprocess.run(["mount", *options, ROOT], check=True)


def look(text: str) -> dict[str, object]:
    found = probe_child.look(ROOT, MARKER, text)
    probe = Path(ROOT, probe_child.PROBE)
    return {**found, "left": probe.read_text() if probe.exists() else None}


def fill() -> None:
    with contextlib.suppress(OSError), Path(ROOT, "filler").open("ab", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass


seen = {"below": look("a" * 32)}
mount("-t", "tmpfs", "-o", "size=128k", "tmpfs")
Path(ROOT, probe_child.MARKER).write_text(MARKER + "\n")
seen["good"] = look("b" * 32)
fill()
seen["full"] = look("c" * 32)
mount("-o", "remount,ro")
seen["read-only"] = look("d" * 32)
mount("-t", "tmpfs", "tmpfs")
Path(ROOT, probe_child.MARKER).write_text("theirs\n")
seen["foreign"] = look("e" * 32)
print(json.dumps(seen))
