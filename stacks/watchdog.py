"""The watchdog's two Lambda functions. The one that looks is in the VPC, and so in the service's stack
(`WatchdogReach`). The one that decides is in the watch stack (`Watchdog`) with its role, and refers to the service by
names, so that a change of it touches nothing else. What nobody can know beforehand
comes by stacks.parts.

Guarantees: no file assets; the deciding function reads what it must and changes this service's group alone; the
looking one opens connections to the state port of this service's instances, and to nothing else. Both are deployed only
where the service file wants a watchdog. Does not: judge (package watchdog).
Cost and timing: docs/costs.md, docs/failure-modes.md. CloudFormation deletes the network interfaces of a function in a
VPC with it, which may take 20 minutes (Lambda developer guide, "Giving Lambda functions access to resources in a VPC").
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from bootstrap.base.names import (
    METRIC_NAMESPACE,
    SERVICE_TAG,
    Part,
    look_function,
    maintenance_parameter,
    state_parameter,
    watchdog_name,
    watchdog_parameter,
)
from services.spec import ServiceFile
from stacks.inline_source import one_source
from stacks.instance_role import group_acknowledgment, group_arn_pattern
from stacks.network import Network
from stacks.operator_policies import allow, launch_statements

RUNTIME = "python3.14"
LOOK_MODULES = ("watchdog.look",)
WATCH_MODULES = (
    "bootstrap.base.names",
    "bootstrap.tell.message",
    "watchdog.memory",
    "watchdog.rules",
    "watchdog.breaker",
    "watchdog.aws",
    "watchdog.watch",
)
LOOK_TIMEOUT_S = 15  # longer than each step of its one connection
WATCH_TIMEOUT_S = 90  # longer than watchdog.watch.RUN_S and the calls of its last look
FIRST_MEMORY = "{}"  # must never change: CloudFormation would write it over what the watchdog remembers


class WatchdogReach(Construct):
    """The function that looks."""

    def __init__(self, scope: Construct, construct_id: str, *, service: ServiceFile, network: Network) -> None:
        super().__init__(scope, construct_id)
        self._service = service
        self._look(network)

    def _look(self, network: Network) -> None:
        service = self._service
        port = service.state_server.settings().port
        group = ec2.CfnSecurityGroup(
            self,
            "SecurityGroup",
            vpc_id=network.vpc_id,
            group_description=f"{service.stack_name}: asks the state port of the instance",
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    destination_security_group_id=network.instance_security_group_id,
                )
            ],
        )
        # A rule of its own: another description of the instance's group would replace that group, and what the group
        # launches now names it.
        ec2.CfnSecurityGroupIngress(
            self,
            "MayLook",
            group_id=network.instance_security_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            source_security_group_id=group.attr_group_id,
            description="The watchdog asks whether the agent is alive",
        )
        role = iam.Role(
            self,
            "LookRole",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Vpc": iam.PolicyDocument(statements=[_vpc_statement()])},
        )
        cdk.Validations.of(role).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="Lambda itself makes the function's network interfaces; these calls know no narrower resource.",
            )
        )
        lambda_.CfnFunction(
            self,
            "Look",
            function_name=look_function(service.name),
            runtime=RUNTIME,
            handler="index.on_event",
            code=lambda_.CfnFunction.CodeProperty(zip_file=one_source(LOOK_MODULES)),
            role=role.role_arn,
            timeout=LOOK_TIMEOUT_S,
            architectures=["arm64"],
            description=f"{service.stack_name}: asks the state port of an instance",
            # Where the instances are: what a function takes there can never be a service's fixed address.
            vpc_config=lambda_.CfnFunction.VpcConfigProperty(
                subnet_ids=[zone.instance_subnet_id for zone in network.zones],
                security_group_ids=[group.attr_group_id],
            ),
        )


class Watchdog(Construct):
    """The function that decides, once a minute, and its memory."""

    def __init__(self, scope: Construct, construct_id: str, *, service: ServiceFile, parts: Mapping[Part, str]) -> None:
        super().__init__(scope, construct_id)
        self._service, self._stack, self._parts = service, cdk.Stack.of(self), parts
        self._topic_arn = self._stack.format_arn(service="sns", resource=service.stack_name)
        name, settings = watchdog_name(service.name), service.watchdog.settings()
        state_server = service.state_server.settings()
        log = logs.CfnLogGroup(self, "Log", log_group_name=f"/aws/lambda/{name}", retention_in_days=90)
        ssm.CfnParameter(self, "Memory", name=watchdog_parameter(service.name), type="String", value=FIRST_MEMORY)
        function = lambda_.CfnFunction(
            self,
            "Watch",
            function_name=name,
            runtime=RUNTIME,
            handler="index.on_event",
            code=lambda_.CfnFunction.CodeProperty(zip_file=one_source(WATCH_MODULES)),
            role=self._role(),
            timeout=WATCH_TIMEOUT_S,
            memory_size=256,
            architectures=["arm64"],
            description=f"{service.stack_name}: replaces an instance that is dead, goes back from a bad image",
            environment=lambda_.CfnFunction.EnvironmentProperty(
                variables={
                    "SERVICE": service.name,
                    "TOPIC_ARN": self._topic_arn,
                    "PORT": str(state_server.port),
                    "IS_TLS": "true" if state_server.tls_file else "false",
                    "SILENCE_S": str(settings.silence_s),
                    "BOOT_SILENCE_S": str(settings.boot_silence_s),
                    "WINDOW_S": str(settings.window_s),
                    "FAILED_BOOTS": str(settings.failed_boots),
                    "SETTLE_S": str(settings.settle_s),
                }
            ),
        )
        function.add_resource_dependency(log)
        # A run that failed is not repeated beside the next one.
        lambda_.CfnEventInvokeConfig(
            self, "Retries", function_name=function.ref, qualifier="$LATEST", maximum_retry_attempts=0
        )
        rule = events.CfnRule(
            self,
            "EveryMinute",
            schedule_expression="rate(1 minute)",
            state="ENABLED",
            targets=[events.CfnRule.TargetProperty(arn=function.attr_arn, id="watch")],
        )
        lambda_.CfnPermission(
            self,
            "MayBeStarted",
            action="lambda:InvokeFunction",
            function_name=function.ref,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )

    def _role(self) -> str:
        service = self._service
        look_arn = self._stack.format_arn(
            service="lambda",
            resource="function",
            resource_name=look_function(service.name),
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        template_arn = self._stack.format_arn(
            service="ec2", resource="launch-template", resource_name=self._parts["launch-template"]
        )
        tagged = {"StringEquals": {f"aws:ResourceTag/{SERVICE_TAG}": service.name}}
        memory = self._parameter(watchdog_parameter(service.name))
        log = self._stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"/aws/lambda/{watchdog_name(service.name)}:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        instances = self._stack.format_arn(service="ec2", resource="instance", resource_name="*")
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "Watch": iam.PolicyDocument(
                    statements=[
                        allow(
                            [
                                "autoscaling:DescribeAutoScalingGroups",
                                "cloudwatch:GetMetricData",
                                "ec2:DescribeInstanceStatus",
                                "ec2:DescribeInstances",
                            ],
                            "*",
                        ),
                        allow(
                            [
                                "autoscaling:CompleteLifecycleAction",
                                "autoscaling:SetInstanceHealth",
                                "autoscaling:UpdateAutoScalingGroup",
                            ],
                            group_arn_pattern(self._stack, service),
                        ),
                        *launch_statements(template_arn, self._parts["instance-role"]),
                        allow(["ec2:GetConsoleOutput"], instances, tagged),
                        allow(["ssm:GetParameter"], self._parameter(state_parameter(service.name))),
                        allow(["ssm:GetParameter"], self._parameter(maintenance_parameter(service.name))),
                        allow(["ssm:GetParameter", "ssm:PutParameter"], memory),
                        allow(
                            ["cloudwatch:PutMetricData"],
                            "*",
                            {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
                        ),
                        allow(["sns:Publish"], self._topic_arn),
                        allow(["lambda:InvokeFunction"], look_arn),
                        allow(["logs:CreateLogStream", "logs:PutLogEvents"], log),
                    ]
                )
            },
        )
        pattern = f"arn:<AWS::Partition>:ec2:{service.region}:<AWS::AccountId>:instance/*"
        kept = f"arn:<AWS::Partition>:logs:{service.region}:<AWS::AccountId>:log-group:/aws/lambda/"
        cdk.Validations.of(role).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="Describing and metrics know no narrower resource; a launch is narrowed to the launch template.",
            ),
            cdk.Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{pattern}]", reason="The condition on the instance's tag narrows it."
            ),
            cdk.Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{kept}{watchdog_name(service.name)}:*]",
                reason="The streams of its own log group.",
            ),
            group_acknowledgment(service),
        )

        return role.role_arn

    def _parameter(self, name: str) -> str:
        return self._stack.format_arn(service="ssm", resource="parameter", resource_name=name.lstrip("/"))


def _vpc_statement() -> iam.PolicyStatement:
    """What Lambda needs of a function's role to put it into a VPC (Lambda developer guide, "Required IAM permissions").
    The service's own policies deny nothing of it to the function's code, which holds no AWS client and has no way to
    AWS's API from these subnets."""
    return iam.PolicyStatement(
        actions=[
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ],
        resources=["*"],
    )
