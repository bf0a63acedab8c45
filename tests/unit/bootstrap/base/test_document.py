"""The boot document: what is rendered is read back, and everything wrong with it is said at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from bootstrap.base.codec import to_tree
from bootstrap.base.document import parse_tree, parse_user_data, render_user_data
from bootstrap.base.errors import BadBootDocument, ExitCode
from bootstrap.base.paths import BOOT_DOCUMENT
from bootstrap.run.kinds import KINDS
from tests.kit.documents import document_tree


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


def test_boolean_is_not_taken_for_a_number(tree: dict[str, Any]) -> None:
    tree["connection"]["ttl_s"] = True
    with pytest.raises(BadBootDocument, match=r"connection\.ttl_s: must be an integer, not a boolean"):
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
        ({"clock_margin_s": 0}, r"lease\.timing\.clock_margin_s \(is 0\): not longer than 0 s"),
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


def test_all_impossible_timings_are_named_at_once(tree: dict[str, Any]) -> None:
    tree["lease"]["timing"] = {"renew_deadline_s": 24, "lease_duration_s": 40}
    with pytest.raises(BadBootDocument) as error:
        parse_tree(tree, KINDS)
    assert "lease.timing.renew_deadline_s" in str(error.value)
    assert "lease.timing.lease_duration_s" in str(error.value)


@pytest.mark.parametrize("policy", ["proof", "proof-or-lease"])
def test_fence_policy_is_read_as_written(tree: dict[str, Any], policy: str) -> None:
    tree["lease"]["fence"] = policy
    assert parse_tree(tree, KINDS).lease.fence == policy


@pytest.mark.parametrize("policy", ["never", "", None])
def test_unknown_fence_policy_is_refused_and_none_is_no_default(tree: dict[str, Any], policy: str | None) -> None:
    tree["lease"]["fence"] = policy
    with pytest.raises(BadBootDocument, match=r"lease\.fence: must be one of proof, proof-or-lease"):
        parse_tree(tree, KINDS)
    del tree["lease"]["fence"]
    with pytest.raises(BadBootDocument, match=r"lease\.fence: missing"):
        parse_tree(tree, KINDS)
