"""Launch template and Auto Scaling group: exactly one instance, healed in any zone, never replaced by a deployment.

Guarantees, each with its reason:
- min = max = 1 and no desired capacity: a deployment cannot reset the size.
- maintenance policy 0/100: the group never launches before it terminates, even where the account's setting
  launchBeforeTerminate says so (Auto Scaling user guide, instance maintenance policies).
- the hooks are in the group's own list: a separate LifecycleHook resource would miss the first instance.
- the launch hook ends in ABANDON (a boot nobody vouches for is replaced), the terminate hook is short and ends in
  CONTINUE (a dead agent must not keep an old writer alive).
- the group launches the version that the stack's own parameter names: deploying stages a version, `soloist promote`
  sets the parameter. So CloudFormation writes the promoted version whenever it writes the group, in a rollback too.
  What GetAtt gives of the template is as old as its last update (cloudformation-coverage-roadmap#68).
- each version has its content's name as description, and the stack names the staged one so: the newest version may be
  the one that a rolled-back deployment left behind (cloudformation-coverage-roadmap#1912).
- AZRebalance is suspended by a custom resource, again with every staged version: the group has no property for it.
- no grace period: the launch hook is the grace. No update policy: nothing that runs is touched.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from bootstrap.base.names import FIRST_VERSION, LAUNCH_HOOK, PROMOTED_PARAMETER, TERMINATE_HOOK
from services.spec import ServiceFile
from stacks.inline_resource import InlineResource
from stacks.instance_role import group_acknowledgment, group_arn_pattern
from stacks.network import Network

SUSPENDED = ["AZRebalance"]
DIGEST_LENGTH = 12


class InstanceGroup(Construct):
    """`group_name` and `launch_template_id` (tokens); `staged_version`, the description of the version staged."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: ServiceFile,
        network: Network,
        instance_profile_arn: str,
        user_data: str,
        topic_arn: str,
        after: list[IDependable],
    ) -> None:
        super().__init__(scope, construct_id)
        template = self._launch_template(service, network, instance_profile_arn, user_data)
        group = autoscaling.CfnAutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=service.stack_name,
            min_size="1",
            max_size="1",
            vpc_zone_identifier=[zone.instance_subnet_id for zone in network.zones],
            **self._launched(service, template),
            instance_maintenance_policy=autoscaling.CfnAutoScalingGroup.InstanceMaintenancePolicyProperty(
                min_healthy_percentage=0, max_healthy_percentage=100
            ),
            availability_zone_distribution=autoscaling.CfnAutoScalingGroup.AvailabilityZoneDistributionProperty(
                capacity_distribution_strategy="balanced-best-effort"
            ),
            health_check_type="EC2",
            health_check_grace_period=0,
            lifecycle_hook_specification_list=self._hooks(service),
            notification_configurations=[
                autoscaling.CfnAutoScalingGroup.NotificationConfigurationProperty(
                    topic_arn=topic_arn,
                    notification_types=[
                        "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
                        "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
                    ],
                )
            ],
        )
        cdk.Tags.of(group).add("Name", service.stack_name)
        cdk.Validations.of(group).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-AS3",
                reason="The agent reports every boot and stop itself; the group adds what it cannot see.",
            )
        )
        group.node.add_dependency(*after)
        self.group_name = group.ref
        self.launch_template_id = template.ref
        self._suspend(service, template)

    def _launch_template(
        self, service: ServiceFile, network: Network, instance_profile_arn: str, user_data: str
    ) -> ec2.CfnLaunchTemplate:
        data = ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
            image_id=service.instance.ami,
            instance_type=service.instance.type,
            iam_instance_profile=ec2.CfnLaunchTemplate.IamInstanceProfileProperty(arn=instance_profile_arn),
            **_networking(service, network),
            metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(
                http_endpoint="enabled",
                http_tokens="required",
                http_put_response_hop_limit=1,
            ),
            user_data=user_data,
        )
        content = json.dumps(cdk.Stack.of(self).resolve(data), sort_keys=True)
        self.staged_version = f"{service.instance.ami} {hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]}"
        return ec2.CfnLaunchTemplate(
            self,
            "LaunchTemplate",
            launch_template_name=service.stack_name,
            version_description=self.staged_version,
            launch_template_data=data,
        )

    def _launched(self, service: ServiceFile, template: ec2.CfnLaunchTemplate) -> dict[str, Any]:
        """The template itself, or a policy over it with the list of types. `prioritized` is the order of the list; all
        instances are on-demand. The list is the group's: no version of the template can have one."""
        kinds = autoscaling.CfnAutoScalingGroup
        specification = kinds.LaunchTemplateSpecificationProperty(
            launch_template_id=template.ref, version=self._promoted(template)
        )
        if not service.instance.fallback_types:
            return {"launch_template": specification}
        policy = kinds.MixedInstancesPolicyProperty(
            launch_template=kinds.LaunchTemplateProperty(
                launch_template_specification=specification,
                overrides=[kinds.LaunchTemplateOverridesProperty(instance_type=one) for one in service.instance.types],
            ),
            instances_distribution=kinds.InstancesDistributionProperty(
                on_demand_allocation_strategy="prioritized", on_demand_percentage_above_base_capacity=100
            ),
        )
        return {"mixed_instances_policy": policy}

    def _promoted(self, template: ec2.CfnLaunchTemplate) -> str:
        stack = cdk.Stack.of(self)
        parameter = cdk.CfnParameter(
            stack,
            PROMOTED_PARAMETER,
            default=FIRST_VERSION,
            allowed_pattern=f"{FIRST_VERSION}|[1-9][0-9]*",
            description="Version of the launch template that the group launches. Only soloist promote changes it.",
        )
        is_promoted = cdk.CfnCondition(
            stack,
            "IsPromoted",
            expression=cdk.Fn.condition_not(cdk.Fn.condition_equals(parameter.value_as_string, FIRST_VERSION)),
        )
        return cdk.Fn.condition_if(
            is_promoted.logical_id, parameter.value_as_string, template.attr_default_version_number
        ).to_string()

    def _hooks(self, service: ServiceFile) -> list[autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty]:
        hook = autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty
        return [
            hook(
                lifecycle_hook_name=LAUNCH_HOOK,
                lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                heartbeat_timeout=service.lifecycle_hooks.boot_heartbeat_s,
                default_result="ABANDON",
            ),
            hook(
                lifecycle_hook_name=TERMINATE_HOOK,
                lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
                heartbeat_timeout=service.drain_heartbeat_s,
                default_result="CONTINUE",
            ),
        ]

    def _suspend(self, service: ServiceFile, template: ec2.CfnLaunchTemplate) -> None:
        arn = group_arn_pattern(cdk.Stack.of(self), service)
        resource = InlineResource(
            self,
            "SuspendedProcesses",
            resource_type="Custom::SuspendedProcesses",
            properties={
                "AutoScalingGroupName": self.group_name,
                "Processes": SUSPENDED,
                "RepeatWithVersion": template.attr_latest_version_number,
            },
            statements=[iam.PolicyStatement(actions=["autoscaling:SuspendProcesses"], resources=[arn])],
        )
        cdk.Validations.of(resource.role).acknowledge(group_acknowledgment(service))


def _networking(service: ServiceFile, network: Network) -> dict[str, Any]:
    """The template's primary interface. Only a specification of the interface can ask for a public address, and then it
    names the security group, too (Auto Scaling user guide, "Provide network connectivity for your Auto Scaling
    instances")."""
    groups = [network.instance_security_group_id]
    if service.existing_vpc is None or not service.existing_vpc.public_address:
        return {"security_group_ids": groups}
    interface = ec2.CfnLaunchTemplate.NetworkInterfaceProperty(
        device_index=0, associate_public_ip_address=True, groups=groups
    )
    return {"network_interfaces": [interface]}
