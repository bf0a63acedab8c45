"""The boot document: what is rendered is read back, and everything wrong with it is said at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from bootstrap.boot_document import DOCUMENT_PATH, parse_tree, parse_user_data, render_user_data, to_tree
from bootstrap.errors import BadBootDocument, ExitCode
from tests.unit.bootstrap.fakes import document_tree


@pytest.fixture
def tree() -> dict[str, Any]:
    return document_tree()


def test_rendered_document_is_read_back_and_is_cloud_config(tree: dict[str, Any]) -> None:
    user_data = render_user_data(json.dumps(tree))
    document = parse_user_data(user_data)
    assert to_tree(document)["zones"] == tree["zones"]
    assert document.service.health.checks[0].timeout_s == 5.0
    written = yaml.safe_load(user_data)["write_files"][0]
    assert written["path"] == DOCUMENT_PATH
    assert json.loads(written["content"]) == tree


def test_every_mistake_is_reported_at_once_with_its_path(tree: dict[str, Any]) -> None:
    tree["zones"][0]["address"] = 7
    tree["record"]["ttl"] = 10
    del tree["group"]["launch_hook"]
    tree["file_system"]["transport"] = "smb"
    tree["service"]["units"] = "demo.service"
    with pytest.raises(BadBootDocument) as error:
        parse_tree(tree)
    text = str(error.value)
    for finding in (
        "zones[0].address: must be str, not number",
        "record.ttl: unknown key",
        "group.launch_hook: missing",
        "file_system.transport: must be one of efs-tls, nfs",
        "service.units: must be a list",
    ):
        assert finding in text
    assert error.value.exit_code is ExitCode.BAD_BOOT_DOCUMENT


@pytest.mark.parametrize(
    ("user_data", "sentence"),
    [
        ("", "holds no boot document"),
        ("#!/bin/sh\necho hello", "holds no boot document"),
        ("#cloud-config\n{broken", "is not JSON"),
        ("#cloud-config\n[]", "holds no boot document"),
    ],
)
def test_foreign_user_data_is_refused_with_a_remedy(user_data: str, sentence: str) -> None:
    with pytest.raises(BadBootDocument, match=sentence):
        parse_user_data(user_data)


def test_document_of_another_version_is_refused(tree: dict[str, Any]) -> None:
    tree["version"] = 2
    with pytest.raises(BadBootDocument, match="version: is 2, this agent reads 1"):
        parse_tree(tree)


def test_boolean_is_not_taken_for_a_number(tree: dict[str, Any]) -> None:
    tree["record"]["ttl_s"] = True
    with pytest.raises(BadBootDocument, match=r"record\.ttl_s: must be int, not boolean"):
        parse_tree(tree)
