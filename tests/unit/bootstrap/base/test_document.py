"""The boot document: what is rendered is read back, and everything wrong with it is said at once."""

import json
import re
from typing import Any

import pytest
import yaml

from bootstrap.base.codec import to_tree
from bootstrap.base.document import parse_tree, parse_user_data, render_user_data
from bootstrap.base.errors import BadBootDocument, ExitCode
from bootstrap.base.paths import BOOT_DOCUMENT
from bootstrap.run.kinds import KINDS
from tests.kit.documents import document_tree

ZONE = document_tree()["zones"][0]
DIRECTORY = document_tree()["file_system"]["directories"][0]


@pytest.fixture
def tree() -> dict[str, Any]:
    return document_tree()


def test_rendered_document_is_read_back_and_is_cloud_config(tree: dict[str, Any]) -> None:
    user_data = render_user_data(json.dumps(tree))
    document = parse_user_data(user_data, KINDS)
    assert to_tree(document)["zones"] == tree["zones"]
    assert document.service.health.checks[0].timeout_s == 5.0
    written = yaml.safe_load(user_data)["write_files"][0]
    assert written["path"] == str(BOOT_DOCUMENT)
    assert json.loads(written["content"]) == tree


def test_every_mistake_is_reported_at_once_with_its_path(tree: dict[str, Any]) -> None:
    tree["zones"][0]["address"] = 7
    tree["connection"]["ttl"] = 10
    del tree["group"]["launch_hook"]
    tree["file_system"]["transport"] = "smb"
    tree["service"]["units"] = "demo.service"
    with pytest.raises(BadBootDocument) as error:
        parse_tree(tree, KINDS)
    text = str(error.value)
    for finding in (
        "zones[0].address: must be a string, not an integer",
        "connection.ttl: unknown key",
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
        parse_user_data(user_data, KINDS)


def test_document_of_another_version_is_refused(tree: dict[str, Any]) -> None:
    tree["version"] = 2
    with pytest.raises(BadBootDocument, match="version: is 2, this agent reads 1"):
        parse_tree(tree, KINDS)


@pytest.mark.parametrize(
    ("timing", "finding"),
    [
        ({"renew_deadline_s": 24}, r"lease\.timing\.renew_deadline_s \(is 24\): shorter than 3 retry_period_s"),
        ({"lease_duration_s": 79}, r"lease\.timing\.lease_duration_s \(is 79\): .* could start before this holder has"),
        ({"stop_timeout_s": 21}, r"lease\.timing\.lease_duration_s \(is 90\): .* Raise it to at least 91"),
        ({"kill_timeout_s": 16}, r"lease\.timing\.lease_duration_s \(is 90\): .* Raise it to at least 91"),
        ({"watchdog_timeout_s": 21}, r"lease\.timing\.lease_duration_s \(is 90\): .* Raise it to at least 91"),
        ({"clock_margin_s": 21}, r"lease\.timing\.lease_duration_s \(is 90\): .* Raise it to at least 91"),
        ({"terminate_deadline_s": 120}, r"lease\.timing\.force_deadline_s \(is 120\): not after terminate_deadline_s"),
        ({"takeover_deadline_s": 159}, r"lease\.timing\.takeover_deadline_s \(is 159\): .* Raise it to at least 160"),
        ({"clock_margin_s": 0}, r"lease\.timing\.clock_margin_s: is 0; expected: Seconds, more than 0"),
        ({"lease_duration_s": float("nan")}, r"lease\.timing\.lease_duration_s: must be a finite number"),
    ],
)
def test_timings_with_which_two_could_write_are_refused_on_the_instance_too(
    tree: dict[str, Any], timing: dict[str, float], finding: str
) -> None:
    """The service file was checked when it was loaded; the document may have been written by another release."""
    tree["lease"]["timing"] = timing
    with pytest.raises(BadBootDocument, match=finding) as error:
        parse_user_data(render_user_data(json.dumps(tree)), KINDS)
    assert error.value.exit_code is ExitCode.BAD_BOOT_DOCUMENT


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"zones": []}, "zones: has length 0; expected: At least one"),
        ({"service": {"units": []}}, "service.units: has length 0"),
        ({"service": {"health": {"checks": []}}}, "service.health.checks: has length 0"),
        ({"service": {"health": {"interval_s": 0}}}, "service.health.interval_s: is 0"),
        ({"service": {"stop_timeout_s": -1}}, "service.stop_timeout_s: is -1"),
        ({"service": {"hooks": {"timeout_s": -7}}}, "service.hooks.timeout_s: is -7"),
        (
            {"service": {"hooks": {"after_start": [["a", "b\n"]]}}},
            "service.hooks.after_start[0][1]: holds a line break",
        ),
        ({"deadlines": {"boot_s": 0}}, "deadlines.boot_s: is 0"),
        ({"deadlines": {"mount_s": float("inf")}}, "deadlines.mount_s: must be a finite number"),
        ({"deadlines": {"release_s": 10**400}}, "deadlines.release_s: must be a smaller number"),
        ({"connection": {"ttl_s": -5}}, "connection.ttl_s: is -5"),
        ({"group": {"launch_hook_timeout_s": -1}}, "group.launch_hook_timeout_s: is -1"),
        ({"file_system": {"directories": []}}, "file_system.directories: has length 0"),
        ({"file_system": {"mount_targets": [{"zone": "a", "address": "1.2.3"}]}}, "mount_targets[0].address: not of"),
        ({"zones": [ZONE | {"address": "10.0.100.999"}]}, "zones[0].address: not of the right form"),
        ({"zones": [ZONE | {"address": "10.0.101.10"}]}, "zones[0].address: 10.0.101.10 is not in 10.0.100.0/24"),
        ({"zones": [ZONE, ZONE]}, "zones[1].name: us-east-1a is there twice"),
        (
            {"file_system": {"directories": [DIRECTORY | {"source": "../lease"}]}},
            "directories[0]: leads out of the data",
        ),
    ],
)
def test_what_no_instance_can_boot_with_is_refused(changes: dict[str, Any], finding: str) -> None:
    with pytest.raises(BadBootDocument, match=re.escape(finding)) as error:
        parse_tree(document_tree(**changes), KINDS)
    assert error.value.remedy


def test_a_key_given_twice_is_refused(tree: dict[str, Any]) -> None:
    text = json.dumps(tree).replace('"stack":', '"stack": "x", "stack":')
    with pytest.raises(BadBootDocument, match="the key stack is given twice"):
        parse_user_data(render_user_data(text), KINDS)


@pytest.mark.parametrize("policy", ["never", "", None])
def test_unknown_fence_policy_is_refused_and_none_is_no_default(tree: dict[str, Any], policy: str | None) -> None:
    tree["lease"]["fence"] = policy
    with pytest.raises(BadBootDocument, match=r"lease\.fence: must be one of proof, proof-or-lease"):
        parse_tree(tree, KINDS)
    del tree["lease"]["fence"]
    with pytest.raises(BadBootDocument, match=r"lease\.fence: missing"):
        parse_tree(tree, KINDS)
