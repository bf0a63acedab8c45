"""Rules of the control plane, each with a way to break it and the row that must turn red then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ENI = "moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend"
_GROUP_API = "moto.autoscaling.responses:AutoScalingResponse"
_ROUTE53 = "moto.route53.responses:Route53"


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


BROKEN_RULES = [
    # moto's own behaviour in place of a rule
    Broken("attach-in-use", f"{_ENI}.attach_network_interface"),
    Broken("attach-other-zone", f"{_ENI}.attach_network_interface"),
    Broken("attach-limit", f"{_ENI}.attach_network_interface"),
    Broken("detach-takes-time", f"{_ENI}.detach_network_interface"),
    Broken("interface-address-in-use", f"{_ENI}.create_network_interface"),
    Broken("interface-delete-in-use", f"{_ENI}.delete_network_interface"),
    Broken("run-unknown-image", "moto.ec2.models.instances:InstanceBackend.run_instances"),
    Broken("terminate-skip-shutdown", "moto.ec2.responses.instances:InstanceResponse.terminate_instances"),
    Broken("run-status-impaired", "moto.ec2.models.instances:Instance.instance_status"),
    Broken("template-unknown-version", "moto.ec2.models.launch_templates:LaunchTemplate.get_version"),
    Broken("group-grace-period", f"{_GROUP_API}.set_instance_health"),
    Broken("group-maximum", f"{_GROUP_API}.set_desired_capacity"),
    Broken("group-activities", f"{_GROUP_API}.describe_scaling_activities"),
    Broken("record-batch-atomic", "moto.route53.models:Route53Backend.change_resource_record_sets"),
    Broken("record-unknown-change", f"{_ROUTE53}.get_change"),
    Broken("record-prior-request", f"{_ROUTE53}.change_resource_record_sets"),
    Broken("efs-creating", "moto.efs.responses:EFSResponse.create_mount_target"),
    Broken("efs-access-point-unknown-file-system", "moto.efs.responses:EFSResponse.create_access_point"),
    Broken("identity-instance-role", "moto.sts.models:STSBackend.get_caller_identity"),
    # one decision of the lab's own, the other way round
    Broken("group-grace-impaired", "lab.cloud.group_decisions:_in_grace", _always(answers=False)),
    Broken("group-launch-first-policy", "lab.cloud.group_records:Group.launches_first", _always(answers=False)),
    Broken("group-terminate-first-policy", "lab.cloud.group_records:Group.launches_first", _always(answers=True)),
    Broken("group-launch-first-account", "lab.cloud.group_records:Group.launches_first", _always(answers=False)),
    Broken("group-zone-emptiest", "lab.cloud.group_launch:_instances_per_zone", _always(answers={})),
    Broken("group-standby-minimum", "lab.cloud.group_members_api:_resize", _always(answers=None)),
    Broken("hook-global-timeout", "lab.cloud.lifecycle_hooks:_GLOBAL_HEARTBEATS", 10_000),
    Broken("record-throttled", "lab.cloud.limits:Limits.refuses", _always(answers=False)),
    Broken("record-delete-differing", "lab.cloud.record_rules:_same_values", _always(answers=True)),
    Broken("metadata-token-required", "lab.metadata:MetadataService._is_valid", _always(answers=True)),
    Broken("metadata-lags-behind-attach", "lab.metadata:MetadataService._is_known", _always(answers=True)),
]
