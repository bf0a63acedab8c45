"""What the instance is told: its boot document as user data, and the site, both still with CloudFormation's references.

Guarantees: once CloudFormation has resolved them, bootstrap.base.document.parse_user_data and bootstrap.base.site read
them back (a test does so).
"""

from __future__ import annotations

import aws_cdk as cdk

from bootstrap.base import document as boot
from bootstrap.base.codec import to_tree
from bootstrap.base.names import LAUNCH_HOOK, TERMINATE_HOOK
from bootstrap.base.receivers import WebhookSettings
from bootstrap.base.site import Site
from services.spec import ServiceFile
from services.workload import Workload
from stacks.connection.contract import Connection
from stacks.network_interfaces import NetworkInterfaces
from stacks.storage.contract import Storage


def boot_document(
    *,
    service: ServiceFile,
    interfaces: NetworkInterfaces,
    storage: Storage,
    connection: Connection,
    state_parameter: str,
    topic_arn: str,
) -> boot.BootDocument:
    """Its ids may be tokens."""
    return boot.BootDocument(
        version=boot.DOCUMENT_VERSION,
        stack=service.stack_name,
        region=service.region,
        service=_workload(service.name, service.service),
        group=boot.Group(
            name=service.stack_name,
            launch_hook=LAUNCH_HOOK,
            launch_hook_timeout_s=service.lifecycle_hooks.boot_heartbeat_s,
            terminate_hook=TERMINATE_HOOK,
        ),
        zones=tuple(
            boot.Zone(
                name=zone.zone,
                network_interface_id=zone.id,
                address=zone.address,
                subnet_cidr=zone.subnet_cidr,
            )
            for zone in interfaces.zones
        ),
        connection=connection.settings(),
        file_system=storage.settings(),
        lease=boot.LeaseTerms(fence=service.lease.fence, timing=service.lease.timing()),
        deadlines=boot.Deadlines(**service.deadlines.model_dump() | {"boot_s": service.boot_s}),
        state_parameter=state_parameter,
        topic_arn=topic_arn,
        webhooks=tuple(WebhookSettings(**each.settings()) for each in service.webhooks),
        notices=service.notices.settings(),
        state_server=service.state_server.settings(),
        heartbeat_s=service.watchdog.settings().heartbeat_s,
        copies_log=service.logs.cloudwatch,
    )


def boot_user_data(stack: cdk.Stack, document: boot.BootDocument) -> str:
    """Base64 user data (a token) for the launch template."""
    return cdk.Fn.base64(boot.render_user_data(stack.to_json_string(to_tree(document))))


def site_text(stack: cdk.Stack, document: boot.BootDocument, storage: Storage) -> str:
    """The value (a token) of the parameter that a boot reads."""
    site = Site(group=document.group, zones=document.zones, connection=document.connection, file_system=storage.site())
    return stack.to_json_string(to_tree(site))


def _workload(name: str, workload: Workload) -> boot.Service:
    health = workload.health
    return boot.Service(
        name=name,
        units=workload.units,
        start_timeout_s=workload.start_timeout_s,
        stop_timeout_s=workload.stop_timeout_s,
        may_use_instance_role=workload.may_use_instance_role,
        health=boot.Health(
            checks=health.checks,
            start_allowance_s=health.start_allowance_s,
            interval_s=health.interval_s,
            unhealthy_after=health.unhealthy_after,
            healthy_after=health.healthy_after,
        ),
        hooks=boot.Hooks(**workload.hooks.model_dump()),
    )
