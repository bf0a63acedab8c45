"""What happens inside the data file system is whole or not at all, wherever the child is killed."""

import errno
import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from bootstrap.machine import data_child
from bootstrap.machine.data_child import MARKER, PREPARED, SPARE, Refused, answer, ensure_marker, prepare_directory
from bootstrap.machine.writers import ALL
from tests.kit.documents import document_tree


class Killed(BaseException):
    """Stands for SIGKILL: nothing may catch it."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def item(tmp_path: Path) -> dict[str, Any]:
    target = tmp_path / "etc-demo"
    (target / "conf.d").mkdir(parents=True)
    (target / "main.conf").write_text("factory")
    (target / "main.conf").chmod(0o640)
    (target / "conf.d" / "link").symlink_to("../main.conf")
    directory: dict[str, Any] = document_tree(str(target))["file_system"]["directories"][0]
    return {**directory, "source": "etc/demo", "is_bound": False, "factory": str(tmp_path / "none")}


def test_marker_is_created_on_an_empty_file_system_and_matches_afterwards(root: Path) -> None:
    assert ensure_marker(str(root), "fs-1", "demo")
    assert not ensure_marker(str(root), "fs-1", "demo")


@pytest.mark.parametrize(("file_system", "service"), [("fs-2", "demo"), ("fs-1", "other")])
def test_marker_of_somebody_else_is_refused(root: Path, file_system: str, service: str) -> None:
    ensure_marker(str(root), "fs-1", "demo")
    with pytest.raises(Refused, match="Mount the right file system"):
        ensure_marker(str(root), file_system, service)


def test_foreign_data_without_marker_are_refused_with_the_way_to_adopt_them(root: Path) -> None:
    (root / "precious").mkdir()
    with pytest.raises(Refused, match=r"holds precious\. To adopt these data write"):
        ensure_marker(str(root), "fs-1", "demo")


def test_broken_marker_is_refused_not_replaced(root: Path) -> None:
    (root / MARKER).write_text("{")
    with pytest.raises(Refused, match="is not JSON"):
        ensure_marker(str(root), "fs-1", "demo")
    assert (root / MARKER).read_text() == "{"


def test_marker_killed_before_the_rename_leaves_nothing_that_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _kill)
        with pytest.raises(Killed):
            ensure_marker(str(root), "fs-1", "demo")
    assert not (root / MARKER).exists()
    assert ensure_marker(str(root), "fs-1", "demo")


def enter(root: Path, generation: int, text: str) -> str:
    request = {"verb": "enter-writer", "root": str(root), "generation": generation, "text": text, "below": ALL}
    return str(answer(request).get("done"))


@pytest.fixture
def marked(root: Path) -> Path:
    ensure_marker(str(root), "fs-1", "demo")
    return root


def test_a_writer_is_entered_once_and_the_highest_is_the_last(marked: Path) -> None:
    root = marked
    assert answer({"verb": "last-writer", "root": str(root), "below": ALL}) == {"done": "0 "}
    assert enter(root, 7, "mine") == "7 mine"
    assert enter(root, 7, "theirs") == "7 mine"
    assert enter(root, 3, "late") == "7 mine"
    assert enter(root, 20, "next") == "20 next"
    assert {path.name for path in root.iterdir()} == {MARKER, ".soloist-writer-fs-1-000020", SPARE}, "old ones are gone"
    assert answer({"verb": "last-writer", "root": str(root), "below": 20}) == {"done": "0 "}
    (root / MARKER).unlink()
    assert ensure_marker(str(root), "fs-2", "demo"), "none of these files is data"
    assert answer({"verb": "last-writer", "root": str(root), "below": ALL}) == {"done": "0 "}, (
        "it wrote to the original of this copy"
    )


def test_a_writer_that_is_killed_before_the_link_leaves_nothing_that_counts(
    marked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = marked
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", _kill)
        with pytest.raises(Killed):
            enter(root, 7, "mine")
    assert answer({"verb": "last-writer", "root": str(root), "below": ALL}) == {"done": "0 "}


def test_a_full_file_system_has_space_for_one_more_writer(marked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = marked
    enter(root, 7, "mine")
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if (root / SPARE).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert enter(root, 8, "next") == "8 next"
    assert not list(root.glob(".soloist-new-*"))


def test_factory_content_is_copied_once_with_modes_and_links(root: Path, item: dict[str, Any]) -> None:
    assert prepare_directory(str(root), item) == "copied 3 entries of the image"
    copy = root / "etc" / "demo"
    assert (copy / "main.conf").read_text() == "factory"
    assert (copy / "main.conf").stat().st_mode & 0o777 == 0o640
    assert os.readlink(copy / "conf.d" / "link") == "../main.conf"
    assert copy.stat().st_mode & 0o777 == 0o750
    assert pwd.getpwuid(copy.stat().st_uid).pw_name == item["owner"]
    assert [path.name for path in (root / PREPARED).iterdir()] == ["etc%2fdemo"], "outside the data"

    (copy / "main.conf").write_text("changed by the user")
    Path(item["target"], "new-in-version-2.conf").write_text("new")
    assert prepare_directory(str(root), item) == "was ready"
    assert (copy / "main.conf").read_text() == "changed by the user"
    assert not (copy / "new-in-version-2.conf").exists()


def test_emptied_directory_is_not_filled_again(root: Path, item: dict[str, Any]) -> None:
    prepare_directory(str(root), item)
    for path in (root / "etc/demo/conf.d/link", root / "etc/demo/main.conf"):
        path.unlink()
    prepare_directory(str(root), item)
    assert not (root / "etc/demo/main.conf").exists()


def test_directory_that_vanished_is_refused_not_made_anew(root: Path, item: dict[str, Any]) -> None:
    prepare_directory(str(root), item)
    (root / "etc/demo").rename(root / "elsewhere")
    with pytest.raises(Refused, match=r"was prepared before and is gone\. Restore it from a backup"):
        prepare_directory(str(root), item)


def _kill(*_args: Any, **_kwargs: Any) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (data_child, "_copy_tree"),
        (os, "chown"),
        (os, "sync"),
        (os, "rename"),
        (data_child, "_sync_directory"),
        (data_child, "_publish"),
        (Path, "replace"),
    ],
)
def test_killed_anywhere_the_next_run_has_all_of_it(
    root: Path, item: dict[str, Any], monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(where, name, _kill)
        with pytest.raises(Killed):
            prepare_directory(str(root), item)
    prepare_directory(str(root), item)
    assert (root / "etc/demo/main.conf").read_text() == "factory"
    assert (root / "etc/demo/conf.d/link").is_symlink()
    assert [path.name for path in (root / "etc").iterdir()] == ["demo"]


def test_half_copy_is_never_taken_for_data(root: Path, item: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_half(target: str, building: Path) -> int:
        (building / "main.conf").write_text("fac")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(data_child, "_copy_tree", copy_half)
        with pytest.raises(Killed):
            prepare_directory(str(root), item)
    assert not (root / "etc/demo").exists()
    prepare_directory(str(root), item)
    assert (root / "etc/demo/main.conf").read_text() == "factory"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"target": "/nowhere"}, "/nowhere is not a directory of the image"),
        ({"owner": "nobody-of-that-name"}, "Create the user and group in the image"),
    ],
)
def test_what_the_image_lacks_is_refused(root: Path, item: dict[str, Any], wrong: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        prepare_directory(str(root), {**item, **wrong})


@pytest.mark.parametrize("is_relative", [False, True])
def test_a_target_that_is_a_symbolic_link_is_refused_with_its_real_name(
    root: Path, item: dict[str, Any], tmp_path: Path, *, is_relative: bool
) -> None:
    """geerlingguy/ansible-role-mysql#244."""
    Path(item["target"]).rename(tmp_path / "data")
    Path(item["target"]).symlink_to("data" if is_relative else tmp_path / "data")
    with pytest.raises(Refused, match=f"leads to {tmp_path}/data by a symbolic link. Name {tmp_path}/data"):
        prepare_directory(str(root), item)


