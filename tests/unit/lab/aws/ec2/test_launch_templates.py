"""Versions inherit, and the default is only what somebody made it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.aws_world import IMAGE, World, refusal


def data(world: World, version: str) -> dict[str, Any]:
    answer = world.ec2.describe_launch_template_versions(LaunchTemplateId=world.template, Versions=[version])
    found: dict[str, Any] = answer["LaunchTemplateVersions"][0]
    return found


def test_a_version_inherits_from_its_source(world: World) -> None:
    world.ec2.create_launch_template_version(
        LaunchTemplateId=world.template, SourceVersion="1", LaunchTemplateData={"ImageId": "ami-2"}
    )
    made = data(world, "2")["LaunchTemplateData"]
    assert (made["ImageId"], made["InstanceType"], made["UserData"]) == ("ami-2", "t3.medium", "aGVsbG8=")


def test_a_version_without_source_starts_empty(world: World) -> None:
    world.ec2.create_launch_template_version(LaunchTemplateId=world.template, LaunchTemplateData={"ImageId": IMAGE})
    assert "InstanceType" not in data(world, "2")["LaunchTemplateData"]


def test_a_new_version_is_not_the_default(world: World) -> None:
    world.ec2.create_launch_template_version(LaunchTemplateId=world.template, LaunchTemplateData={"ImageId": IMAGE})
    assert (data(world, "$Default")["VersionNumber"], data(world, "$Latest")["VersionNumber"]) == (1, 2)
    world.ec2.modify_launch_template(LaunchTemplateId=world.template, DefaultVersion="2")
    assert data(world, "$Default")["VersionNumber"] == 2


@pytest.mark.parametrize("version", ["0", "-1", "9"])
def test_versions_that_do_not_exist(world: World, version: str) -> None:
    code, _ = refusal(world.ec2.describe_launch_template_versions, LaunchTemplateId=world.template, Versions=[version])
    assert code == "InvalidLaunchTemplateId.VersionNotFound"
