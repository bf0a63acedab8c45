"""An operating system that lives in a directory, so that it survives the agent's process like the real one.

For: process-level and unit tests of the agent. Mounts are lines of a mountinfo file, units and links are JSON; the
"file system" is the plain directory at the mount point, on which the real data_child.py works. As on the real machine,
`systemctl start` exits 0 and starts nothing while the service's data directory is not a mount point or, where a fence
runs beside it (`needs_grant`), the lease is not granted. The service's control group says whether a unit is active.
"""

import fcntl
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.paths import Paths
from bootstrap.machine import data_child
from bootstrap.machine.commands import Completed
from bootstrap.machine.links import LinkPlan, LinkState
from bootstrap.machine.unit_settings import DROP_IN

OK = Completed(exit_code=0, output="")


class FakeOs:
    """Commands and Links of a machine whose state is below `root`."""

    def __init__(self, root: Path, child: Callable[[str], str] | None = None) -> None:
        self.root = root
        self._child = child  # instead of a subprocess, what data_child.py answers to its input
        self.paths = Paths(
            data_root=root / "srv/data",
            lease_root=root / "srv/lease",
            run=root / "run",
            image=root / "image.json",
            mountinfo=root / "mountinfo",
            network_devices=root / "net",
            unit_settings=root / "run/systemd",
            networkd_files=root / "networkd",
            networkd_state=root / "networkd-state",
            service_group=root / "cgroup/soloist.slice",
        )
        self.hung: set[str] = set()  # mount points that no longer answer
        self.refusing: dict[str, Completed] = {}  # first matching substring of a command line -> its result
        if not self.paths.mountinfo.exists():
            root.mkdir(parents=True, exist_ok=True)
            self.paths.mountinfo.write_text("20 1 8:1 / / rw,relatime - ext4 /dev/root rw\n")
            self._write({"units": {}, "links": {}, "log": []})
            (self.group / "demo.service").mkdir(parents=True)
            (self.group.parent / "cgroup.procs").write_text("")
            (self.group / "cgroup.kill").write_text("")
            (root / "proc/self/ns").mkdir(parents=True)
            (root / "proc/self/ns/mnt").symlink_to("mnt:[1]")
            self._populate({})

    # ------------------------------------------------------------------ what a test asks
    def unit(self, name: str) -> str:
        return str(self._read()["units"].get(name, "inactive"))

    def log(self) -> list[str]:
        return list(self._read()["log"])

    def mounts(self) -> list[str]:
        return [line.split()[4] for line in self.paths.mountinfo.read_text().splitlines()[1:]]

    @property
    def service_data(self) -> Path:
        """Where the service sees its data directory."""
        return self.root / "service"

    def mount_data(self, source: str = "x:/d") -> None:
        """The data file system, and its directory `demo` where the service sees it."""
        root = str(self.paths.data_root)
        Path(root).mkdir(parents=True, exist_ok=True)
        self._mount(["mount", "-t", "nfs4", "-o", "hard", source, root])
        self._mount(["mount", "--bind", f"{root}/demo", str(self.service_data)])

    def set_unit(self, name: str, state: str) -> None:
        with self._state() as state_tree:
            state_tree["units"][name] = state
            self._populate(state_tree["units"])

    @property
    def group(self) -> Path:
        """The service's control group."""
        return self.paths.service_group

    def need_grant(self) -> None:
        """From now on units start only while the fence grants it."""
        with self._state() as state_tree:
            state_tree["needs_grant"] = True

    def reboot(self, boot_id: str) -> None:
        """Lose what a machine loses with its power, all but its disks: mounts, units, addresses, all of /run."""
        with self._state() as state_tree:
            state_tree.update(units={}, links={})
            self._populate({})
        self._replace_mounts(self.paths.mountinfo.read_text().splitlines()[:1])
        shutil.rmtree(self.paths.run)
        self.paths.run.mkdir()
        (self.root / "boot_id").write_text(boot_id)

    def know(self, **facts: Any) -> None:
        """Set parts of the machine's state."""
        with self._state() as state_tree:
            state_tree.update(facts)

    def forbid(self, *parts: str) -> None:
        """Commands with one of `parts` in them fail from now on, in every process."""
        with self._state() as state_tree:
            state_tree["forbidden"] = parts

    # ------------------------------------------------------------------ Commands
    def run(self, argv: Sequence[str], deadline: Deadline, *, text_in: str = "") -> Completed:
        line = " ".join(argv)
        with self._state() as state:
            state["log"].append(line)
            if any(part in line for part in state.get("forbidden", ())):
                return Completed(exit_code=1, output="forbidden by the test")
        for part, result in self.refusing.items():
            if part in line:
                return result
        if line.endswith("outsiders_child.py"):
            return self._outsiders(json.loads(text_in)["signal"])
        if line.endswith("data_child.py"):
            return self._data_root(argv, text_in)
        if argv[0] == "systemd-run":
            argv = argv[list(argv).index("--") + 1 :]
        if argv[0] == "sync":
            return OK if argv[-1] not in self.hung else Completed(exit_code=None, output="")
        is_list = argv[1:2] == ("show",) and "--value" not in argv  # as NAME=VALUE
        if "--property=Result" in argv:
            return Completed(exit_code=0, output="success\n")
        programs = {
            "mount": lambda: self._mount(list(argv)),
            "networkctl": lambda: OK,
            "umount": lambda: self.unmount(argv[-1], is_lazy="-l" in argv),
            "systemctl": lambda: self._systemctl("list" if is_list else argv[1], argv[-1]),
        }
        if argv[0] not in programs:
            return Completed(exit_code=127, output=f"{argv[0]}: command not found")
        return programs[argv[0]]()

    def _outsiders(self, number: int) -> Completed:
        """The outsiders that a test has set; each ends by a signal of those in its `ends_by`."""
        with self._state() as state:
            found = state.get("outsiders", [])
            state["outsiders"] = [one for one in found if number not in one["ends_by"]]
        shown = [{key: value for key, value in one.items() if key != "ends_by"} for one in found]
        return Completed(exit_code=0, output="".join(json.dumps(one) + "\n" for one in shown))

    def _data_root(self, argv: Sequence[str], text_in: str) -> Completed:
        if json.loads(text_in)["root"] in self.hung:
            return Completed(exit_code=None, output="")
        if self._child is not None:
            return Completed(exit_code=0, output=self._child(text_in))
        done = subprocess.run(argv, input=text_in, capture_output=True, text=True, timeout=30, check=False)
        return Completed(exit_code=done.returncode, output=done.stdout + done.stderr)

    def _mount(self, argv: list[str]) -> Completed:
        source, target = argv[-2], argv[-1]
        lines = self.paths.mountinfo.read_text().splitlines()
        if argv[1] == "--bind":
            over = next((line.split() for line in reversed(lines) if source.startswith(line.split()[4] + "/")), None)
            if over is None:
                return Completed(exit_code=32, output="no such source")
            shown = f"{over[8].rstrip('/')}{source[len(over[4]) :]}"  # the kernel gives NFS binds so, with root "/"
            lines.append(f"{30 + len(lines)} 20 {over[2]} / {target} rw - nfs4 {shown} rw,vers=4.1,hard")
        else:
            kind, options = argv[2], argv[4]
            if kind == "efs" and (refusal := _efs_refusal(options.split(","), source)):
                return Completed(exit_code=1, output=refusal)
            shown, kind = ("127.0.0.1:/", "nfs4") if kind == "efs" else (source, kind)
            device = f"0:{40 + len(lines)}"
            lines.append(f"{30 + len(lines)} 20 {device} / {target} rw - {kind} {shown} rw,vers=4.1,hard,{options}")
        self._replace_mounts(lines)
        return OK

    def unmount(self, target: str, *, is_lazy: bool = False) -> Completed:
        lines = self.paths.mountinfo.read_text().splitlines()
        found = [n for n, line in enumerate(lines) if line.split()[4] == target]
        if not found:
            return Completed(exit_code=32, output="not mounted")
        if target in self.hung and not is_lazy:
            return Completed(exit_code=None, output="")
        del lines[found[-1]]
        self._replace_mounts(lines)
        return OK

    def _replace_mounts(self, lines: list[str]) -> None:
        temporary = self.paths.mountinfo.with_suffix(".new")
        temporary.write_text("\n".join(lines) + "\n")
        temporary.replace(self.paths.mountinfo)

    def _systemctl(self, verb: str, unit: str) -> Completed:
        if verb == "start" and not self._passes_condition(unit):
            self.set_unit(unit, "failed")
            return Completed(exit_code=1, output=f"Job for {unit} failed")
        with self._state() as state:
            units = state["units"]
            if verb == "list":
                shown = self._shown(unit, state.get("overridden", {}))
                return Completed(exit_code=0, output="".join(f"{name}={value}\n" for name, value in shown.items()))
            if verb == "show":
                return Completed(exit_code=0, output=units.get(unit, "inactive") + "\n")
            is_granted = not state.get("needs_grant") or (self.paths.run / "granted").exists()
            if verb == "start" and is_granted and any(str(self.root / "service") in at for at in self.mounts()):
                units[unit] = "active"
            elif verb in ("stop", "kill"):
                units[unit] = "inactive"
            self._populate(units)
        return OK

    def _shown(self, unit: str, overridden: dict[str, str]) -> dict[str, str]:
        """What the image's drop-in and the agent's make of the unit, or somebody's own."""
        drop_in = self.paths.unit_settings / f"{unit}.d" / DROP_IN
        lines = drop_in.read_text().splitlines() if drop_in.exists() else []
        said = dict(line.split("=", 1) for line in lines if line.startswith("Timeout"))
        limits = {f"{name.removesuffix('Sec')}USec": f"{value}s" for name, value in said.items()}
        bindings = {"Slice": self.group.name, "BindsTo": "soloist-agent.service soloist-fence.service"}
        return {"TimeoutStartUSec": "1min 30s", "TimeoutStopUSec": "1min 30s", **limits, **bindings, **overridden}

    def _passes_condition(self, unit: str) -> bool:
        """The before-start script of the unit's drop-in, with the commands of this machine."""
        drop_in = self.paths.unit_settings / f"{unit}.d" / DROP_IN
        if not drop_in.exists() or "ExecCondition" not in drop_in.read_text():
            return True
        self.paths.before_start_report.unlink(missing_ok=True)
        for line in self.paths.before_start.read_text().splitlines():
            argv = shlex.split(line)[1:] if line.startswith("run ") else []
            done = self.run(argv, Deadline(SystemClock(), 60.0, "hook")) if argv else OK
            if not done.succeeded:
                self.paths.before_start_report.write_text(f"{' '.join(argv)}: {done.summary}\n")
                return False
        return True

    def _populate(self, units: dict[str, str]) -> None:
        populated = int("active" in units.values())
        (self.group / "cgroup.events").write_text(f"populated {populated}\nfrozen 0\n")

    # ------------------------------------------------------------------ Links
    def find(self, mac: str) -> tuple[str, int] | None:
        return None if self._read().get("is_unplugged") else ("vec1", 3)

    def observe(self, plan: LinkPlan) -> LinkState:
        seen = self._read()["links"].get(plan.device)
        if seen != plan.address:
            return LinkState(is_up=False, addresses=frozenset(), rules=frozenset(), routes=frozenset())
        return LinkState(
            is_up=True,
            addresses=frozenset({f"{plan.address}/{plan.prefix}"}),
            rules=frozenset({(plan.address, plan.table, plan.priority)}),
            routes=frozenset({(plan.subnet, ""), ("default", plan.gateway)}),
        )

    def configure(self, plan: LinkPlan) -> None:
        with self._state() as state:
            if "ip address" not in state.get("forbidden", ()):
                state["links"][plan.device] = plan.address

    # ------------------------------------------------------------------ persistence
    def _read(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads((self.root / "os.json").read_text())
        return tree

    def _write(self, tree: dict[str, Any]) -> None:
        temporary = self.root / "os.json.new"
        temporary.write_text(json.dumps(tree))
        temporary.replace(self.root / "os.json")

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tree = self._read()
            yield tree
            self._write(tree)


def _efs_refusal(options: list[str], source: str) -> str:
    """Why mount.efs would not even try (efs-utils, mount_efs: the options that need `tls`; it takes ids, not names)."""
    needs_tls = [option for option in options if option == "iam" or option.startswith("accesspoint=")]
    if needs_tls and "tls" not in options:
        return f'The "tls" option is required when mounting via "{needs_tls[0]}"'
    return "" if source.startswith("fs-") and source.endswith(":/") else f"{source} is no file system id with its path"


def fake_os(root: Path) -> FakeOs:
    """The file-backed machine, with data_child.py called in this process."""
    return FakeOs(root, child=lambda text: json.dumps(data_child.answer(json.loads(text))))
