"""What happens inside the data file system is whole or not at all, wherever the child is killed."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from bootstrap.machine import data_child as data_root
from bootstrap.machine.data_child import MARKER, PREPARED, Refused, answer, ensure_marker, prepare_directory
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


def test_factory_content_is_copied_once_with_modes_and_links(root: Path, item: dict[str, Any]) -> None:
    assert prepare_directory(str(root), item) == "copied 3 entries of the image"
    copy = root / "etc" / "demo"
    assert (copy / "main.conf").read_text() == "factory"
    assert (copy / "main.conf").stat().st_mode & 0o777 == 0o640
    assert os.readlink(copy / "conf.d" / "link") == "../main.conf"
    assert copy.stat().st_mode & 0o777 == 0o750

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
        (data_root, "_copy_tree"),
        (os, "chown"),
        (os, "sync"),
        (os, "rename"),
        (data_root, "_sync_directory"),
        (data_root, "_publish"),
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
        patch.setattr(data_root, "_copy_tree", copy_half)
        with pytest.raises(Killed):
            prepare_directory(str(root), item)
    assert not (root / "etc/demo").exists()
    prepare_directory(str(root), item)
    assert (root / "etc/demo/main.conf").read_text() == "factory"


def test_target_that_the_image_lacks_is_refused(root: Path, item: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="/nowhere is not a directory of the image"):
        prepare_directory(str(root), {**item, "target": "/nowhere"})


def test_bound_target_is_not_copied_into_itself(root: Path, item: dict[str, Any]) -> None:
    assert prepare_directory(str(root), {**item, "is_bound": True}) == "created empty"


def test_unknown_owner_is_refused(root: Path, item: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="Create the user and group in the image"):
        prepare_directory(str(root), {**item, "owner": "nobody-of-that-name"})


@pytest.mark.parametrize(
    ("request_tree", "key"),
    [
        ({"verb": "marker", "file_system": "fs-1", "service": "demo"}, "done"),
        ({"verb": "directories", "directories": []}, "done"),
    ],
)
def test_answer(root: Path, request_tree: dict[str, Any], key: str) -> None:
    assert list(answer({"root": str(root), **request_tree})) == [key]


def test_answer_says_what_the_operating_system_refused(tmp_path: Path) -> None:
    request = {"verb": "marker", "root": str(tmp_path / "missing"), "file_system": "fs-1", "service": "demo"}
    assert "No such file" in json.dumps(answer(request)["failed"])


def test_prepared_marker_is_outside_the_data(root: Path, item: dict[str, Any]) -> None:
    prepare_directory(str(root), item)
    assert [path.name for path in (root / PREPARED).iterdir()] == ["etc%2fdemo"]
    assert pwd.getpwuid((root / "etc/demo").stat().st_uid).pw_name == item["owner"]


def test_template_kept_by_the_image_fills_an_empty_directory_even_when_bound(
    root: Path, item: dict[str, Any], tmp_path: Path
) -> None:
    template = tmp_path / "defaults" / "etc-demo"
    template.mkdir(parents=True)
    (template / "shipped.conf").write_text("template")
    shipped = {**item, "factory": str(template), "is_bound": True}
    assert prepare_directory(str(root), shipped) == "copied 1 entries of the image"
    assert (root / "etc/demo/shipped.conf").read_text() == "template"
