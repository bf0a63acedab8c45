"""The lab's images: taken from the cache, or built if something that they depend on has changed.

For: `lab.image.images`. An image has three layers: Debian (a minute), the packages and Python of a role (a minute), and
the image itself (seconds). Guarantees: an image is complete or absent (written aside, then renamed); builders wait for
each other; every step has a limit and a log. Does not: need root.
"""

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.base.checkout import CHECKOUT
from lab.base.errors import LabPreconditionError
from lab.hardware import namespace
from lab.image import commands, debian, kernel_modules
from lab.image.recipe import (
    IMAGE_SIZE_MIB,
    KERNEL_MODULES,
    PLAIN_PACKAGES,
    SERVER_PACKAGES,
    SERVER_UNITS_OFF,
    SUITE,
    ServiceRecipe,
    content_key,
    files_in,
    install_arguments,
    prefixed,
    service_recipe,
)

NEEDED_MIB = 3 * 1024
KEPT_PER_KIND = 3
LOCK_LIMIT_S = 1800.0
DEBIAN_LIMIT_S = 1200.0
LAYER_LIMIT_S = 900.0
IMAGE_LIMIT_S = 300.0
WHEELS_LIMIT_S = 600.0
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
MATERIAL = "/opt/build"
OWNER_SHIM = "owner_shim.c"
VERIFIED = 4  # the first options of install.sh are those of verify.sh, too
Progress = Callable[[str], None]


