"""The name clients use: hosted zone (new or existing) and its first A record.

Guarantees: the record exists before the first instance does, a deployment never changes its value, and deleting the
stack removes whatever value the agent gave it. A plain AWS::Route53::RecordSet can do neither: CloudFormation would
write the template's value over the live one, and deleting with a stale value fails.
Does not: move the record; that is the agent's part. After renaming it, promote a version so that an instance claims it.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from constructs import Construct

from services.network import Dns
from stacks.inline_resource import InlineResource
from stacks.network import Network


class ServiceRecord(Construct):
    """`hosted_zone_id` (may be a token), `hosted_zone_arn`, `name`, `ttl_s`."""

    def __init__(self, scope: Construct, construct_id: str, *, dns: Dns, region: str, network: Network) -> None:
        super().__init__(scope, construct_id)
        self.name = dns.record
        self.ttl_s = dns.ttl_s
        self.hosted_zone_id = dns.zone_id or self._new_zone(dns, region, network)
        self.hosted_zone_arn = cdk.Stack.of(self).format_arn(
            service="route53", region="", account="", resource="hostedzone", resource_name=self.hosted_zone_id
        )
        # Another name gets another logical id: function, role and record of the old name go together, in order.
        InlineResource(
            self,
            f"First {dns.zone_id or dns.zone} {dns.record}",
            resource_type="Custom::ServiceRecord",
            properties={
                "HostedZoneId": self.hosted_zone_id,
                "RecordName": dns.record,
                "TtlSeconds": str(dns.ttl_s),
                "Addresses": [zone.address for zone in network.zones],
            },
            statements=self.statements(),
        )

    def statements(self) -> list[iam.PolicyStatement]:
        """What it takes to read the zone and to create and delete this one A record.

        Names in the condition are normalized: lower case, no trailing dot (Route 53 developer guide, "Using IAM policy
        conditions for fine-grained access control").
        """
        return [
            iam.PolicyStatement(actions=["route53:ListResourceRecordSets"], resources=[self.hosted_zone_arn]),
            iam.PolicyStatement(
                actions=["route53:ChangeResourceRecordSets"],
                resources=[self.hosted_zone_arn],
                conditions={
                    "ForAllValues:StringEquals": {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [self.name],
                        "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
                        "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
                    }
                },
            ),
        ]

    def _new_zone(self, dns: Dns, region: str, network: Network) -> str:
        vpcs = [route53.CfnHostedZone.VPCProperty(vpc_id=network.vpc_id, vpc_region=region)] if dns.private else None
        return route53.CfnHostedZone(self, "Zone", name=dns.zone, vpcs=vpcs).ref
