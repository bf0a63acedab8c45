"""CloudFormation's network and DNS resource types: EC2's networks and Route 53.

For: `resource_types`. Guarantees: everything that is created can be deleted; an interface has its groups, address and
tags; a zone with VPCs is private; a record is created, changed and deleted with the template's values, so that deletion
fails as on AWS once the agent has changed the record. Does not: model NAT gateways, peering, network ACLs or health
checks. Sources: CloudFormation resource reference AWS::EC2::*, AWS::Route53::*; Route 53 API reference
ChangeResourceRecordSets (DELETE "must specify all the same values").
"""

import uuid
from typing import Any

from botocore import xform_name

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceType,
    StackContext,
    WrittenType,
    refuse_unmodelled,
    removed_by,
    tag_map,
)
from lab.aws.cloudformation.stack_tags import EC2_TAGS
from lab.aws.route53.changes import submit_changes
from lab.aws.route53.modelled import RECORD_SET

_MOTO = "moto.ec2.models"


def _make_network_interface(context: StackContext, _name: str, properties: Properties) -> Any:
    """moto's class ignores GroupSet and the fixed address' reservation."""
    ec2 = context.cloud.backend("ec2")
    return ec2.create_network_interface(
        ec2.get_subnet(properties["SubnetId"]),
        properties.get("PrivateIpAddress"),
        group_ids=properties.get("GroupSet") or [],
        description=properties.get("Description"),
    )


