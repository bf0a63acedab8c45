"""What CloudFormation knows of a stack is what it recorded: attributes of resources, values of parameters."""

from typing import Any

import pytest

from tests.contract.cloudformation import stack_readers as read
from tests.contract.deployed_account import Account, of, template


@pytest.mark.parametrize(
    ("changes", "status", "version"),
    [
        ({"Instances__HealthCheckGracePeriod": 60}, "UPDATE_COMPLETE", "1"),  # the group alone: GetAtt is not asked
        ({"Template__VersionDescription": "third"}, "UPDATE_COMPLETE", "2"),  # the template itself: it is
        (  # the recorded version comes back, and the failed one stays behind as the newest (roadmap#1912)
            {"Template__VersionDescription": "third", "Custom__Fail": "Update"},
            "UPDATE_ROLLBACK_COMPLETE",
            "1",
        ),
    ],
)
def test_get_att_gives_what_its_resource_was_when_it_was_last_updated(
    account: Account, changes: dict[str, Any], status: str, version: str
) -> None:
    """aws-cloudformation/cloudformation-coverage-roadmap#68, aws/aws-cdk#23127: a change made outside is not seen."""

    def document(**values: Any) -> dict[str, Any]:
        made = template(**values)
        made["Resources"]["Custom"]["DependsOn"] = ["Instances"]
        return made

    staged: dict[str, Any] = {"Template__VersionDescription": "second"}
    account.create(document())
    account.update(document(**staged))
    account.client("ec2").modify_launch_template(LaunchTemplateName="service-x", DefaultVersion="2")
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="x", LaunchTemplate={"LaunchTemplateName": "service-x", "Version": "2"}
    )
    assert account.update(document(**(staged | changes)))["StackStatus"] == status
    assert account.group()["LaunchTemplate"]["Version"] == version


def test_a_parameter_that_is_not_given_takes_its_default(account: Account) -> None:
    """CloudFormation API reference, Parameter. Only UsePreviousValue keeps a value."""
    document = template(State__Value={"Ref": "Said"})
    document["Parameters"] = {"Said": {"Type": "String", "Default": "nothing"}}
    account.create(document)
    update = account.client("cloudformation").update_stack
    for parameter, expected in (({"ParameterValue": "a"}, "a"), ({"UsePreviousValue": True}, "a"), (None, "nothing")):
        given = [{"ParameterKey": "Said"} | parameter] if parameter else []
        update(StackName="x", Parameters=given, **of(document | {"Description": str(parameter)}))
        assert account.settled()["Parameters"] == [{"ParameterKey": "Said", "ParameterValue": expected}]
        assert read.parameter_value(account) == expected
