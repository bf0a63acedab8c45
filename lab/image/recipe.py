"""The contents of the lab's images, and the keys under which they are cached. Reads service files only.

For: `lab.image.store`. Guarantees: the key of an image covers everything that it depends on, so a changed file never
meets a stale image; agent code is only in the last key, so a change of it rebuilds in seconds.
Does not: build anything.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base.checkout import SERVICE_FILES
from lab.base.errors import LabError
from services.load import load_service

SUITE = "bookworm"
# What every Debian cloud image has and an instance therefore may count on, as small as a lab machine can do with.
PLAIN_PACKAGES = (
    *("ca-certificates", "dbus", "e2fsprogs", "iproute2", "kmod", "nfs-common", "procps", "python3"),
    *("systemd", "systemd-sysv", "udev"),
)
SERVER_PACKAGES = ("nfs-kernel-server",)
# The file server is started by lab.hardware.file_server, with its own disk and settings.
SERVER_UNITS_OFF = (
    "nfs-server.service",
    "nfs-mountd.service",
    "nfsdcld.service",
    "nfs-idmapd.service",
    "nfs-blkmap.service",
)
# Wanted modules; what they depend on is added. The full set costs 100 MiB per image.
KERNEL_MODULES = (
    *("auth_rpcgss", "autofs4", "dns_resolver", "drbg", "dummy", "fuse", "inet_diag", "lockd"),
    *("nfs", "nfs_layout_nfsv41_files", "nfsd", "nfsv4", "overlay"),
    *("sch_netem", "softdog", "sunrpc", "tcp_diag", "tls", "unix_diag"),
)
IMAGE_SIZE_MIB = 1536


@dataclass(frozen=True, kw_only=True)
class ServiceRecipe:
    """What ami/install.sh is told about a service. `system_users` are "name:uid"."""

    name: str
    units: tuple[str, ...]
    directories: tuple[str, ...]
    packages: tuple[str, ...]
    system_users: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Packaging:
    """How a service is installed from Debian; what it is, its service file says."""

    packages: tuple[str, ...]
    system_users: tuple[str, ...] = ()


PACKAGINGS = {
    "influxdb": Packaging(packages=("influxdb",), system_users=("influxdb:986",)),
    "postgresql": Packaging(packages=("postgresql-15",), system_users=("postgres:985",)),
}


def service_recipe(service: str) -> ServiceRecipe:
    """The recipe of `service`: units and directories from its service file. Raises LabError naming those there are."""
    if service not in PACKAGINGS:
        raise LabError(f"no image recipe for service {service}: the lab can build {', '.join(sorted(PACKAGINGS))}")
    described = load_service(SERVICE_FILES / f"{service}.yaml")
    return ServiceRecipe(
        name=service,
        units=tuple(described.service.units),
        directories=tuple(directory.target for directory in described.file_system.directories),
        packages=PACKAGINGS[service].packages,
        system_users=PACKAGINGS[service].system_users,
    )


def content_key(parts: Mapping[str, str | bytes]) -> str:
    """A short name for everything in `parts`, independent of their order."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        value = parts[name]
        data = value.encode() if isinstance(value, str) else value
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def files_in(directory: Path, patterns: Iterable[str]) -> dict[str, bytes]:
    """Relative path -> content of the files below `directory` that match, for `content_key`."""
    found: dict[str, bytes] = {}
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                found[str(path.relative_to(directory))] = path.read_bytes()
    return found


def prefixed(prefix: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{prefix}/{name}": data for name, data in files.items()}


def install_arguments(
    recipe: ServiceRecipe, *, version: str, built_from: str, steps: tuple[str, ...], material: str
) -> list[str]:
    """The arguments of ami/install.sh. `material` is where the build's files are, inside the root file system."""
    options = {
        "service": recipe.name,
        "units": " ".join(recipe.units),
        "directories": " ".join(recipe.directories),
        "transport": "nfs",
        "packages": " ".join(recipe.packages),
        "system-users": " ".join(recipe.system_users),
        "version": version,
        "built-from": built_from,
        "agent-source": f"{material}/bootstrap",
        "wheels": f"{material}/wheels",
        "steps": " ".join(steps),
    }
    return [argument for name, value in options.items() for argument in (f"--{name}", value)]


def module_closure(wanted: Iterable[str], modules_dep: str) -> list[str]:
    """Paths (as in modules.dep) of the wanted modules and all they need; names that are built in are left out."""
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in modules_dep.splitlines():
        path, _, dependencies = line.partition(":")
        needs[path] = dependencies.split()
        by_name[path.rsplit("/", 1)[-1].split(".")[0].replace("-", "_")] = path
    found: set[str] = set()
    queue = [by_name[name] for name in wanted if name in by_name]
    while queue:
        path = queue.pop()
        if path not in found:
            found.add(path)
            queue.extend(needs[path])
    return sorted(found)