def _set_vpc_attributes(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """moto ignores the DNS attributes, without which no private zone answers in a VPC."""
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        if name in properties:
            context.cloud.backend("ec2").modify_vpc_attribute(
                deployed.physical_resource_id, xform_name(name), properties[name]
            )


def _set_public(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """moto ignores MapPublicIpOnLaunch."""
    is_public = str(properties.get("MapPublicIpOnLaunch", False)).lower()
    context.cloud.backend("ec2").modify_subnet_attribute(
        deployed.physical_resource_id, "map_public_ip_on_launch", is_public
    )


class SecurityGroupType(MotoType):
    """AWS::EC2::SecurityGroup: moto ignores SecurityGroupEgress, and replaces where AWS changes rules in place."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """A group has only the egress rules it names; if it names none, all egress is allowed."""
        rules = {"SecurityGroupIngress": properties.get("SecurityGroupIngress", [])}
        bare = {key: value for key, value in properties.items() if key not in ("SecurityGroupIngress", *_EGRESS)}
        deployed = super().create(context, logical_id, type_name, bare)
        with context.cloud.call():
            if properties.get("SecurityGroupEgress"):
                deployed.record.egress_rules.clear()
                rules |= {"SecurityGroupEgress": properties["SecurityGroupEgress"]}
            for direction, wanted in rules.items():
                _authorize(context, deployed, direction, wanted)
        return deployed

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Rules and tags change in place."""
        rules = [name for name in changed if name in ("SecurityGroupIngress", *_EGRESS)]
        with context.cloud.call():
            for direction in rules:
                record = deployed.record
                (record.egress_rules if direction in _EGRESS else record.ingress_rules).clear()
                _authorize(context, deployed, direction, new.get(direction) or _DEFAULT_RULES[direction])
        super().update(context, deployed, new, [name for name in changed if name not in rules])


_EGRESS = ("SecurityGroupEgress",)
_DEFAULT_RULES: dict[str, list[Properties]] = {
    "SecurityGroupIngress": [],
    "SecurityGroupEgress": [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}],
}


def _authorize(context: StackContext, deployed: Deployed, direction: str, rules: list[Properties]) -> None:
    is_egress = direction in _EGRESS
    _each_rule(
        context,
        f"authorize_security_group_{'egress' if is_egress else 'ingress'}",
        deployed.physical_resource_id,
        rules,
    )


def _put_ingress(context: StackContext, _deployed: Deployed, properties: Properties) -> None:
    """moto's own class has no id, so a stack with one could not be listed."""
    properties.get("Description")
    _each_rule(context, "authorize_security_group_ingress", properties["GroupId"], [properties])


def _remove_ingress(context: StackContext, deployed: Deployed) -> None:
    """A rule of its own goes before the group that it names, which could not be deleted otherwise."""
    properties = deployed.properties
    _each_rule(context, "revoke_security_group_ingress", properties["GroupId"], [properties])


def _each_rule(context: StackContext, method: str, group_id: str, rules: list[Properties]) -> None:
    ec2, is_egress = context.cloud.backend("ec2"), method.endswith("egress")
    for rule in rules:
        other = rule.get("DestinationSecurityGroupId" if is_egress else "SourceSecurityGroupId")
        cidrs = [{key: rule[key]} for key in ("CidrIp", "CidrIpv6") if key in rule]
        if not other and not cidrs:
            raise NotModelled(f"the lab models security group rules for addresses and groups only: {rule}")
        getattr(ec2, method)(
            group_id,
            str(rule["IpProtocol"]),
            rule.get("FromPort"),
            rule.get("ToPort"),
            cidrs,
            source_groups=[{"GroupId": other}] if other else [],
            vpc_id=ec2.get_security_group_from_id(group_id).vpc_id,
        )


def _remove_route(context: StackContext, deployed: Deployed) -> None:
    properties = deployed.properties
    context.cloud.backend("ec2").delete_route(properties["RouteTableId"], properties["DestinationCidrBlock"])


def _remove_association(context: StackContext, deployed: Deployed) -> None:
    ec2, properties = context.cloud.backend("ec2"), deployed.properties
    table = ec2.get_route_table(properties["RouteTableId"])
    for association_id, subnet_id in list(table._associations.items()):
        if subnet_id == properties["SubnetId"]:
            ec2.disassociate_route_table(association_id)


def _remove_gateway_attachment(context: StackContext, deployed: Deployed) -> None:
    properties = deployed.properties
    context.cloud.backend("ec2").detach_internet_gateway(properties["InternetGatewayId"], properties["VpcId"])


def _put_zone(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """Private when it has VPCs; moto's own class makes every zone public."""
    route53 = context.cloud.backend("route53")
    if deployed.record is None:
        name, vpcs = properties["Name"].rstrip(".") + ".", properties.get("VPCs") or []
        reference = f"{context.stack_id}/{deployed.logical_resource_id}/{uuid.uuid4()}"  # a replacement is another one
        zone = route53.create_hosted_zone(name, bool(vpcs), caller_reference=reference)
        for vpc in vpcs:
            zone.add_vpc(vpc["VPCId"], vpc.get("VPCRegion", context.cloud.region))
        deployed.record, deployed.physical_resource_id = zone, zone.resource_id
        deployed.attributes = {"Id": lambda: zone.resource_id, "NameServers": lambda: zone.delegation_set.name_servers}
    tags = tag_map(properties.get("HostedZoneTags"))
    gone = sorted(set(tag_map(deployed.properties.get("HostedZoneTags"))) - set(tags))
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    route53.change_tags_for_resource("hostedzone", deployed.physical_resource_id, listed, gone)


def _put_record(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """A new one, which has no properties yet, fails when the record exists; a changed one overwrites what is there."""
    _submit(context, "UPSERT" if deployed.properties else "CREATE", properties)
    deployed.physical_resource_id = properties["Name"].rstrip(".")


def _remove_record(context: StackContext, deployed: Deployed) -> None:
    """Fails when somebody has changed the value."""
    _submit(context, "DELETE", deployed.properties)


def _submit(context: StackContext, action: str, properties: Properties) -> None:
    own = {name: value for name, value in properties.items() if name != "HostedZoneId"}
    refuse_unmodelled("AWS::Route53::RecordSet", RECORD_SET, own)
    submit_changes(context.cloud, properties["HostedZoneId"], [{"Action": action, "ResourceRecordSet": properties}])


NETWORK_TYPES: dict[str, ResourceType] = {
    "AWS::EC2::VPC": MotoType(f"{_MOTO}.vpcs:VPC", tags=EC2_TAGS, complete=_set_vpc_attributes),
    "AWS::EC2::Subnet": MotoType(f"{_MOTO}.subnets:Subnet", tags=EC2_TAGS, complete=_set_public),
    "AWS::EC2::RouteTable": MotoType(
        f"{_MOTO}.route_tables:RouteTable", tags=EC2_TAGS, remove=removed_by("ec2", "delete_route_table")
    ),
    "AWS::EC2::Route": MotoType(f"{_MOTO}.route_tables:Route", remove=_remove_route),
    "AWS::EC2::SubnetRouteTableAssociation": MotoType(
        f"{_MOTO}.subnets:SubnetRouteTableAssociation", remove=_remove_association
    ),
    "AWS::EC2::InternetGateway": MotoType(
        f"{_MOTO}.internet_gateways:InternetGateway", tags=EC2_TAGS, remove=removed_by("ec2", "delete_internet_gateway")
    ),
    "AWS::EC2::VPCGatewayAttachment": MotoType(
        f"{_MOTO}.vpn_gateway:VPCGatewayAttachment", remove=_remove_gateway_attachment
    ),
    "AWS::EC2::VPCEndpoint": MotoType(
        f"{_MOTO}.vpcs:VPCEndPoint", tags=EC2_TAGS, remove=removed_by("ec2", "delete_vpc_endpoints", listed=True)
    ),
    "AWS::EC2::SecurityGroup": SecurityGroupType(f"{_MOTO}.security_groups:SecurityGroup", tags=EC2_TAGS),
    "AWS::EC2::SecurityGroupIngress": WrittenType(_put_ingress, _remove_ingress, ()),
    "AWS::EC2::NetworkInterface": MotoType(
        f"{_MOTO}.elastic_network_interfaces:NetworkInterface",
        tags=EC2_TAGS,
        make=_make_network_interface,
        attributes={"Id": "id", "PrimaryPrivateIpAddress": "private_ip_address", "VpcId": "subnet.vpc_id"},
        remove=removed_by("ec2", "delete_network_interface"),
    ),
    "AWS::Route53::HostedZone": WrittenType(  # its removal is refused while it has records (HostedZoneNotEmpty)
        _put_zone, removed_by("route53", "delete_hosted_zone"), ("HostedZoneTags",)
    ),
    "AWS::Route53::RecordSet": WrittenType(_put_record, _remove_record, ("TTL", "ResourceRecords")),
}
