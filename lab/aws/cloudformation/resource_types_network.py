"""CloudFormation's network resource types.

For: `resource_types`. Guarantees: everything that is created can be deleted; an interface has its groups, address and
tags. Does not: model NAT gateways, peering or network ACLs. Source: CloudFormation resource reference AWS::EC2::*.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceType,
    StackContext,
)

_MOTO = "moto.ec2.models"


class NetworkInterfaceType(MotoType):
    """AWS::EC2::NetworkInterface: moto ignores GroupSet, the fixed address' reservation and GetAtt Id."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With its security groups, address and tags."""
        ec2 = context.cloud.backend("ec2")
        with context.cloud.call():
            eni = ec2.create_network_interface(
                ec2.get_subnet(properties["SubnetId"]),
                properties.get("PrivateIpAddress"),
                group_ids=properties.get("GroupSet") or [],
                description=properties.get("Description"),
            )
            deployed = Deployed(logical_id, type_name, eni.id, record=eni)
            deployed.attributes = {
                "Id": lambda: eni.id,
                "PrimaryPrivateIpAddress": lambda: eni.private_ip_address,
                "VpcId": lambda: eni.subnet.vpc_id,
            }
            self._write_tags(context, deployed, properties)
        return deployed

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Refused while in use."""
        context.cloud.backend("ec2").delete_network_interface(deployed.physical_resource_id)


class VpcType(MotoType):
    """AWS::EC2::VPC: moto ignores the DNS attributes, without which no private zone answers in it."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With its DNS attributes."""
        deployed = super().create(context, logical_id, type_name, properties)
        for name, attribute in _VPC_ATTRIBUTES.items():
            if name in properties:
                context.cloud.backend("ec2").modify_vpc_attribute(
                    deployed.physical_resource_id, attribute, properties[name]
                )
        return deployed


class SubnetType(MotoType):
    """AWS::EC2::Subnet: moto ignores MapPublicIpOnLaunch."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With MapPublicIpOnLaunch."""
        deployed = super().create(context, logical_id, type_name, properties)
        is_public = str(properties.get("MapPublicIpOnLaunch", False)).lower()
        context.cloud.backend("ec2").modify_subnet_attribute(
            deployed.physical_resource_id, "map_public_ip_on_launch", is_public
        )
        return deployed


_VPC_ATTRIBUTES = {"EnableDnsSupport": "enable_dns_support", "EnableDnsHostnames": "enable_dns_hostnames"}


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
    ec2 = context.cloud.backend("ec2")
    is_egress = direction in _EGRESS
    authorize = ec2.authorize_security_group_egress if is_egress else ec2.authorize_security_group_ingress
    for rule in rules:
        other = rule.get("DestinationSecurityGroupId" if is_egress else "SourceSecurityGroupId")
        cidrs = [{key: rule[key]} for key in ("CidrIp", "CidrIpv6") if key in rule]
        if not other and not cidrs:
            raise NotModelled(f"the lab models security group rules for addresses and groups only: {rule}")
        authorize(
            deployed.physical_resource_id,
            str(rule["IpProtocol"]),
            rule.get("FromPort"),
            rule.get("ToPort"),
            cidrs,
            source_groups=[{"GroupId": other}] if other else [],
            vpc_id=deployed.record.vpc_id,
        )


def _call(method: str) -> Callable[[StackContext, Deployed], None]:
    """Remove by the method of moto's EC2 that takes the physical id."""
    return lambda context, deployed: getattr(context.cloud.backend("ec2"), method)(deployed.physical_resource_id)


_DELETE_TABLE = _call("delete_route_table")


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


def _remove_endpoint(context: StackContext, deployed: Deployed) -> None:
    context.cloud.backend("ec2").delete_vpc_endpoints([deployed.physical_resource_id])


def _remove_with_its_group(context: StackContext, deployed: Deployed) -> None:
    """The rule goes with its security group, which the same stack deletes."""


NETWORK_TYPES: dict[str, ResourceType] = {
    "AWS::EC2::VPC": VpcType(f"{_MOTO}.vpcs:VPC", ec2_tags=True),
    "AWS::EC2::Subnet": SubnetType(f"{_MOTO}.subnets:Subnet", ec2_tags=True),
    "AWS::EC2::RouteTable": MotoType(f"{_MOTO}.route_tables:RouteTable", ec2_tags=True, remove=_DELETE_TABLE),
    "AWS::EC2::Route": MotoType(f"{_MOTO}.route_tables:Route", remove=_remove_route),
    "AWS::EC2::SubnetRouteTableAssociation": MotoType(
        f"{_MOTO}.subnets:SubnetRouteTableAssociation", remove=_remove_association
    ),
    "AWS::EC2::InternetGateway": MotoType(
        f"{_MOTO}.internet_gateways:InternetGateway", ec2_tags=True, remove=_call("delete_internet_gateway")
    ),
    "AWS::EC2::VPCGatewayAttachment": MotoType(
        f"{_MOTO}.vpn_gateway:VPCGatewayAttachment", remove=_remove_gateway_attachment
    ),
    "AWS::EC2::VPCEndpoint": MotoType(f"{_MOTO}.vpcs:VPCEndPoint", ec2_tags=True, remove=_remove_endpoint),
    "AWS::EC2::SecurityGroup": SecurityGroupType(f"{_MOTO}.security_groups:SecurityGroup", ec2_tags=True),
    "AWS::EC2::SecurityGroupIngress": MotoType(
        f"{_MOTO}.security_groups:SecurityGroupIngress", remove=_remove_with_its_group
    ),
    "AWS::EC2::NetworkInterface": NetworkInterfaceType(
        f"{_MOTO}.elastic_network_interfaces:NetworkInterface", ec2_tags=True
    ),
}
