"""A group with a list of instance types: status, promote and rollback see its launch template, keep the list, and
refuse an image that a type of the list cannot boot."""

from typing import Any

import pytest
from typer.testing import CliRunner

from rollout.cli import app
from rollout.fit import Image, TypeInfo, misfit
from rollout.observe import StagedVersion, observe
from tests.kit.deployed_group import GROUP, NEW, Clients

LIST = ["m7i.large", "m6i.large"]
VERSION = {"Fn::If": ["IsPromoted", {"Ref": "PromotedVersion"}, {"Fn::GetAtt": ["Template", "DefaultVersionNumber"]}]}
X86 = TypeInfo(name="m7i.large", architectures=("x86_64",), interfaces=3)
ARM = TypeInfo(name="m7g.large", architectures=("arm64",), interfaces=3)
SMALL = TypeInfo(name="x1.tiny", architectures=("x86_64",), interfaces=1)
IMAGE = Image(id="ami-1", architecture="x86_64", state="available")


def policy(version: Any, types: list[str]) -> dict[str, Any]:
    template = {"LaunchTemplateId": {"Ref": "Template"}, "Version": version}
    overrides = [{"InstanceType": one} for one in types]
    distribution = {"OnDemandAllocationStrategy": "prioritized", "OnDemandPercentageAboveBaseCapacity": 100}
    return {
        "LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": overrides},
        "InstancesDistribution": distribution,
    }


@pytest.fixture
def listed(clients: Clients) -> Clients:
    """The deployed group, with a list of types instead of the template's one."""
    ended = clients.deploy(NEW, LaunchTemplate=None, MixedInstancesPolicy=policy(VERSION, LIST))
    assert ended == "UPDATE_COMPLETE"
    return clients


def run(*arguments: str, code: int = 0) -> str:
    answer = CliRunner().invoke(app, list(arguments))
    assert answer.exit_code == code, answer.output
    return answer.output


def group_of(clients: Clients) -> Any:
    (group,) = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
    return group


def types_and_version(clients: Clients) -> tuple[list[str], str]:
    template = group_of(clients)["MixedInstancesPolicy"]["LaunchTemplate"]
    return [one["InstanceType"] for one in template["Overrides"]], template["LaunchTemplateSpecification"]["Version"]


def test_status_promote_and_rollback_work_and_the_list_stays(listed: Clients) -> None:
    assert "LaunchTemplate" not in group_of(listed), "as AWS shows a group with a mixed instances policy"
    assert "types: m7i.large, m6i.large: the first one that has capacity" in run("status", "demo")
    run("promote", "demo", "--no-replace")
    assert types_and_version(listed) == (LIST, "2")
    run("rollback", "demo", "--no-replace")
    assert types_and_version(listed) == (LIST, "1")


def test_a_group_that_was_moved_is_moved_back_with_its_list(listed: Clients) -> None:
    run("promote", "demo", "--no-replace")
    template = {"LaunchTemplateId": observe(listed, "demo").launch_template_id, "Version": "1"}
    moved = {"LaunchTemplateSpecification": template, "Overrides": [{"InstanceType": one} for one in LIST]}
    listed.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=GROUP, MixedInstancesPolicy={"LaunchTemplate": moved}
    )
    assert "it was changed outside the stack" in run("promote", "demo", "--no-replace")
    assert types_and_version(listed) == (LIST, "2")


@pytest.mark.parametrize("options", [("--no-replace",), ("--dry-run",)])
def test_an_image_that_a_type_of_the_list_cannot_boot_changes_nothing(
    listed: Clients, options: tuple[str, ...]
) -> None:
    listed.aws.register_image(NEW, NEW, architecture="arm64")
    before = observe(listed, "demo")
    said = run("promote", "demo", *options, code=4)
    assert f"image {NEW} is for arm64, and m7i.large has x86_64. Deploy with an image" in said
    assert observe(listed, "demo") == before


def test_an_image_that_is_gone_is_refused_before_anything_is_changed(clients: Clients) -> None:
    clients.ec2.deregister_image(ImageId=NEW)
    before = observe(clients, "demo")
    said = run("promote", "demo", "--no-replace", code=4)
    assert f"image {NEW} is not there" in said
    assert observe(clients, "demo") == before


@pytest.mark.parametrize(
    ("image", "types", "words"),
    [
        (IMAGE, (X86,), ""),
        (IMAGE, (X86, ARM), "image ami-1 is for x86_64, and m7g.large has arm64"),
        (IMAGE, (SMALL,), "x1.tiny takes 1 network interface"),
        (Image(id="ami-1", architecture="x86_64", state="pending"), (X86,), "image ami-1 is pending"),
        (None, (X86,), "image ami-1 is not there, or not shared with this account"),
    ],
)
def test_what_does_not_fit_is_said(image: Image | None, types: tuple[TypeInfo, ...], words: str) -> None:
    said = misfit(StagedVersion(number=2, image_id="ami-1"), image, types)
    assert (words in said) if words else said == ""