class ImageStore:
    """Images by role, cached below `cache_directory`. `progress` gets one sentence per step."""

    def __init__(self, cache_directory: Path, *, progress: Progress = lambda _sentence: None) -> None:
        self._cache = cache_directory.resolve()
        self._progress = progress

    def instance(self, *, service: str, version: str) -> Path:
        """The image of an instance of `service`. Raises BuildFailed, LabPreconditionError."""
        recipe = service_recipe(service)
        with self._lock():
            layer_key = self._instance_layer_key(recipe)
            sources = {
                **prefixed("ami", files_in(CHECKOUT / "ami", ("*.sh", "*.py", "systems/*", "units/*", "services/*"))),
                **prefixed("bootstrap", files_in(CHECKOUT / "bootstrap", ("**/*.py",))),
            }
            key = content_key({**sources, **self._lab_layer(), "layer": layer_key, "version": version})
            target = self._path(f"instance-{service}-{version}", key, "ext4")
            if not target.exists():
                layer = self._instance_layer(recipe, layer_key)
                arguments = install_arguments(
                    recipe, version=version, built_from=key, steps=("agent",), material=MATERIAL
                )
                script = f"sh {MATERIAL}/ami/install.sh {shlex.join(arguments)}\n"
                script += f"sh {MATERIAL}/ami/verify.sh {shlex.join(arguments[: 2 * VERIFIED])}\n"
                self._image(target, layer, script, ("ami", "bootstrap"))
            _mark_used(target)
            return target

    def server(self) -> Path:
        return self._role("server", SERVER_PACKAGES)

    def client(self) -> Path:
        """The image of the client machine: Debian with Python."""
        return self._role("client", ())

    def _role(self, role: str, packages: tuple[str, ...]) -> Path:
        with self._lock():
            script = _packages_script(packages) if packages else ""
            layer_key = content_key({"base": self._debian_key(), "script": script})
            target = self._path(role, content_key({**self._lab_layer(), "layer": layer_key}), "ext4")
            if not target.exists():
                layer = self._role_layer(role, script, layer_key) if script else self._debian()
                self._image(target, layer, "", ())
            _mark_used(target)
            return target

    def _role_layer(self, role: str, script: str, key: str) -> Path:
        target = self._path(f"layer-{role}", key, "tar")
        if not target.exists():
            _need_network()
            self._build(f"installing the packages of the {role} image", target, self._debian(), script, (), "tar")
        return target

    def _instance_layer_key(self, recipe: ServiceRecipe) -> str:
        return content_key(
            {
                "base": self._debian_key(),
                **prefixed("ami", files_in(CHECKOUT / "ami", ("*.sh", "*.py", "systems/*"))),
                "requirements": (CHECKOUT / "ami" / "requirements.txt").read_bytes(),
                "recipe": repr(recipe),
            }
        )

    def _instance_layer(self, recipe: ServiceRecipe, key: str) -> Path:
        target = self._path(f"layer-{recipe.name}", key, "tar")
        if not target.exists():
            arguments = install_arguments(
                recipe, version="0", built_from=key, steps=("packages", "python"), material=MATERIAL
            )
            script = f"sh {MATERIAL}/ami/install.sh {shlex.join(arguments)}\n"
            _need_network()
            what = f"installing the packages of {recipe.name} and the agent's Python"
            wheels = self._wheels()
            self._build(what, target, self._debian(), script, ("ami",), "tar", wheels=wheels)
        return target

    def _debian_key(self) -> str:
        return content_key({"suite": SUITE, "packages": " ".join(PLAIN_PACKAGES), "build": self._build_files()})

    def _debian(self) -> Path:
        target = self._path("debian", self._debian_key(), "tar")
        if not target.exists():
            _need_network()
            self._progress(f"Fetching Debian 12 ({len(PLAIN_PACKAGES)} packages and their dependencies)")
            sources = debian.host_sources(SUITE)
            argv = ["mmdebstrap", "--mode=fakechroot", "--variant=minbase", "--format=tar"]
            argv += [f"--include={','.join(PLAIN_PACKAGES)}", "--skip=cleanup/apt/lists"]
            argv += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
            with self._made(target) as partial:
                argv += [SUITE, str(partial), *(["-"] if sources else [])]
                text = "\n".join(sources) + "\n"
                commands.run("fetching Debian", argv, log=self._log(target), limit_s=DEBIAN_LIMIT_S, text=text)
        return target

    def _owner_shim(self) -> Path:
        source = Path(__file__).with_name(OWNER_SHIM)
        target = self._path("owner-shim", content_key({"source": source.read_bytes()}), "so")
        if not target.exists():
            with self._made(target) as partial:
                argv = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(partial), str(source)]
                commands.run("compiling the owner shim", argv, log=self._log(target), limit_s=IMAGE_LIMIT_S)
        return target

    def _wheels(self) -> Path:
        requirements = CHECKOUT / "ami" / "requirements.txt"
        target = self._path("wheels", content_key({"requirements": requirements.read_bytes()}), "d")
        if not target.exists():
            _need_network()
            self._progress("Fetching the agent's Python packages")
            argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
            argv += ["--only-binary=:all:", "--implementation=cp", "--python-version=3.11"]
            argv += [f"--platform={platform}" for platform in PLATFORMS]
            with self._made(target) as partial:
                argv += ["--dest", str(partial), "-r", str(requirements)]
                log = self._log(target)
                commands.run("fetching wheels", argv, log=log, limit_s=WHEELS_LIMIT_S, environment=dict(os.environ))
        return target

    def _image(self, target: Path, layer: Path, script: str, directories: tuple[str, ...]) -> None:
        script += f"sh {MATERIAL}/layer/apply.sh {MATERIAL}/layer\n"
        self._build(f"building the image {target.stem.rpartition('-')[0]}", target, layer, script, directories, "ext4")

    def _lab_layer(self) -> dict[str, bytes | str]:
        return {
            **prefixed("layer", files_in(CHECKOUT / "lab" / "image" / "layer", ("*",))),
            "kernel": " ".join(kernel_modules.kernel_versions()),
            "modules": " ".join(KERNEL_MODULES),
            "size": str(IMAGE_SIZE_MIB),
            "build": self._build_files(),
        }

    @staticmethod
    def _build_files() -> bytes:
        here = Path(__file__).parent
        return b"".join((here / name).read_bytes() for name in ("build.sh", "relative_links.py", OWNER_SHIM))

    def _build(
        self,
        what: str,
        target: Path,
        base: Path,
        script: str,
        directories: tuple[str, ...],
        form: str,
        *,
        wheels: Path | None = None,
    ) -> None:
        """Unpack `base`, run `script` inside it with the checkout's `directories` at hand, pack it into `target`."""
        self._progress(what[0].upper() + what[1:])
        here = Path(__file__).parent
        with tempfile.TemporaryDirectory(prefix="build-", dir=self._cache) as work, self._made(target) as partial:
            material = Path(work) / "material"
            ignore = shutil.ignore_patterns("__pycache__")
            for name in directories:
                shutil.copytree(CHECKOUT / name, material / name, ignore=ignore)
            shutil.copytree(here / "layer", material / "layer", ignore=ignore)
            if form == "ext4":
                modules = material / "layer" / "modules"
                kernel_modules.copy_modules(KERNEL_MODULES, modules, kernel_modules.kernel_versions())
            if wheels:
                shutil.copytree(wheels, material / "wheels")
            (material / "run.sh").write_text(f"set -eu\nexport HOME=/root DEBIAN_FRONTEND=noninteractive\n{script}")
            argv = ["fakechroot", "fakeroot", "sh", str(here / "build.sh"), f"{work}/root", str(base), str(material)]
            argv += ["python3", str(here / "relative_links.py"), str(self._owner_shim())]
            argv += [form, str(partial), str(IMAGE_SIZE_MIB)]
            limit_s = LAYER_LIMIT_S if form == "tar" else IMAGE_LIMIT_S
            commands.run(what, argv, log=self._log(target), limit_s=limit_s)

    def _path(self, kind: str, key: str, suffix: str) -> Path:
        path = self._cache / f"{kind}-{key}.{suffix}"
        if not path.exists():
            commands.check_tools()
            commands.check_space(self._cache, NEEDED_MIB)
        return path

    def _log(self, target: Path) -> Path:
        return self._cache / "logs" / f"{target.stem}.log"

    @contextmanager
    def _made(self, target: Path) -> Iterator[Path]:
        """Where to write what becomes `target` when it is whole; then the older ones of its kind are forgotten."""
        partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
        try:
            yield partial
            partial.replace(target)
        finally:
            _remove(partial)
        self._forget_older(target.stem.rpartition("-")[0], target.suffix)

    def _forget_older(self, kind: str, suffix: str) -> None:
        """Keep the last few used results of a kind; a machine that still uses an older one keeps its open file."""
        results = [path for path in self._cache.glob(f"{kind}-*{suffix}") if path.stem.rpartition("-")[0] == kind]
        results.sort(key=lambda path: path.stat().st_atime, reverse=True)
        for path in results[KEPT_PER_KIND:]:
            _remove(path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._cache.mkdir(parents=True, exist_ok=True)
        with commands.exclusive(self._cache / ".lock", LOCK_LIMIT_S, self._progress):
            for left_over in [*self._cache.glob("build-*"), *self._cache.glob(".partial-*")]:  # of a killed build
                _remove(left_over)
            yield


def _mark_used(image: Path) -> None:
    """Set the access time alone. User Mode Linux opens a machine's overlay more than once and refuses it when the
    image's modification time is no longer the one of the first time (the machine then has no root disk)."""
    os.utime(image, ns=(time.time_ns(), image.stat().st_mtime_ns))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _need_network() -> None:
    if namespace.inside():
        raise LabPreconditionError(
            "the images are not built yet, and packages cannot be fetched from inside the lab's namespace: "
            "run `python -m lab.image build` first"
        )


def _packages_script(packages: tuple[str, ...]) -> str:
    return (
        "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\nchmod 755 /usr/sbin/policy-rc.d\n"
        "apt-get -q update\n"
        f"apt-get -q -y --no-install-recommends install {shlex.join(packages)}\n"
        "apt-get -q clean\nrm -f /usr/sbin/policy-rc.d\n"
        f"systemctl --root=/ --quiet mask {shlex.join(SERVER_UNITS_OFF)}\n"
    )
