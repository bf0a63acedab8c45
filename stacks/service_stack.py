"""The stack of one service: composes the constructs, in the order in which they must exist.

Guarantees: deletion runs in reverse order, so the instance is gone before what it holds. The agent writes the value of
the state parameter; CloudFormation leaves it alone as long as `FIRST_STATE` stays the same text.
Does not: know the kinds of connection and storage (stacks.connection, stacks.storage).
"""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct, IConstruct

from bootstrap.base import names
from services.spec import ServiceFile
from stacks.connection.kinds import make_connection
from stacks.instance_group import InstanceGroup
from stacks.instance_role import InstanceRole
from stacks.network import Network
from stacks.network_interfaces import NetworkInterfaces
from stacks.notification import Notification
from stacks.operator_policies import OperatorPolicies
from stacks.parts import write_parts
from stacks.storage.kinds import make_storage
from stacks.user_data import boot_document, boot_user_data, site_text
from stacks.watchdog import WatchdogReach

# The text must never change: CloudFormation would write it over what the agent reported.
FIRST_STATE = json.dumps({"phase": "new", "sentence": "no instance has booted yet"})


class ServiceStack(cdk.Stack):
    """Stack `soloist-NAME`. Its region is the service file's, its account whoever deploys it."""

    def __init__(self, scope: Construct, *, service: ServiceFile) -> None:
        super().__init__(
            scope,
            service.stack_name,
            env=cdk.Environment(region=service.region),
            description=f"soloist: exactly one instance of {service.name}",
            # Small enough for one API call (51,200 bytes) also with more zones, ports and hooks.
            suppress_template_indentation=True,
            # Without this rule CloudFormation asks for no parameter that only a bootstrapped account has.
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        # The service file names the zones, because a fixed address belongs to one zone for ever.
        self.template_options.metadata = {"cfn-lint": {"config": {"ignore_checks": ["W3010"]}}}
        cdk.Tags.of(self).add(names.SERVICE_TAG, service.name)
        state_parameter = names.state_parameter(service.name)

        network = Network(self, "Network", service=service)
        interfaces = NetworkInterfaces(self, "NetworkInterfaces", service=service, network=network)
        role = InstanceRole(self, "InstanceRole", service=service)
        storage = make_storage(self, "FileSystem", service=service, network=network)
        connection = make_connection(self, "Record", service=service, network=network)
        notification = Notification(self, "Notification", service=service)
        state = ssm.CfnParameter(self, "State", name=state_parameter, type="String", value=FIRST_STATE)
        role.permit(
            storage=storage,
            connection=connection,
            state_parameter=state_parameter,
            topic_arn=notification.topic_arn,
        )
        document = boot_document(
            service=service,
            interfaces=interfaces,
            storage=storage,
            connection=connection,
            state_parameter=state_parameter,
            topic_arn=notification.topic_arn,
        )
        kept_logs: list[IConstruct] = []
        if service.logs.cloudwatch:
            name, days = names.log_group(service.name), service.logs.retention_days
            kept_logs.append(logs.CfnLogGroup(self, "Log", log_group_name=name, retention_in_days=days))
        # Before the group in every deployment, so that no launch meets a zone that the site does not have yet.
        site = ssm.CfnParameter(
            self,
            "Site",
            name=names.site_parameter(service.name),
            type="String",
            value=site_text(self, document, storage),
        )
        group = InstanceGroup(
            self,
            "InstanceGroup",
            service=service,
            network=network,
            instance_profile_arn=role.instance_profile_arn,
            user_data=boot_user_data(self, document),
            topic_arn=notification.topic_arn,
            # Interfaces, mount targets and access points come before it, because the user data name them.
            after=[*network.routes, *storage.unnamed(), role, connection, state, site, *kept_logs],
        )
        write_parts(
            self,
            service.name,
            {
                "storage": storage.identity,
                "launch-template": group.launch_template_id,
                "instance-role": role.role.role_arn,
            },
        )
        if service.watchdog.settings().enabled:
            WatchdogReach(self, "Watchdog", service=service, network=network)
        operator = OperatorPolicies(
            self,
            "Operator",
            service=service,
            launch_template_id=group.launch_template_id,
            instance_role_arn=role.role.role_arn,
        )
        for name, value in {
            "GroupName": group.group_name,
            "LaunchTemplateId": group.launch_template_id,
            names.STAGED_OUTPUT: group.staged_version,
            **connection.outputs(),
            **storage.outputs(),
            "StateParameter": state_parameter,
            "TopicArn": notification.topic_arn,
            **operator.outputs,
            **network.outputs,
            "ServiceSecurityGroupId": interfaces.security_group_id,
        }.items():
            cdk.CfnOutput(self, name, value=value)
