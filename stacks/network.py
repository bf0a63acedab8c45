"""VPC, subnets and the instance's security group: new ones over the service's zones, or existing ones by id.

Guarantees: two subnets per zone, one for the instance and one for the service's network interface; the instance can
reach the AWS API and nothing can reach the instance. Does not: route between VPCs or look anything up.
Why public subnets for a new VPC: see services.network. The public address is given at launch and stays for the life of
the instance, although a second network interface is attached later (EC2 user guide, elastic network interfaces).
"""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IDependable

from services.spec import ServiceFile


@dataclass(frozen=True, kw_only=True)
class ZoneSubnets:
    """One zone of the network. Ids may be CDK tokens."""

    zone: str
    letter: str
    instance_subnet_id: str
    service_subnet_id: str
    address: str  # of the zone's network interface
    service_subnet_cidr: str


class Network(Construct):
    """`vpc_id`, `zones` in the order of the service file, `instance_security_group_id`.

    `routes` are the resources without which an instance reaches nothing; empty for an existing VPC. `outputs` is what
    others need to connect theirs: peering, endpoints, routes, firewall rules.
    """

    def __init__(self, scope: Construct, construct_id: str, *, service: ServiceFile) -> None:
        super().__init__(scope, construct_id)
        plans = service.zone_plans()
        made: dict[str, tuple[str, str]] = {}
        self.routes: list[IDependable] = []
        self.outputs: dict[str, str] = {}
        if service.existing_vpc is None:
            self.vpc_id = self._new_vpc(service)
            routes = self._route_tables()
            self.outputs |= {"InstanceRouteTableId": routes[0], "ServiceRouteTableId": routes[1]}
            for plan in plans:
                made[plan.name] = (
                    self._subnet(
                        f"Instance{plan.letter}", plan.name, str(plan.instance_subnet_cidr), routes[0], public=True
                    ),
                    self._subnet(f"Service{plan.letter}", plan.name, plan.service_subnet_cidr, routes[1], public=False),
                )
        else:
            self.vpc_id = service.existing_vpc.id
        self.zones = tuple(
            ZoneSubnets(
                zone=plan.name,
                letter=plan.letter,
                instance_subnet_id=plan.instance_subnet_id or made[plan.name][0],
                service_subnet_id=plan.service_subnet_id or made[plan.name][1],
                address=plan.address,
                service_subnet_cidr=plan.service_subnet_cidr,
            )
            for plan in plans
        )
        self.instance_security_group_id = ec2.CfnSecurityGroup(
            self,
            "InstanceSecurityGroup",
            vpc_id=self.vpc_id,
            group_description=f"{service.stack_name}: the instance itself; nothing may connect to it",
        ).attr_group_id
        self.outputs |= {
            "VpcId": self.vpc_id,
            "InstanceSubnetIds": ",".join(zone.instance_subnet_id for zone in self.zones),
            "ServiceSubnetIds": ",".join(zone.service_subnet_id for zone in self.zones),
            "InstanceSecurityGroupId": self.instance_security_group_id,
        }

    def _new_vpc(self, service: ServiceFile) -> str:
        # Private hosted zones and the file system's name both need DNS support and DNS host names.
        vpc = ec2.CfnVPC(self, "Vpc", cidr_block=service.vpc_cidr, enable_dns_support=True, enable_dns_hostnames=True)
        cdk.Tags.of(vpc).add("Name", service.stack_name)
        cdk.Validations.of(vpc).acknowledge(
            cdk.Acknowledgment(
                id="AwsSolutions-VPC7",
                reason="Flow logs cost more than the service; switch them on per account if required.",
            )
        )
        return vpc.ref

    def _route_tables(self) -> tuple[str, str]:
        """A table with a route to the internet for the instance subnets, and one without it for the service subnets."""
        gateway = ec2.CfnInternetGateway(self, "InternetGateway")
        attachment = ec2.CfnVPCGatewayAttachment(
            self, "InternetGatewayAttachment", vpc_id=self.vpc_id, internet_gateway_id=gateway.ref
        )
        instances = ec2.CfnRouteTable(self, "InstanceRoutes", vpc_id=self.vpc_id)
        route = ec2.CfnRoute(
            self,
            "InstanceDefaultRoute",
            route_table_id=instances.ref,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.ref,
        )
        self.routes.append(route)
        route.add_resource_dependency(attachment)
        return instances.ref, ec2.CfnRouteTable(self, "ServiceRoutes", vpc_id=self.vpc_id).ref

    def _subnet(self, name: str, zone: str, cidr: str, route_table_id: str, *, public: bool) -> str:
        subnet = ec2.CfnSubnet(
            self,
            f"{name}Subnet",
            vpc_id=self.vpc_id,
            availability_zone=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=public,
        )
        cdk.Validations.of(subnet).acknowledge(
            cdk.Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="The service file names the zones: a fixed address belongs to one zone for ever.",
            )
        )
        association = ec2.CfnSubnetRouteTableAssociation(
            self, f"{name}Association", subnet_id=subnet.ref, route_table_id=route_table_id
        )
        if public:
            self.routes.append(association)
        return subnet.ref
