"""SNS topic for the agent's reports, the alarms of the watch stack, and the launch errors of the group.

For: the people in `notify` of the service file. Guarantees: TLS only; alarms of this account may publish; one e-mail
subscription per address, which its owner must confirm. Does not: publish anything itself.
Source: SNS developer guide, "Example cases for access control": CloudWatch publishes as a service, and so needs a
statement in the policy of the topic; `aws:SourceAccount` keeps the alarms of other accounts out.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from services.spec import ServiceFile


class Notification(Construct):
    """`topic_arn` (a token)."""

    def __init__(self, scope: Construct, construct_id: str, *, service: ServiceFile) -> None:
        super().__init__(scope, construct_id)
        topic = sns.Topic(self, "Topic", topic_name=service.stack_name, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowAlarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )
        for address in service.notify:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        cdk.Validations.of(topic).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-SNS2",
                reason="Alarms cannot publish to a topic encrypted with the AWS managed key; reports hold no secrets.",
            )
        )
        self.topic_arn = topic.topic_arn
