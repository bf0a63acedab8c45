"""What the settings of a group may say: sizes, subnets, launch template.

For: CreateAutoScalingGroup, UpdateAutoScalingGroup, and groups of a stack. Guarantees: what is refused has changed
nothing. Does not: check what is checked at each launch, such as the image.
Sources: Auto Scaling API reference CreateAutoScalingGroup (MinSize, VPCZoneIdentifier, LaunchTemplate); texts as seen
in ryanmurakami/hbfl#58 and Auto Scaling user guide "Troubleshoot - launch template"; API reference
MixedInstancesPolicy.
"""

from typing import Any

from moto.core.exceptions import ServiceException

from lab.aws.core.cloud import Cloud
from lab.aws.core.errors import validation_error


def refuse_settings(cloud: Cloud, parameters: dict[str, Any]) -> None:
    """Raise AWS's ValidationError for settings in the API's shape that no group can have."""
    for name in ("MinSize", "MaxSize", "DesiredCapacity", "HealthCheckGracePeriod"):
        if parameters.get(name) is not None and int(parameters[name]) < 0:
            raise validation_error(f"Value {parameters[name]} at '{name}' must be greater than or equal to 0")
    try:
        _refuse_subnets(cloud, (parameters.get("VPCZoneIdentifier") or "").split(","))
        _refuse_template(cloud, template_of(parameters))
        _refuse_overrides(parameters)
    except ServiceException as error:
        raise validation_error(error.message) from error


def _refuse_subnets(cloud: Cloud, subnet_ids: list[str]) -> None:
    vpcs = {cloud.backend("ec2").get_subnet(subnet_id).vpc_id for subnet_id in subnet_ids if subnet_id}
    if len(vpcs) > 1:
        raise validation_error(f"The subnets of a group must be in one VPC: {', '.join(sorted(vpcs))}")


def template_of(parameters: dict[str, Any]) -> dict[str, str]:
    """The launch template that the settings of a group name, by itself or in a mixed instances policy; {} for none."""
    mixed = (parameters.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    found: dict[str, str] = parameters.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification") or {}
    return found


def _refuse_overrides(parameters: dict[str, Any]) -> None:
    policy = parameters.get("MixedInstancesPolicy")
    if not policy:
        return
    if parameters.get("LaunchTemplate"):
        raise validation_error("Valid requests must contain either LaunchTemplate or MixedInstancesPolicy, not both")
    types = [one.get("InstanceType") for one in policy.get("LaunchTemplate", {}).get("Overrides") or []]
    if len(set(types)) != len(types):
        raise validation_error("Duplicate instance types in the overrides of a mixed instances policy")


def _refuse_template(cloud: Cloud, given: dict[str, str]) -> None:
    if len({"LaunchTemplateId", "LaunchTemplateName"} & set(given)) != 1:
        if given:
            raise validation_error("Valid requests must contain either launchTemplateId or LaunchTemplateName")
        return
    try:
        wanted = dict(given) | {"Version": given.get("Version") or "$Default"}
        version = cloud.backend("ec2")._get_template_from_args(wanted)
    except ServiceException as error:
        raise validation_error(f"You must use a valid fully-formed launch template. {error.message}") from error
    if not version.data.get("ImageId"):
        text = "The request must contain the parameter ImageId"
        raise validation_error(f"You must use a valid fully-formed launch template. {text}")


def refuse_sizes(minimum: Any, maximum: Any, desired: Any) -> None:
    """Raise AWS's ValidationError for sizes that do not fit each other."""
    if minimum is not None and maximum is not None and int(minimum) > int(maximum):
        raise validation_error(
            "Min bound, max bound, and desired capacity must be consistent: MinSize is above MaxSize"
        )
    is_above = desired is not None and maximum is not None and int(desired) > int(maximum)
    is_below = desired is not None and minimum is not None and int(desired) < int(minimum)
    if is_above or is_below:
        raise validation_error(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )
