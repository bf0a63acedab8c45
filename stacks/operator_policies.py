"""What people and CI may do with the command `soloist`: two managed policies, which nobody has until somebody attaches
them. `status` is to look; `promote` is to roll forward and back, and needs `status`, too.

Guarantees: each holds exactly the calls of its commands, on this service's resources; only describing, for which AWS
offers no narrower scope, is allowed on everything (a test judges the recorded calls of the commands). Changing the
group's launch template makes Auto Scaling ask whether the caller may launch from it: hence RunInstances and PassRole.
Does not: permit deploying. But CloudFormation takes a template from whoever may update the stack, and carries it out
with the stack's execution role: `promote` is as powerful as that role, and no condition key tells the two apart.
Sources: Auto Scaling user guide, "Control Amazon EC2 launch template usage in Auto Scaling groups"; Service
Authorization Reference of each service; CloudFormation API reference, UpdateStack, RoleARN ("CloudFormation always uses
this role for all future operations on the stack").
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from bootstrap.base.names import maintenance_parameter, rollouts_parameter, state_parameter, watchdog_parameter
from services.spec import ServiceFile
from stacks.instance_role import group_acknowledgment, group_arn_pattern


class OperatorPolicies(Construct):
    """`outputs`: the ARNs of the two policies (tokens), by name of the stack's output."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: ServiceFile,
        launch_template_id: str,
        instance_role_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._service = service
        self._stack = cdk.Stack.of(self)
        stack_arn = self._arn("cloudformation", "stack", f"{service.stack_name}/*")
        template_arn = self._arn("ec2", "launch-template", launch_template_id)
        status = [
            allow(
                [
                    "autoscaling:DescribeAutoScalingGroups",
                    "ec2:DescribeImages",
                    "ec2:DescribeLaunchTemplateVersions",
                ],
                "*",
            ),
            allow(["cloudformation:DescribeStacks"], stack_arn),
            allow(["ssm:GetParameter"], self._parameter(state_parameter(service.name))),
            allow(["ssm:GetParameter"], self._parameter(watchdog_parameter(service.name))),
        ]
        promote = [
            allow(["ec2:DescribeInstanceTypes"], "*"),
            allow(["cloudformation:UpdateStack"], stack_arn),
            allow(["ec2:ModifyLaunchTemplate"], template_arn),
            allow(
                ["autoscaling:UpdateAutoScalingGroup", "autoscaling:TerminateInstanceInAutoScalingGroup"],
                group_arn_pattern(self._stack, service),
            ),
            *launch_statements(template_arn, instance_role_arn),
            allow(["ssm:GetParameter", "ssm:PutParameter"], self._parameter(rollouts_parameter(service.name))),
            allow(["ssm:PutParameter", "ssm:DeleteParameter"], self._parameter(maintenance_parameter(service.name))),
            allow(["ssm:PutParameter"], self._parameter(watchdog_parameter(service.name))),
        ]
        self.outputs = {
            "StatusPolicyArn": self._policy("status", "soloist status", status),
            "PromotePolicyArn": self._policy(
                "promote", "soloist promote, rollback, clear, pause and resume, with status", promote
            ),
        }

    def _policy(self, name: str, what_for: str, statements: list[iam.PolicyStatement]) -> str:
        # By name, because IAM Identity Center takes managed policies by name; IAM has one name space for all Regions.
        service = self._service
        policy = iam.ManagedPolicy(
            self,
            name.capitalize(),
            managed_policy_name=f"{service.stack_name}-{service.region}-{name}",
            description=f"{service.stack_name}: {what_for}",
            statements=statements,
        )
        stack = f"arn:<AWS::Partition>:cloudformation:{service.region}:<AWS::AccountId>:stack/{service.stack_name}/*"
        cdk.Validations.of(policy).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="Describe calls know no narrower resource; a launch is narrowed to the launch template.",
            ),
            cdk.Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{stack}]", reason="Only the id AWS gives the stack is left open."
            ),
            group_acknowledgment(service),
        )
        return policy.managed_policy_arn

    def _parameter(self, name: str) -> str:
        return self._arn("ssm", "parameter", name.lstrip("/"))

    def _arn(self, service: str, resource: str, name: str) -> str:
        return self._stack.format_arn(service=service, resource=resource, resource_name=name)


def launch_statements(template_arn: str, instance_role_arn: str) -> list[iam.PolicyStatement]:
    """What whoever changes the version of a group needs besides UpdateAutoScalingGroup."""
    return [
        allow(["ec2:RunInstances"], "*", {"ArnEquals": {"ec2:LaunchTemplate": template_arn}}),
        allow(["iam:PassRole"], instance_role_arn, {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}),
    ]


def allow(
    actions: list[str], resource: str, conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=[resource], conditions=conditions)
