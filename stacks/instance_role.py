"""What an instance may do on AWS: exactly the agent's calls, on exactly this service's resources.

Guarantees: writing is limited by ARN, by the service's tag or by condition keys; only describing, for which AWS offers
no narrower scope, is allowed on everything (Service Authorization Reference). The role exists before the file system,
whose policy names it, and gets its permissions afterwards: hence `permit`.
Does not: know the kinds of storage and connection; each says what it needs.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from bootstrap.base.names import METRIC_NAMESPACE, SERVICE_TAG, log_group, maintenance_parameter, site_parameter
from services.spec import ServiceFile
from stacks.connection.contract import Connection
from stacks.storage.contract import Storage


class InstanceRole(Construct):
    """`role` and `instance_profile_arn` (a token)."""

    def __init__(self, scope: Construct, construct_id: str, *, service: ServiceFile) -> None:
        super().__init__(scope, construct_id)
        self._service = service
        self._stack = cdk.Stack.of(self)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        self.instance_profile_arn = iam.CfnInstanceProfile(self, "Profile", roles=[self.role.role_name]).attr_arn

    def permit(
        self,
        *,
        storage: Storage,
        connection: Connection,
        state_parameter: str,
        topic_arn: str,
    ) -> None:
        """Attach the one policy of the role."""
        service = self._service
        policy = iam.Policy(
            self,
            "Policy",
            statements=[
                *([_session_statement()] if service.instance.session_manager else []),
                self._network_interface_statement(),
                *storage.statements(),
                *connection.statements(),
                self._group_statement(),
                self._former_holder_statement(),
                iam.PolicyStatement(
                    actions=["ssm:GetParameter", "ssm:PutParameter"],
                    resources=[self._arn("ssm", "parameter", state_parameter.lstrip("/"))],
                ),
                iam.PolicyStatement(
                    actions=["ssm:GetParameter"],
                    resources=[
                        self._arn("ssm", "parameter", name(service.name).lstrip("/"))
                        for name in (site_parameter, maintenance_parameter)
                    ],
                ),
                iam.PolicyStatement(actions=["sns:Publish"], resources=[topic_arn]),
                _metrics_statement(),
                *self._secret_statements(),
                *self._log_statements(),
                iam.PolicyStatement(
                    actions=[
                        "autoscaling:DescribeAutoScalingInstances",
                        "ec2:DescribeImages",
                        "ec2:DescribeInstances",
                        "ec2:DescribeNetworkInterfaces",
                    ],
                    resources=["*"],
                ),
            ],
        )
        policy.attach_to_role(self.role)
        cdk.Validations.of(policy).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="Neither describing, metrics nor Session Manager's channels know a narrower resource.",
            ),
            cdk.Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:{service.region}:<AWS::AccountId>:instance/*]",
                reason="The id of the next instance is unknown; the condition on its tag narrows it.",
            ),
            cdk.Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:{service.region}:<AWS::AccountId>:network-interface/*]",
                reason="The id changes with the address; the condition on its tag narrows it.",
            ),
            cdk.Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:{service.region}:<AWS::AccountId>:log-group:{log_group(service.name)}:*]",
                reason="The streams of its own log group.",
            ),
            group_acknowledgment(service),
        )

    def _network_interface_statement(self) -> iam.PolicyStatement:
        # Attaching authorises the interface and the instance separately. Both by tag and not by id: an instance keeps
        # the interface that it has when a deployment replaces it by one of another address.
        return iam.PolicyStatement(
            actions=["ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"],
            resources=[self._arn("ec2", "network-interface", "*"), self._arn("ec2", "instance", "*")],
            conditions={"StringEquals": {f"aws:ResourceTag/{SERVICE_TAG}": self._service.name}},
        )

    def _group_statement(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=[
                "autoscaling:CompleteLifecycleAction",
                "autoscaling:RecordLifecycleActionHeartbeat",
                "autoscaling:SetInstanceHealth",
            ],
            resources=[group_arn_pattern(self._stack, self._service)],
        )

    def _former_holder_statement(self) -> iam.PolicyStatement:
        # Before the lease is taken from an instance that has not released it, that instance is ended.
        return iam.PolicyStatement(
            actions=["ec2:TerminateInstances"],
            resources=[self._arn("ec2", "instance", "*")],
            conditions={"StringEquals": {f"aws:ResourceTag/{SERVICE_TAG}": self._service.name}},
        )

    def _secret_statements(self) -> list[iam.PolicyStatement]:
        # The AWS managed key of Systems Manager lets its callers decrypt; a key of one's own needs its own policy.
        names = [each.secret_parameter for each in self._service.webhooks if each.secret_parameter]
        arns = [self._arn("ssm", "parameter", name.lstrip("/")) for name in names]
        return [iam.PolicyStatement(actions=["ssm:GetParameter"], resources=arns)] if arns else []

    def _log_statements(self) -> list[iam.PolicyStatement]:
        if not self._service.logs.cloudwatch:
            return []
        streams = self._stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{log_group(self._service.name)}:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        return [iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[streams])]

    def _arn(self, service: str, resource: str, name: str) -> str:
        return self._stack.format_arn(service=service, resource=resource, resource_name=name)


def _metrics_statement() -> iam.PolicyStatement:
    """Metrics know no resource, only a namespace (CloudWatch user guide, "Using condition keys to limit access to
    CloudWatch namespaces")."""
    return iam.PolicyStatement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
    )


def _session_statement() -> iam.PolicyStatement:
    """What Amazon's SSM agent needs for sessions, and no more: AmazonSSMManagedInstanceCore also reads every parameter
    of the account. None of these knows a narrower resource (Systems Manager user guide, "Add Session Manager
    permissions to an existing IAM role"; Service Authorization Reference)."""
    channels = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]
    return iam.PolicyStatement(actions=["ssm:UpdateInstanceInformation", *channels], resources=["*"])


def group_arn_pattern(stack: cdk.Stack, service: ServiceFile) -> str:
    """ARN of the service's group. It holds an id that only AWS knows; its name is ours."""
    return stack.format_arn(
        service="autoscaling",
        resource="autoScalingGroup",
        resource_name=f"*:autoScalingGroupName/{service.stack_name}",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def group_acknowledgment(service: ServiceFile) -> cdk.Acknowledgment:
    """Why a policy may hold `group_arn_pattern`."""
    pattern = f"autoScalingGroup:*:autoScalingGroupName/{service.stack_name}"
    return cdk.Acknowledgment(
        id=f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:autoscaling:{service.region}:<AWS::AccountId>:{pattern}]",
        reason="Only the id AWS gives the group is left open; the name is exact and unique in the account and region.",
    )