def test_factory_content_that_a_link_has_lost_is_no_empty_directory(
    root: Path, item: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "none").symlink_to("gone")
    with pytest.raises(Refused, match="is a symbolic link to nothing: the content is lost"):
        prepare_directory(str(root), item)
    assert not (root / "etc/demo").exists()


def test_bound_target_is_not_copied_into_itself(root: Path, item: dict[str, Any]) -> None:
    assert prepare_directory(str(root), {**item, "is_bound": True}) == "created empty"


def test_answer_is_what_was_done_or_what_the_operating_system_refused(root: Path) -> None:
    marker = {"verb": "marker", "file_system": "fs-1", "service": "demo"}
    for request, parts in ((marker, ["done", "space"]), ({"verb": "directories", "directories": []}, ["done"])):
        assert list(answer({"root": str(root), **request})) == parts
    assert "No such file" in json.dumps(answer({"root": str(root / "missing"), **marker})["failed"])


def test_template_kept_by_the_image_fills_an_empty_directory_even_when_bound(
    root: Path, item: dict[str, Any], tmp_path: Path
) -> None:
    template = tmp_path / "defaults" / "etc-demo"
    template.mkdir(parents=True)
    (template / "shipped.conf").write_text("template")
    shipped = {**item, "factory": str(template), "is_bound": True}
    assert prepare_directory(str(root), shipped) == "copied 1 entries of the image"
    assert (root / "etc/demo/shipped.conf").read_text() == "template"
