"""CloudFormation's IAM, SSM, SNS and CloudWatch Logs resource types.

For: `resource_types`. Guarantees: updates change in place what AWS changes in place. Does not: evaluate policies.
Source: CloudFormation resource reference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    Properties,
    ResourceType,
    StackContext,
    physical_name,
    refuse_changes,
    tag_map,
)
from lab.aws.cloudformation.stack_tags import PARAMETER_TAGS, ROLE_TAGS, TOPIC_TAGS


class RoleType(MotoType):
    """AWS::IAM::Role: moto cannot update inline policies, and answers with a Python repr where they are not text."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With its inline policies as text."""
        deployed = super().create(context, logical_id, type_name, properties)
        with context.cloud.call():
            _put_inline_policies(deployed.record, properties)
        return deployed

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Inline policies, trust policy, description and tags change in place."""
        refuse_changes(deployed, changed, ("Policies", "AssumeRolePolicyDocument", "Description", "Tags"))
        with context.cloud.call():
            role = deployed.record
            for policy in deployed.properties.get("Policies", []):
                role.policies.pop(policy["PolicyName"], None)
            _put_inline_policies(role, new)
            role.assume_role_policy_document = json.dumps(new["AssumeRolePolicyDocument"])
            role.description = new.get("Description", "")
            self._erase_tags(context, deployed, new)
            self._write_tags(context, deployed, new)


def _put_inline_policies(role: Any, properties: Properties) -> None:
    for policy in properties.get("Policies", []):
        role.put_policy(policy["PolicyName"], json.dumps(policy["PolicyDocument"]))


class InlinePolicyType(MotoType):
    """AWS::IAM::Policy."""

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """The document changes in place."""
        refuse_changes(deployed, changed, ("PolicyDocument",))
        with context.cloud.call():
            deployed.record = self._model().update_from_cloudformation_json(
                deployed.record,
                deployed.physical_resource_id,
                {"Properties": new},
                context.cloud.account_id,
                context.cloud.region,
            )


class ParameterType(MotoType):
    """AWS::SSM::Parameter: moto deletes and recreates on update, and expects tags in the API's shape."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Tags are a map in templates."""
        tags = [{"Key": key, "Value": value} for key, value in tag_map(properties.get("Tags")).items()]
        return super().create(context, logical_id, type_name, properties | {"Tags": tags})

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Value, description and tags change in place; the version counts on."""
        refuse_changes(deployed, changed, ("Value", "Description", "Tags"))
        with context.cloud.call():
            context.cloud.backend("ssm").put_parameter(
                name=deployed.physical_resource_id,
                description=new.get("Description", ""),
                value=new["Value"],
                parameter_type=new["Type"],
                allowed_pattern=new.get("AllowedPattern"),
                keyid=None,
                overwrite=True,
                tags=[],  # PutParameter takes none when it overwrites
                data_type=new.get("DataType", "text"),
                tier=new.get("Tier"),
                policies=None,
            )
            self._erase_tags(context, deployed, new)
            self._write_tags(context, deployed, new)


@dataclass(frozen=True)
class SnsSubscriptionType:
    """AWS::SNS::Subscription, which moto lacks."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Ref is the subscription's ARN."""
        with context.cloud.call():
            subscription = context.cloud.backend("sns").subscribe(
                properties["TopicArn"], properties.get("Endpoint", ""), properties["Protocol"]
            )
        return Deployed(logical_id, type_name, subscription.arn, record=subscription)

    def update(
        self,
        context: StackContext,  # noqa: ARG002
        deployed: Deployed,
        new: Properties,  # noqa: ARG002
        changed: list[str],
    ) -> None:
        """Everything needs replacement."""
        refuse_changes(deployed, changed, ())

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Unsubscribe."""
        with context.cloud.call():
            context.cloud.backend("sns").unsubscribe(deployed.physical_resource_id)


@dataclass(frozen=True)
class TopicPolicyType:
    """AWS::SNS::TopicPolicy, which moto lacks: the topics' policy attribute."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Writes the policy."""
        self._write(context, properties)
        return Deployed(logical_id, type_name, physical_name(context, logical_id, type_name, properties))

    def _write(self, context: StackContext, properties: Properties) -> None:
        with context.cloud.call():
            for arn in properties["Topics"]:
                context.cloud.backend("sns").set_topic_attribute(arn, "_policy_json", properties["PolicyDocument"])

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """The document changes in place."""
        refuse_changes(deployed, changed, ("PolicyDocument",))
        self._write(context, new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Do nothing: the policy goes with its topics."""


@dataclass(frozen=True)
class LogGroupType:
    """AWS::Logs::LogGroup."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With retention and tags."""
        name = physical_name(context, logical_id, type_name, properties)
        with context.cloud.call():
            group = context.cloud.backend("logs").create_log_group(name, tag_map(properties.get("Tags")))
            self._set_retention(context, name, properties)
        deployed = Deployed(logical_id, type_name, name, record=group)
        deployed.attributes = {
            "Arn": lambda: f"arn:aws:logs:{context.cloud.region}:{context.cloud.account_id}:log-group:{name}:*"
        }
        return deployed

    def _set_retention(self, context: StackContext, name: str, properties: Properties) -> None:
        context.cloud.backend("logs").put_retention_policy(name, properties.get("RetentionInDays"))

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Retention and tags."""
        refuse_changes(deployed, changed, ("RetentionInDays", "Tags"))
        with context.cloud.call():
            self._set_retention(context, deployed.physical_resource_id, new)
            context.cloud.backend("logs").groups[deployed.physical_resource_id].tags = tag_map(new.get("Tags"))

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Delete."""
        with context.cloud.call():
            context.cloud.backend("logs").delete_log_group(deployed.physical_resource_id)


def _remove_managed_policy(context: StackContext, deployed: Deployed) -> None:
    iam = context.cloud.backend("iam")
    for role in deployed.properties.get("Roles", []):
        iam.detach_role_policy(deployed.physical_resource_id, role)
    iam.delete_policy(deployed.physical_resource_id)


OTHER_TYPES: dict[str, ResourceType] = {
    "AWS::IAM::Role": RoleType("moto.iam.models:Role", tags=ROLE_TAGS),
    "AWS::IAM::Policy": InlinePolicyType("moto.iam.models:InlinePolicy"),
    "AWS::IAM::ManagedPolicy": MotoType("moto.iam.models:ManagedPolicy", remove=_remove_managed_policy),
    "AWS::IAM::InstanceProfile": MotoType("moto.iam.models:InstanceProfile"),
    "AWS::Logs::LogGroup": LogGroupType(),
    "AWS::SNS::Topic": MotoType("moto.sns.models:Topic", tags=TOPIC_TAGS),
    "AWS::SNS::Subscription": SnsSubscriptionType(),
    "AWS::SNS::TopicPolicy": TopicPolicyType(),
    "AWS::SSM::Parameter": ParameterType("moto.ssm.models:Parameter", tags=PARAMETER_TAGS),
}
