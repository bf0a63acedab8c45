"""The connection by a DNS record in Route 53: hosted zone (new or existing) and its first A record.

For: stacks.connection. Guarantees: the record exists before the first instance does; a deployment never changes its
value; deleting the stack removes the record with whatever value the agent gave it. A plain AWS::Route53::RecordSet does
none of this: CloudFormation would write the template's value over the live one, and deletion with a stale value fails.
Does not: move the record (the agent does). After a change of its name, the next instance claims it.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from constructs import Construct

from bootstrap.base.document import Route53Settings
from services.connection import Dns
from stacks.connection.contract import Connection
from stacks.inline_resource import InlineResource
from stacks.network import Network


class Route53Record(Connection):
    """See contract.Connection."""

    def __init__(self, scope: Construct, construct_id: str, *, section: Dns, region: str, network: Network) -> None:
        super().__init__(scope, construct_id)
        self._section = dns = section
        self._hosted_zone_id = dns.zone_id or self._new_zone(dns, region, network)
        self._hosted_zone_arn = cdk.Stack.of(self).format_arn(
            service="route53", region="", account="", resource="hostedzone", resource_name=self._hosted_zone_id
        )
        # Another name gets another logical id: function, role and record of the old name go together, in order.
        InlineResource(
            self,
            f"First {dns.zone_id or dns.zone} {dns.record}",
            resource_type="Custom::ServiceRecord",
            properties={
                "HostedZoneId": self._hosted_zone_id,
                "RecordName": dns.record,
                "TtlSeconds": str(dns.ttl_s),
                "Addresses": [zone.address for zone in network.zones],
            },
            statements=self.statements(),
        )

    def settings(self) -> Route53Settings:
        return Route53Settings(
            hosted_zone_id=self._hosted_zone_id, name=self._section.record, ttl_s=self._section.ttl_s
        )

    def outputs(self) -> dict[str, str]:
        return {"RecordName": self._section.record, "HostedZoneId": self._hosted_zone_id}

    def statements(self) -> list[iam.PolicyStatement]:
        """What it takes to read the zone and to create and delete this one A record.

        Names in the condition are normalized: lower case, no trailing dot (Route 53 developer guide, "Using IAM policy
        conditions for fine-grained access control").
        """
        return [
            iam.PolicyStatement(actions=["route53:ListResourceRecordSets"], resources=[self._hosted_zone_arn]),
            iam.PolicyStatement(
                actions=["route53:ChangeResourceRecordSets"],
                resources=[self._hosted_zone_arn],
                conditions={
                    "ForAllValues:StringEquals": {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [self._section.record],
                        "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
                        "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
                    }
                },
            ),
        ]

    def _new_zone(self, dns: Dns, region: str, network: Network) -> str:
        vpcs = [route53.CfnHostedZone.VPCProperty(vpc_id=network.vpc_id, vpc_region=region)] if dns.private else None
        return route53.CfnHostedZone(self, "Zone", name=dns.zone, vpcs=vpcs).ref
