"""CloudFormation's Route 53 resource types.

For: `resource_types`. Guarantees: a zone with VPCs is private; a record is created, changed and deleted with the
template's values, so that deletion fails as on AWS once the agent has changed the record. Does not: model health
checks. Source: CloudFormation resource reference AWS::Route53::*; Route 53 API reference ChangeResourceRecordSets
(DELETE "must specify all the same values").
"""

from __future__ import annotations

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    Properties,
    ResourceType,
    StackContext,
    refuse_changes,
    tag_map,
)
from lab.aws.route53.changes import submit_changes


class HostedZoneType:
    """AWS::Route53::HostedZone: moto's are always public."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Private when it has VPCs."""
        cloud, vpcs = context.cloud, properties.get("VPCs") or []
        with cloud.call():
            name = properties["Name"].rstrip(".") + "."
            zone = cloud.backend("route53").create_hosted_zone(
                name, bool(vpcs), caller_reference=f"{context.stack_id}/{logical_id}"
            )
            for vpc in vpcs:
                zone.add_vpc(vpc["VPCId"], vpc.get("VPCRegion", cloud.region))
        deployed = Deployed(logical_id, type_name, zone.resource_id, record=zone)
        deployed.attributes = {"Id": lambda: zone.resource_id, "NameServers": lambda: zone.delegation_set.name_servers}
        self._write_tags(context, deployed, properties, [])
        return deployed

    def _write_tags(self, context: StackContext, deployed: Deployed, properties: Properties, gone: list[str]) -> None:
        tags = [{"Key": key, "Value": value} for key, value in tag_map(properties.get("HostedZoneTags")).items()]
        context.cloud.backend("route53").change_tags_for_resource(
            "hostedzone", deployed.physical_resource_id, tags, gone
        )

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Tags only."""
        refuse_changes(deployed, changed, ("HostedZoneTags",))
        gone = set(tag_map(deployed.properties.get("HostedZoneTags"))) - set(tag_map(new.get("HostedZoneTags")))
        self._write_tags(context, deployed, new, sorted(gone))

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Refused while it has records (HostedZoneNotEmpty)."""
        with context.cloud.call():
            context.cloud.backend("route53").delete_hosted_zone(deployed.physical_resource_id)


class RecordSetType:
    """AWS::Route53::RecordSet: CREATE, UPSERT and DELETE with the template's values, as CloudFormation sends them."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Fails when the record exists."""
        self._submit(context, "CREATE", properties)
        return Deployed(logical_id, type_name, properties["Name"].rstrip("."))

    def _submit(self, context: StackContext, action: str, properties: Properties) -> None:
        with context.cloud.call():
            submit_changes(
                context.cloud, properties["HostedZoneId"], [{"Action": action, "ResourceRecordSet": properties}]
            )

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Overwrites what is there."""
        refuse_changes(deployed, changed, ("TTL", "ResourceRecords"))
        self._submit(context, "UPSERT", new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Fails when somebody has changed the value."""
        self._submit(context, "DELETE", deployed.properties)


NAME_TYPES: dict[str, ResourceType] = {
    "AWS::Route53::HostedZone": HostedZoneType(),
    "AWS::Route53::RecordSet": RecordSetType(),
}
