"""Rules of the control plane, each with a way to break it and the row that must turn red then.

Two kinds: a patch taken out again, so that moto does what it does by itself - every patch outside CloudFormation is
here, or in NO_ROW with the reason - and answers and single decisions of the lab's own turned the other way round. A row
must turn red because the lab has become lenient: where moto or the lab breaks down (LabFailure), that does not count.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from moto.core.responses import EmptyResult

from lab.aws.core import patches
from lab.aws.route53.changes import submit_changes
from lab.aws.route53.state import Bucket

_ENI = "moto.ec2.models.elastic_network_interfaces:NetworkInterface"
_INSTANCE = "moto.ec2.models.instances:Instance"
_TEMPLATES = "moto.ec2.models.launch_templates:LaunchTemplate"
_TEMPLATE_API = "moto.ec2.responses.launch_templates:LaunchTemplates"
_GROUP_API = "moto.autoscaling.responses:AutoScalingResponse"
_GROUPS = "moto.autoscaling.models:"
_IMAGES = "moto.ec2.responses.amis:AmisResponse"
_ROUTE53 = "moto.route53.responses:Route53"
_EFS = "moto.efs.responses:EFSResponse"
_REFUSE_ATTACHMENT = "lab.aws.ec2.network_interfaces:refuse_attachment"
_OWN_GROUPS = "lab.aws.autoscaling."
_LAUNCHES_FIRST = f"{_OWN_GROUPS}group_records:Group.launches_first"


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


def _accepts_and_drops(_response: Any) -> Any:
    return EmptyResult()


def _finds_nothing_by_attachment(eni: Any, name: str, method: str | None = None) -> Any:
    if name.startswith("attachment."):
        return None
    return patches.original(f"{_ENI}.get_filter_value")(eni, name, method)


def _submits_one_by_one(cloud: Any, zone_id: str, changes: list[dict[str, Any]]) -> Any:
    return [submit_changes(cloud, zone_id, [change]) for change in changes][-1]


def _keeps_all(data: Any, *_args: Any) -> Any:
    return data


def _fills_up(bucket: Bucket, now: float) -> None:
    """All tokens come back after any while, whatever the rate."""
    if now > bucket.at:
        bucket.tokens, bucket.at = bucket.size, now


PATCHES_OUT = [
    Broken("attach-takes-time", f"{_ENI}.attachment"),
    Broken("detach-takes-time", f"{_ENI}Backend.detach_network_interface"),
    Broken("detach-primary", f"{_INSTANCE}.attach_eni"),
    Broken("interface-address-in-use", f"{_ENI}Backend.create_network_interface"),
    Broken("interface-address-reserved", "moto.ec2.models.subnets:Subnet.request_ip"),
    Broken("interface-holds-subnet", "moto.ec2.models.subnets:SubnetBackend.delete_subnet"),
    Broken("interface-holds-group", "moto.ec2.models.security_groups:SecurityGroupBackend.delete_security_group"),
    Broken("template-unknown", f"{_TEMPLATES}Backend.describe_launch_templates"),
    Broken("run-count", "moto.ec2.responses.instances:InstanceResponse.run_instances"),
    Broken("template-pages", f"{_TEMPLATE_API}.describe_launch_template_versions"),
    Broken("template-pages", f"{_TEMPLATE_API}.describe_launch_templates"),
    Broken("group-protection", f"{_GROUP_API}.set_instance_protection"),
    Broken("interface-delete-in-use", f"{_ENI}Backend.delete_network_interface"),
    Broken(
        "interface-delete-on-termination",
        "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces.modify_network_interface_attribute",
    ),
    Broken("run-unknown-image", f"{_INSTANCE}Backend.run_instances"),
    Broken("metric-resolution", "moto.cloudwatch.models:CloudWatchBackend.put_metric_data"),
    Broken("metric-data-exact", "moto.cloudwatch.models:CloudWatchBackend.get_metric_data"),
    Broken("alarm-new-and-changed", "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm"),
    Broken("run-unknown-profile", "moto.ec2.responses.instances:filter_iam_instance_profiles"),
    Broken("run-status-impaired", f"{_INSTANCE}.instance_status"),
    Broken("run-stop-start", f"{_INSTANCE}.stop"),
    Broken("run-stop-start", f"{_INSTANCE}.start"),
    Broken("terminate-skip-shutdown", "moto.ec2.responses.instances:InstanceResponse.terminate_instances"),
    Broken("run-console", "moto.ec2.responses.general:General.get_console_output"),
    Broken("template-source-version", f"{_TEMPLATE_API}.create_launch_template_version"),
    Broken("template-user-data", f"{_TEMPLATES}.create_version"),
    Broken("template-unknown-version", f"{_TEMPLATES}.get_version"),
    Broken("group-maintenance-policy-bounds", f"{_GROUP_API}.update_auto_scaling_group"),
    Broken("group-launches-with-time", f"{_GROUP_API}.create_auto_scaling_group"),
    Broken("group-launches-with-time", f"{_GROUPS}FakeAutoScalingGroup.set_desired_capacity"),
    Broken("group-overlap", f"{_GROUPS}FakeAutoScalingGroup.instances"),
    Broken("group-types-instead-of-template", f"{_GROUPS}FakeAutoScalingGroup.launch_template"),
    Broken("group-delete-needs-force", f"{_GROUP_API}.delete_auto_scaling_group"),
    Broken("group-grace-impaired", f"{_GROUP_API}.describe_auto_scaling_instances"),
    Broken("group-maximum", f"{_GROUP_API}.set_desired_capacity"),
    Broken("group-activities", f"{_GROUP_API}.describe_scaling_activities"),
    Broken("group-standby-replaced", f"{_GROUP_API}.enter_standby"),
    Broken("group-standby-and-back", f"{_GROUP_API}.exit_standby"),
    Broken("group-suspended-names", f"{_GROUPS}AutoScalingBackend.suspend_processes"),
    Broken("hook-bounds", f"{_GROUP_API}.put_lifecycle_hook"),
    Broken("hook-bounds", f"{_GROUP_API}.describe_lifecycle_hooks"),
    Broken("hook-unknown", f"{_GROUP_API}.delete_lifecycle_hook"),
    Broken("record-prior-request", f"{_ROUTE53}.change_resource_record_sets"),
    Broken("record-unknown-change", f"{_ROUTE53}.get_change"),
    Broken("record-zone-is-read-back", "moto.route53.models:Route53Backend.create_hosted_zone"),
    Broken("log-batch-size", "moto.logs.models:LogsBackend.put_log_events"),
    Broken("log-times", "moto.logs.models:LogsBackend.put_log_events"),
    Broken("efs-creating", f"{_EFS}.create_file_system"),
    Broken("efs-creating", f"{_EFS}.create_mount_target"),
    Broken("efs-mount-target-deleting", f"{_EFS}.delete_mount_target"),
    Broken("efs-access-point-unknown-file-system", f"{_EFS}.create_access_point"),
    Broken("efs-mount-target-interface", "moto.efs.models:EFSBackend.create_mount_target"),
    Broken("efs-bounds", f"{_EFS}.put_file_system_policy"),
    Broken("identity-policy-sizes", "moto.iam.models:Role.put_policy"),
    Broken("identity-policy-sizes", "moto.iam.models:IAMBackend.create_policy"),
    Broken("identity-instance-role", "moto.sts.models:STSBackend.get_caller_identity"),
]

# Without these moto breaks down, which is no lenient answer: their answer is turned instead.
ANSWERS_TURNED = [
    Broken(
        "interface-no-address", "moto.ec2.models.subnets:Subnet.get_available_subnet_ip", _always(answers="10.0.9.9")
    ),
    Broken("interface-filters", f"{_ENI}.get_filter_value", _finds_nothing_by_attachment),
    Broken("terminate-is-still-described", f"{_INSTANCE}.private_ip_address", property(_always(answers="10.0.0.9"))),
    Broken("terminate-is-still-described", f"{_INSTANCE}.public_ip", property(_always(answers="198.51.100.9"))),
    Broken("terminate-is-still-described", f"{_INSTANCE}.public_ip_address", property(_always(answers="198.51.100.9"))),
    Broken("group-launch-first-account", f"{_GROUP_API}.put_account_setting", _accepts_and_drops),
    Broken("group-launch-first-account", f"{_GROUP_API}.describe_account_settings", _accepts_and_drops),
    Broken("run-deprecated-image", f"{_IMAGES}.disable_image_deprecation", _accepts_and_drops),
    Broken("run-deprecation-date", f"{_IMAGES}.enable_image_deprecation", _accepts_and_drops),
    Broken("hook-launch", f"{_GROUP_API}.complete_lifecycle_action", _accepts_and_drops),
    Broken("hook-heartbeat", f"{_GROUP_API}.record_lifecycle_action_heartbeat", _accepts_and_drops),
    Broken(
        "lambda-function-error",
        "moto.awslambda.responses:LambdaResponse.invoke",
        _always(answers=(200, {}, "null")),
    ),
]

# The same, where a single decision of the patch is in DECISIONS_TURNED.
SHOWN_BY_DECISION = {
    f"{_ENI}Backend.attach_network_interface": _REFUSE_ATTACHMENT,
    f"{_GROUP_API}.set_instance_health": f"{_OWN_GROUPS}group_members_api:respects_grace",
    f"{_GROUP_API}.terminate_instance_in_auto_scaling_group": f"{_OWN_GROUPS}group_members_api:refuse_below_minimum",
    "moto.route53.models:Route53Backend.change_resource_record_sets": "lab.aws.route53.changes:submit_changes",
}

DECISIONS_TURNED = [
    Broken("attach-in-use", _REFUSE_ATTACHMENT, _always(answers=None)),
    Broken("attach-other-zone", _REFUSE_ATTACHMENT, _always(answers=None)),
    Broken("attach-index-taken", _REFUSE_ATTACHMENT, _always(answers=None)),
    Broken("attach-terminated", _REFUSE_ATTACHMENT, _always(answers=None)),
    Broken("attach-limit", "lab.aws.ec2.network_interfaces:MAXIMUM_INTERFACES", {}),
    Broken("group-grace-period", f"{_OWN_GROUPS}group_members_api:respects_grace", _always(answers=False)),
    Broken("group-terminate-minimum", f"{_OWN_GROUPS}group_members_api:refuse_below_minimum", _always(answers=None)),
    Broken("record-batch-atomic", "lab.aws.route53.changes:submit_changes", _submits_one_by_one),
    Broken("efs-mount-target-name", "lab.aws.efs.views:_serves", _always(answers=True)),
    Broken("run-status-hung", "lab.aws.ec2.instance_status:_symptom", _always(answers="")),
    Broken("run-interrupted", "lab.aws.ec2.interruptions:NOTICE_S", 30.0),
    Broken("run-console-bounds", "lab.aws.ec2.console_output:MAXIMUM_BYTES", 1 << 20),
    Broken("attach-holder-shutting-down", "lab.aws.ec2.instances:release_all", _always(answers=None)),
    Broken("group-grace-impaired", f"{_OWN_GROUPS}group_decisions:_in_grace", _always(answers=False)),
    Broken("group-types-in-order", f"{_OWN_GROUPS}group_launch:instance_types", _always(answers=("t3.medium",))),
    Broken(
        "group-types-nowhere", f"{_OWN_GROUPS}group_launch:instance_types", _always(answers=("m7i.large", "t3.nano"))
    ),
    Broken("group-grace-stopped", f"{_OWN_GROUPS}group_decisions:_GONE_STATES", ()),
    Broken("group-launch-first-policy", _LAUNCHES_FIRST, _always(answers=False)),
    Broken("group-terminate-first-policy", _LAUNCHES_FIRST, _always(answers=True)),
    Broken("group-launch-first-account", _LAUNCHES_FIRST, _always(answers=False)),
    Broken("group-launch-first-policy", f"{_OWN_GROUPS}group_decisions:_has_successor", _always(answers=True)),
    Broken("group-zone-emptiest", f"{_OWN_GROUPS}group_launch:_instances_per_zone", _always(answers={})),
    Broken("group-capacity", f"{_OWN_GROUPS}group_launch:_ZONAL_FAILURES", ()),
    Broken("group-standby-minimum", f"{_OWN_GROUPS}group_members_api:_resize", _always(answers=None)),
    Broken("hook-global-timeout", f"{_OWN_GROUPS}lifecycle_hooks:_GLOBAL_HEARTBEATS", 10_000),
    Broken("hook-launch-times-out", f"{_OWN_GROUPS}group_decisions:_results", _always(answers=[""])),
    Broken("hook-heartbeat", f"{_OWN_GROUPS}group_members_api:beat", _always(answers=None)),
    Broken("record-throttled", "lab.aws.route53.state:Limits.refuses", _always(answers=False)),
    Broken("record-throttled", "lab.aws.route53.state:Bucket.fill", _fills_up),
    Broken("record-delete-differing", "lab.aws.route53.record_rules:_same_values", _always(answers=True)),
    Broken("record-cname-clash", "lab.aws.route53.record_rules:_clash", _always(answers="")),
    Broken("record-routing-policies", "lab.aws.route53.record_rules:_other_policy", _always(answers="")),
    Broken("record-duplicate-value", "lab.aws.route53.record_rules:_bad_value", _always(answers="")),
    Broken("lambda-reserved-concurrency", "lab.aws.lambdas.functions:Lambdas.slot", _always(answers=nullcontext())),
    Broken("metric-data-periods", "lab.aws.cloudwatch.get_metric_data:kept", _keeps_all),
    Broken("alarm-ten-seconds", "lab.aws.cloudwatch.metric_data:_is_fine", _always(answers=False)),
    Broken("alarm-missing-data", "lab.aws.cloudwatch.alarms:EXTRA_POINTS", 50),
    Broken("alarm-bounds", "lab.aws.cloudwatch.alarms:_refuse", _always(answers=None)),
    Broken("lambda-role-trust", "lab.aws.cloudformation.function_properties:_refuse_role", _always(answers=None)),
    Broken("metadata-token-required", "lab.edges.metadata:MetadataService._is_valid", _always(answers=True)),
    Broken("metadata-lags-behind-attach", "lab.edges.metadata:MetadataService._is_known", _always(answers=True)),
]

BROKEN_RULES = PATCHES_OUT + ANSWERS_TURNED + DECISIONS_TURNED

NO_ROW = {
    "moto.efs.models:EFSBackend.delete_mount_target": "moto's own would be refused: row efs-mount-target-interface",
    f"{_GROUP_API}.describe_auto_scaling_groups": "moto breaks down at a bad token, which is no lenient answer",
    "moto.ec2.responses.instances:InstanceResponse.describe_instances": "the same; rows group-pages, template-pages",
    f"{_INSTANCE}.private_ip": "read by the lab's own queries, not by the API",
    f"{_INSTANCE}.private_dns_name": "read by the lab's own queries, not by the API",
    f"{_INSTANCE}.terminate": "moto's own callers only; TerminateInstances has its own patch",
    f"{_GROUPS}AutoScalingBackend.notify_terminate_instances": "moto's own TerminateInstances only, which is patched",
    f"{_GROUP_API}.describe_notification_configurations": "set by stacks only; cloudformation/test_real_template.py",
    "moto.core.botocore_stubber:BotocoreStubber.process_request": "in process; tests/unit/lab/aws/calls",
    "moto.core.botocore_stubber:BotocoreStubber.__call__": "in process; tests/unit/lab/aws/in_process",
}
