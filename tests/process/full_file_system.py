"""Run inside a mount namespace of its own: `unshare -Urm python -m tests.process.full_file_system`. Prints JSON.

A holder renews on a file system that somebody fills to the last byte; its successor publishes and renews there, too.
"""

import contextlib
import json
import subprocess
from pathlib import Path

from bootstrap.lease import child
from bootstrap.lease.rules.record import spares

ROOT = "/mnt"
RECORD = "x" * 700


def fill() -> None:
    with contextlib.suppress(OSError), Path(ROOT, "filler").open("ab", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass


def renew(name: str, times: int) -> list[list[object]]:
    """What is read back of each renewal, and whether it needed a spare file."""
    seen = []
    for number in range(times):
        names = child.look(ROOT)["names"]
        of = spares(names, int(name.rpartition("-")[2]))
        done = child.answer({"verb": "rewrite", "root": ROOT, "name": name, "text": f"{RECORD}{number}", "spares": of})
        seen.append([done.get("text") == f"{RECORD}{number}", done.get("is_full")])
        fill()  # whatever became free is gone at once
    return seen


subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", ROOT], check=True)
child.publish(ROOT, "generation-000001", RECORD)
for _ in range(child.SPARES):
    child.rewrite(ROOT, "generation-000001", RECORD, spares(child.look(ROOT)["names"], 1))
fill()
held = renew("generation-000001", 5)
third = child.answer({"verb": "publish", "root": ROOT, "name": "generation-000003", "text": RECORD})
published = child.publish(ROOT, "generation-000002", RECORD, spares(child.look(ROOT)["names"]))["text"] == RECORD
print(json.dumps({"held": held, "without": third, "published": published, "next": renew("generation-000002", 3)}))
