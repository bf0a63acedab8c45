"""Rules of the control plane, each with a way to break it and the row that must turn red then.

Two kinds: a patch taken out again, so that moto does what it does by itself - every patch outside CloudFormation is
here, or in NO_ROW with the reason - and single decisions of the lab's own turned the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ENI = "moto.ec2.models.elastic_network_interfaces:NetworkInterface"
_INSTANCE = "moto.ec2.models.instances:Instance"
_TEMPLATES = "moto.ec2.models.launch_templates:LaunchTemplate"
_TEMPLATE_API = "moto.ec2.responses.launch_templates:LaunchTemplates"
_GROUP_API = "moto.autoscaling.responses:AutoScalingResponse"
_GROUPS = "moto.autoscaling.models:"
_ROUTE53 = "moto.route53.responses:Route53"
_EFS = "moto.efs.responses:EFSResponse"


@dataclass(frozen=True)
class Broken:
    """`target` (module:path) is replaced by `instead`, or by what moto alone does; `row` must fail."""

    row: str
    target: str
    instead: Any = None

    @property
    def name(self) -> str:
        """For the test's id."""
        return self.target.rpartition(".")[2].rpartition(":")[2]


def _always(*, answers: Any) -> Callable[..., Any]:
    return lambda *_args, **_kwargs: answers


PATCHES_OUT = [
    Broken("attach-in-use", f"{_ENI}Backend.attach_network_interface"),
    Broken("attach-other-zone", f"{_ENI}Backend.attach_network_interface"),
    Broken("attach-limit", f"{_ENI}Backend.attach_network_interface"),
    Broken("attach-takes-time", f"{_ENI}.attachment"),
    Broken("detach-takes-time", f"{_ENI}Backend.detach_network_interface"),
    Broken("detach-primary", f"{_INSTANCE}.attach_eni"),
    Broken("interface-address-in-use", f"{_ENI}Backend.create_network_interface"),
    Broken("interface-delete-in-use", f"{_ENI}Backend.delete_network_interface"),
    Broken("interface-filters", f"{_ENI}.get_filter_value"),
    Broken(
        "interface-delete-on-termination",
        "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces.modify_network_interface_attribute",
    ),
    Broken("run-unknown-image", f"{_INSTANCE}Backend.run_instances"),
    Broken("run-unknown-profile", "moto.ec2.responses.instances:filter_iam_instance_profiles"),
    Broken("run-status-impaired", f"{_INSTANCE}.instance_status"),
    Broken("run-stop-start", f"{_INSTANCE}.stop"),
    Broken("run-stop-start", f"{_INSTANCE}.start"),
    Broken("terminate-skip-shutdown", "moto.ec2.responses.instances:InstanceResponse.terminate_instances"),
    Broken("terminate-is-still-described", f"{_INSTANCE}.private_ip_address"),
    Broken("terminate-is-still-described", f"{_INSTANCE}.public_ip"),
    Broken("terminate-is-still-described", f"{_INSTANCE}.public_ip_address"),
    Broken("template-source-version", f"{_TEMPLATE_API}.create_launch_template_version"),
    Broken("template-user-data", f"{_TEMPLATES}.create_version"),
    Broken("template-unknown-version", f"{_TEMPLATES}.get_version"),
    Broken("group-maintenance-policy-bounds", f"{_GROUP_API}.update_auto_scaling_group"),
    Broken("group-launches-with-time", f"{_GROUP_API}.create_auto_scaling_group"),
    Broken("group-launches-with-time", f"{_GROUPS}FakeAutoScalingGroup.set_desired_capacity"),
    Broken("group-overlap", f"{_GROUPS}FakeAutoScalingGroup.instances"),
    Broken("group-delete-needs-force", f"{_GROUP_API}.delete_auto_scaling_group"),
    Broken("group-grace-impaired", f"{_GROUP_API}.describe_auto_scaling_instances"),
    Broken("group-grace-period", f"{_GROUP_API}.set_instance_health"),
    Broken("group-maximum", f"{_GROUP_API}.set_desired_capacity"),
    Broken("group-activities", f"{_GROUP_API}.describe_scaling_activities"),
    Broken("group-terminate-minimum", f"{_GROUP_API}.terminate_instance_in_auto_scaling_group"),
    Broken("group-standby-replaced", f"{_GROUP_API}.enter_standby"),
    Broken("group-standby-and-back", f"{_GROUP_API}.exit_standby"),
    Broken("group-suspended-names", f"{_GROUPS}AutoScalingBackend.suspend_processes"),
    Broken("group-launch-first-account", f"{_GROUP_API}.put_account_setting"),
    Broken("group-launch-first-account", f"{_GROUP_API}.describe_account_settings"),
    Broken("hook-bounds", f"{_GROUP_API}.put_lifecycle_hook"),
    Broken("hook-bounds", f"{_GROUP_API}.describe_lifecycle_hooks"),
    Broken("hook-unknown", f"{_GROUP_API}.delete_lifecycle_hook"),
    Broken("hook-launch", f"{_GROUP_API}.complete_lifecycle_action"),
    Broken("hook-heartbeat", f"{_GROUP_API}.record_lifecycle_action_heartbeat"),
    Broken("record-batch-atomic", "moto.route53.models:Route53Backend.change_resource_record_sets"),
    Broken("record-prior-request", f"{_ROUTE53}.change_resource_record_sets"),
    Broken("record-unknown-change", f"{_ROUTE53}.get_change"),
    Broken("record-zone-is-read-back", "moto.route53.models:Route53Backend.create_hosted_zone"),
    Broken("efs-creating", f"{_EFS}.create_file_system"),
    Broken("efs-creating", f"{_EFS}.create_mount_target"),
    Broken("efs-access-point-unknown-file-system", f"{_EFS}.create_access_point"),
    Broken("identity-instance-role", "moto.sts.models:STSBackend.get_caller_identity"),
]

