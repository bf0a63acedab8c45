"""The one instance of influxdb's group in the lab's AWS, where no agent acts, and the end of its stack."""

from lab.aws import ControlPlane
from lab.base.waiting import wait_for
from tests.contract.cloudformation.service_template import NAME
from tests.kit.lab_clients import client


def wait_for_member(plane: ControlPlane, lifecycle: str) -> str:
    def member() -> str:
        group = plane.group(NAME)
        members = group.members if group is not None else ()
        return next((one.instance_id for one in members if one.lifecycle_state == lifecycle), "")

    return wait_for(member, f"a member in {lifecycle}", deadline_s=30.0, poll_s=0.05)


def delete_stack(plane: ControlPlane) -> None:
    """Delete it; the instance that waits in its launch hook lets go at once, as the agent makes it."""
    cloudformation = client(plane, "cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]["StackId"]
    instance = wait_for_member(plane, "Pending:Wait")
    cloudformation.delete_stack(StackName=NAME)
    assert wait_for_member(plane, "Terminating:Wait") == instance
    client(plane, "autoscaling").complete_lifecycle_action(
        AutoScalingGroupName=NAME, LifecycleHookName="drain", InstanceId=instance, LifecycleActionResult="CONTINUE"
    )

    def is_settled() -> str:
        status = str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    assert wait_for(is_settled, "the end of the deletion", deadline_s=60.0) == "DELETE_COMPLETE"
