"""The cache of images: everything an image is made of is in its name, and only a whole image ever gets that name."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import LabError
from lab.image import commands, store
from lab.image.commands import BuildFailed
from lab.image.recipe import ServiceRecipe
from lab.image.store import ImageStore

RECIPE = ServiceRecipe(name="influxdb", units=("influxdb.service",), directories=("/d",), packages=("influxdb",))
SOURCES = {
    "ami/install.sh": "install",
    "ami/verify.sh": "verify",
    "ami/system.sh": "system",
    "ami/systems/debian.sh": "debian",
    "ami/requirements.txt": "boto3==1",
    "ami/units/soloist-agent.service": "[Unit]",
    "ami/services/influxdb.conf": "conf",
    "bootstrap/boot.py": "boot",
    "bootstrap/steps/mount.py": "mount",
    "lab/image/layer/apply.sh": "apply",
}


class Builder:
    """A checkout of its own, and builds that write a file instead of running programs."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checkout = tmp_path / "checkout"
        for name, text in SOURCES.items():
            self.write(name, text)
        self.recipe, self.kernels = RECIPE, ("6.1.176",)
        self.built: list[str] = []
        self.scripts: list[str] = []
        self.shims: list[Path] = []
        self.during: Callable[[Path], None] = lambda _partial: None
        monkeypatch.setattr(store, "CHECKOUT", self.checkout)
        monkeypatch.setattr(store, "service_recipe", lambda _service: self.recipe)
        monkeypatch.setattr(store, "_need_network", lambda: None)
        monkeypatch.setattr("lab.image.debian.host_sources", lambda _suite: [])
        monkeypatch.setattr("lab.image.kernel_modules.kernel_versions", lambda: self.kernels)
        monkeypatch.setattr("lab.image.kernel_modules.copy_modules", lambda *_arguments: None)
        monkeypatch.setattr(commands, "check_tools", lambda: None)
        monkeypatch.setattr(commands, "check_space", lambda _directory, _needed: None)
        monkeypatch.setattr(commands, "run", self._run)
        self.cache = tmp_path / "cache"
        self.images = ImageStore(self.cache)

    def write(self, name: str, text: str) -> None:
        (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (self.checkout / name).write_text(text)

    def instance(self, version: str = "1") -> Path:
        return self.images.instance(service="influxdb", version=version)

    def _run(self, what: str, argv: Sequence[str], **_options: Any) -> None:
        partial = next(Path(argument) for argument in argv if ".partial-" in argument)
        if "pip" in argv:
            partial.mkdir()
        else:
            partial.write_text("half")
            self.during(partial)
            partial.write_text("whole")
        self.built.append(what)
        for material in (Path(argument) for argument in argv if argument.endswith("/material")):
            self.scripts.append((material / "run.sh").read_text())
            self.shims += [Path(argument) for argument in argv if "owner-shim-" in argument]


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    return Builder(tmp_path, monkeypatch)


def test_nothing_changed_nothing_is_built(builder: Builder) -> None:
    first = builder.instance()
    assert first.read_text() == "whole"
    builder.built.clear()
    builder.write("bootstrap/boot.py", SOURCES["bootstrap/boot.py"])  # newer, but the same
    builder.write("bootstrap/__pycache__/boot.py", "compiled")
    builder.write("README.md", "not part of any image")
    assert ImageStore(builder.cache).instance(service="influxdb", version="1") == first
    assert builder.built == []


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_file_that_goes_into_an_image_makes_another_one_when_it_changes(builder: Builder, name: str) -> None:
    before = builder.instance()
    builder.write(name, "changed")
    assert builder.instance() != before


CHANGES: dict[str, Callable[[Builder], object]] = {
    "the recipe": lambda builder: setattr(
        builder, "recipe", ServiceRecipe(**(vars(RECIPE) | {"packages": ("influxdb", "curl")}))
    ),
    "one kernel more": lambda builder: setattr(builder, "kernels", ("7.0.1", "6.1.176")),
    "one file more": lambda builder: builder.write("bootstrap/new.py", ""),
    "another name": lambda builder: (builder.checkout / "bootstrap/boot.py").rename(
        builder.checkout / "bootstrap/start.py"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_else_an_image_is_made_of_makes_another_one_too(
    builder: Builder, change: Callable[[Builder], None]
) -> None:
    before = builder.instance()
    change(builder)
    assert builder.instance() != before


def test_a_change_of_the_agent_installs_no_package_again(builder: Builder) -> None:
    builder.instance()
    builder.built.clear()
    builder.write("bootstrap/boot.py", "changed")
    builder.instance()
    assert builder.built == ["building the image instance-influxdb-1"]


def test_two_versions_are_two_images_and_each_is_told_its_own_number(builder: Builder) -> None:
    first, second = builder.instance("1"), builder.instance("2")
    assert first.name.startswith("instance-influxdb-1-")
    assert second.name.startswith("instance-influxdb-2-")
    assert first.stem.rpartition("-")[2] != second.stem.rpartition("-")[2]
    told = [script for script in builder.scripts if "--steps agent" in script]
    assert ["--version 1 " in told[0], "--version 2 " in told[1]] == [True, True]
    assert all(image.exists() for image in (first, second))


def test_whatever_is_installed_gives_files_to_whom_it_makes_them_as(builder: Builder) -> None:
    builder.instance()
    assert len(builder.shims) == len(builder.scripts) == 2
    assert all(shim.exists() for shim in builder.shims)


class PowerCut(BaseException):
    """The end of the building process: no `except Exception` sees it."""


@pytest.mark.parametrize("error", [BuildFailed("no"), LabError("no"), KeyboardInterrupt(), PowerCut()])
def test_a_build_that_ends_halfway_leaves_nothing_that_is_taken_for_an_image(
    builder: Builder, error: BaseException
) -> None:
    def fail(partial: Path) -> None:
        if "instance-" in partial.name:
            raise error

    builder.during = fail
    with pytest.raises(type(error)):
        builder.instance()
    assert list(builder.cache.glob("*instance-*")) == list(builder.cache.glob(".partial-*")) == []
    builder.during = lambda _partial: None
    assert builder.instance().read_text() == "whole"


def test_what_a_killed_build_left_is_removed_and_not_taken(builder: Builder) -> None:
    wanted = builder.instance()
    wanted.unlink()
    half = wanted.with_name(f".partial-77-{wanted.name}")
    half.write_text("half")
    (builder.cache / "build-77").mkdir()
    assert builder.instance() == wanted
    assert wanted.read_text() == "whole"
    assert not half.exists()
    assert not (builder.cache / "build-77").exists()


def test_an_image_in_use_is_not_forgotten_before_older_ones(builder: Builder) -> None:
    kept = builder.instance()
    for number in range(store.KEPT_PER_KIND + 2):
        builder.write("bootstrap/boot.py", f"change {number}")
        builder.instance()
        builder.write("bootstrap/boot.py", SOURCES["bootstrap/boot.py"])
        builder.built.clear()
        assert builder.instance() == kept
        assert builder.built == []
    assert len(list(builder.cache.glob("instance-*"))) <= store.KEPT_PER_KIND


def test_taking_an_image_leaves_its_modification_time_to_the_machines_that_run_from_it(builder: Builder) -> None:
    """User Mode Linux writes it into a machine's overlay and refuses the overlay once it has changed."""
    image = builder.instance()
    os.utime(image, (1000, 1000))
    assert ImageStore(builder.cache).instance(service="influxdb", version="1") == image
    assert image.stat().st_mtime == 1000 < image.stat().st_atime