DECISIONS_TURNED = [
    Broken("attach-holder-shutting-down", "lab.cloud.instances:release_all", _always(answers=None)),
    Broken("group-grace-impaired", "lab.cloud.group_decisions:_in_grace", _always(answers=False)),
    Broken("group-grace-stopped", "lab.cloud.group_decisions:_GONE_STATES", ()),
    Broken("group-launch-first-policy", "lab.cloud.group_records:Group.launches_first", _always(answers=False)),
    Broken("group-terminate-first-policy", "lab.cloud.group_records:Group.launches_first", _always(answers=True)),
    Broken("group-launch-first-account", "lab.cloud.group_records:Group.launches_first", _always(answers=False)),
    Broken("group-launch-first-policy", "lab.cloud.group_decisions:_has_successor", _always(answers=True)),
    Broken("group-zone-emptiest", "lab.cloud.group_launch:_instances_per_zone", _always(answers={})),
    Broken("group-capacity", "lab.cloud.group_launch:_ZONAL_FAILURES", ()),
    Broken("group-standby-minimum", "lab.cloud.group_members_api:_resize", _always(answers=None)),
    Broken("hook-global-timeout", "lab.cloud.lifecycle_hooks:_GLOBAL_HEARTBEATS", 10_000),
    Broken("hook-launch-times-out", "lab.cloud.group_decisions:_results", _always(answers=[""])),
    Broken("hook-heartbeat", "lab.cloud.group_members_api:beat", _always(answers=None)),
    Broken("record-throttled", "lab.cloud.limits:Limits.refuses", _always(answers=False)),
    Broken("record-delete-differing", "lab.cloud.record_rules:_same_values", _always(answers=True)),
    Broken("record-cname-clash", "lab.cloud.record_rules:_clash", _always(answers="")),
    Broken("record-duplicate-value", "lab.cloud.record_rules:_bad_value", _always(answers="")),
    Broken("metadata-token-required", "lab.metadata:MetadataService._is_valid", _always(answers=True)),
    Broken("metadata-lags-behind-attach", "lab.metadata:MetadataService._is_known", _always(answers=True)),
]

BROKEN_RULES = PATCHES_OUT + DECISIONS_TURNED

NO_ROW = {
    f"{_INSTANCE}.private_ip": "read by the lab's own queries, not by the API",
    f"{_INSTANCE}.private_dns_name": "read by the lab's own queries, not by the API",
    f"{_INSTANCE}.terminate": "moto's own callers only; TerminateInstances has its own patch",
    f"{_GROUPS}AutoScalingBackend.notify_terminate_instances": "moto's own TerminateInstances only, which is patched",
    f"{_GROUP_API}.describe_notification_configurations": "set by stacks only; tests/contract/test_real_template.py",
    "moto.core.botocore_stubber:BotocoreStubber.process_request": "in process; tests/unit/lab/cloud/test_call_log.py",
    "moto.core.botocore_stubber:BotocoreStubber.__call__": "in process; tests/unit/lab/cloud/test_faults_in_process.py",
}
