"""Run inside namespaces of its own: `unshare -Urnmpf python -m tests.process.netns_outsiders`. Prints JSON.

A tmpfs stands for the data. Around it are processes that use it in every way there is; who is named, and who is left
after each signal, is told by the names of their programs.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.machine.commands import ChildCommands
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.outsiders import Outsider, Outsiders

DATA = "/mnt/data"
SETUP = f"""
mount -t proc proc /proc
mount -t tmpfs none /mnt
mount --make-shared /mnt
mkdir {DATA} /mnt/elsewhere
mount -t tmpfs -o size=1m none {DATA}
mount --bind {DATA} /mnt/elsewhere
"""
# name: the program, run by a shell with `ready` as its last word
USERS = {
    "reader": "exec 3<{data}/file; {ready}",
    "writer": "exec 3>>{data}/file; {ready}",
    "worker": "cd {data}; {ready}",
    "bound": "exec 3>>/mnt/elsewhere/file; {ready}",
    "private": "exec unshare -m --propagation private sh -c '{ready}'",
    "slave": "exec unshare -m --propagation slave sh -c '{ready}'",
    "stubborn": "trap '' TERM; exec 3<{data}/file; {ready}",
    "idle": "{ready}",
}


def start(name: str, program: str) -> subprocess.Popen[bytes]:
    """The program, whose process has the name `name` and has said that it is ready."""
    text = program.format(data=DATA, ready=f"printf {name} >/proc/$$/comm; echo ready; read x")
    process = subprocess.Popen(["sh", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def named(found: list[Outsider]) -> dict[str, Any]:
    return {one.name: [one.uses, one.is_writing] for one in found}


def main() -> None:
    for line in SETUP.strip().splitlines():
        subprocess.run(line.split(), check=True)
    Path(DATA, "file").write_text("x")
    commands, clock = ChildCommands(), SystemClock()
    file_systems = FileSystems(commands, Path("/proc/self/mountinfo"))
    outsiders = Outsiders(commands, file_systems, DATA, "/soloist.slice")
    processes = {name: start(name, program) for name, program in USERS.items()}
    mine = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
    inside = Outsiders(commands, file_systems, DATA, mine.rstrip("/"))
    answer: dict[str, Any] = {
        "inside": named(inside.look(Deadline(clock, 20, "look"))),
        "first": named(outsiders.look(Deadline(clock, 20, "look"))),
    }
    subprocess.run(["umount", "-l", "/mnt/elsewhere"], check=True)
    answer["detached"] = named(outsiders.look(Deadline(clock, 20, "look"))).get("bound")
    found, left = outsiders.end(Deadline(clock, 30, "end"))
    answer["ended"], answer["left"] = sorted(named(found)), sorted(named(left))
    answer["alive"] = sorted(name for name, process in processes.items() if process.poll() is None)
    subprocess.run(["umount", DATA], check=True)
    answer["after"] = named(outsiders.look(Deadline(clock, 20, "look")))
    for process in processes.values():
        process.kill()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
