"""What images are made of: keys, modules, sources, links, arguments; and the builders' lock."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.base.errors import LabError, LabPreconditionError, LabTimeout
from lab.image import commands
from lab.image.commands import exclusive
from lab.image.debian import parse_sources
from lab.image.kernel_modules import COPIED_LISTS, copy_modules
from lab.image.recipe import content_key, files_in, install_arguments, module_closure, service_recipe
from lab.image.relative_links import make_links_relative, relative_target

MODULES_DEP = """kernel/fs/nfs/nfsv4.ko: kernel/fs/nfs/nfs.ko kernel/net/sunrpc/sunrpc.ko
kernel/fs/nfs/nfs.ko: kernel/fs/lockd/lockd.ko kernel/net/sunrpc/sunrpc.ko
kernel/fs/lockd/lockd.ko:
kernel/net/sunrpc/sunrpc.ko:
kernel/net/sched/sch-netem.ko:
kernel/drivers/other.ko:
"""


def test_the_key_changes_with_every_part_and_where_it_ends_and_not_with_their_order() -> None:
    assert content_key({"a": "1", "b": b"2"}) == content_key({"b": b"2", "a": "1"})
    differing = ({"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}, {"a": "1b", "c": ""}, {"a": "1", "bc": ""})
    assert len({content_key(parts) for parts in differing}) == len(differing)


def test_compiled_files_are_not_part_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.py").write_text("old")
    (tmp_path / "a.py").write_text("new")
    assert files_in(tmp_path, ("**/*.py",)) == {"a.py": b"new"}


def test_a_module_comes_with_all_it_needs_and_nothing_else() -> None:
    assert module_closure(["nfsv4", "sch_netem", "built_in"], MODULES_DEP) == [
        "kernel/fs/lockd/lockd.ko",
        "kernel/fs/nfs/nfs.ko",
        "kernel/fs/nfs/nfsv4.ko",
        "kernel/net/sched/sch-netem.ko",
        "kernel/net/sunrpc/sunrpc.ko",
    ]


def test_only_debians_own_sources_of_the_suite_are_used() -> None:
    targets = """http://mirror/debian/ bookworm bookworm main Debian
http://mirror/debian/ bookworm bookworm-updates main Debian
http://mirror/security/ bookworm-security bookworm-security main Debian
http://mirror/debian/ bookworm bookworm contrib Debian
http://mirror/debian/ trixie trixie main Debian
http://vendor/apt/ bookworm bookworm main Vendor
http://mirror/debian/ bookworm bookworm main Debian
broken line
"""
    assert parse_sources(targets, "bookworm") == [
        "deb http://mirror/debian/ bookworm main",
        "deb http://mirror/debian/ bookworm-updates main",
        "deb http://mirror/security/ bookworm-security main",
    ]


@pytest.mark.parametrize(
    ("link", "target", "expected"),
    [
        ("/etc/a", "/usr/lib/a", "../usr/lib/a"),
        ("/etc/a", "b", "b"),
        ("/etc/systemd/system/x.service", "/dev/null", "/dev/null"),
        ("/etc/mtab", "/proc/self/mounts", "/proc/self/mounts"),
        ("/etc/a", "/build/root/usr/lib/a", "../usr/lib/a"),
        ("/var/run", "/run", "../run"),
    ],
)
def test_links_mean_the_same_inside_and_outside(link: str, target: str, expected: str) -> None:
    assert relative_target(link, target, "/build/root") == expected


def test_links_of_a_tree_are_rewritten_once(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "link").symlink_to("/usr/file")
    assert make_links_relative(str(tmp_path)) == 1
    assert (tmp_path / "etc" / "link").readlink() == Path("../usr/file")
    assert make_links_relative(str(tmp_path)) == 0


def test_the_installer_is_told_everything_about_the_service() -> None:
    arguments = install_arguments(
        service_recipe("influxdb"), version="2", built_from="abc", steps=("agent",), material="/opt/build"
    )
    told = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert told == {
        "--service": "influxdb",
        "--units": "influxdb.service",
        "--directories": "/var/lib/influxdb",
        "--transport": "nfs",
        "--packages": "influxdb",
        "--system-users": "influxdb:986",
        "--version": "2",
        "--built-from": "abc",
        "--agent-source": "/opt/build/bootstrap",
        "--wheels": "/opt/build/wheels",
        "--steps": "agent",
    }


def test_an_unknown_service_names_those_there_are() -> None:
    with pytest.raises(LabError, match="no image recipe for service nagios: the lab can build influxdb"):
        service_recipe("nagios")


def test_missing_tools_are_one_line_to_type() -> None:
    with pytest.raises(LabPreconditionError) as caught:
        commands.check_tools({"no-such-tool": "z-package", "nor-this": "a-package"}, path="/nowhere")
    assert str(caught.value) == "programs for building images are missing: apt-get install a-package z-package"


def test_too_little_space_is_said_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(LabPreconditionError, match=r"has \d+ MiB free, but building images needs 99999999999 MiB"):
        commands.check_space(tmp_path, 99_999_999_999)


# ------------------------------------------------------------------ modules and lock
def test_images_carry_the_modules_of_every_kernel_that_the_probe_may_choose(tmp_path: Path) -> None:
    for version in ("6.1.176", "7.0.1"):
        source = tmp_path / "host" / version
        (source / "kernel").mkdir(parents=True)
        (source / "kernel" / "nfs.ko").write_text(version)
        (source / "modules.dep").write_text("kernel/nfs.ko:\n")
        for name in COPIED_LISTS:
            (source / name).touch()
    copy_modules(("nfs",), tmp_path / "image", ("7.0.1", "6.1.176"), tmp_path / "host")
    for version in ("6.1.176", "7.0.1"):
        assert (tmp_path / "image" / version / "kernel" / "nfs.ko").read_text() == version
        assert (tmp_path / "image" / version / "modules.order").exists()


def test_a_second_builder_says_that_it_waits_and_gives_up_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    moments_s = iter((0.0, 0.0, 0.0, 2.0))  # the first builder, the second one's beginning, its two looks
    clock = SimpleNamespace(monotonic=lambda: next(moments_s), sleep=lambda _seconds: None)
    monkeypatch.setattr(commands, "time", clock)
    with exclusive(tmp_path / "lock", 1.0, said.append):
        assert said == []
        with (
            pytest.raises(LabTimeout, match="another build has held this lock"),
            exclusive(tmp_path / "lock", 1.0, said.append),
        ):
            pytest.fail("two builders at once")
    assert said == ["Waiting for another build of images"]
    monkeypatch.undo()
    with exclusive(tmp_path / "lock", 0.0, pytest.fail):
        assert said[1:] == [], "the lock is free after its holder"
