"""Versions inherit, and the default is only what somebody made it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.three_zones import IMAGE, ThreeZones, refusal


def data(zones: ThreeZones, version: str) -> dict[str, Any]:
    answer = zones.ec2.describe_launch_template_versions(LaunchTemplateId=zones.template, Versions=[version])
    found: dict[str, Any] = answer["LaunchTemplateVersions"][0]
    return found


def test_a_version_inherits_from_its_source(zones: ThreeZones) -> None:
    zones.ec2.create_launch_template_version(
        LaunchTemplateId=zones.template, SourceVersion="1", LaunchTemplateData={"ImageId": "ami-2"}
    )
    made = data(zones, "2")["LaunchTemplateData"]
    assert (made["ImageId"], made["InstanceType"], made["UserData"]) == ("ami-2", "t3.medium", "aGVsbG8=")


def test_a_version_without_source_starts_empty(zones: ThreeZones) -> None:
    zones.ec2.create_launch_template_version(LaunchTemplateId=zones.template, LaunchTemplateData={"ImageId": IMAGE})
    assert "InstanceType" not in data(zones, "2")["LaunchTemplateData"]


def test_a_new_version_is_not_the_default(zones: ThreeZones) -> None:
    zones.ec2.create_launch_template_version(LaunchTemplateId=zones.template, LaunchTemplateData={"ImageId": IMAGE})
    assert (data(zones, "$Default")["VersionNumber"], data(zones, "$Latest")["VersionNumber"]) == (1, 2)
    zones.ec2.modify_launch_template(LaunchTemplateId=zones.template, DefaultVersion="2")
    assert data(zones, "$Default")["VersionNumber"] == 2


@pytest.mark.parametrize("version", ["0", "-1", "9"])
def test_versions_that_do_not_exist(zones: ThreeZones, version: str) -> None:
    code, _ = refusal(zones.ec2.describe_launch_template_versions, LaunchTemplateId=zones.template, Versions=[version])
    assert code == "InvalidLaunchTemplateId.VersionNotFound"
