"""What RunInstances checks and completes before anything is launched: template, subnet, image, instance profile.

For: `instances`, and the views that the metadata service reads. Guarantees: a launch that is refused has made nothing;
the role's credentials are issued once per instance, as soon as it has a profile with a role. Does not: launch, check
quotas, or let credentials expire.
Sources: EC2 API reference RunInstances, LaunchTemplateSpecification; API error codes (InvalidAMIID.NotFound,
InvalidAMIID.Unavailable, MissingInput); the text on profiles as seen in hashicorp/terraform-provider-aws#15341;
EC2 user guide "IAM roles for Amazon EC2".
"""

import copy
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.utils import filter_iam_instance_profiles

from lab.aws.core.call_log import Caller
from lab.aws.core.cloud import Cloud
from lab.aws.core.credentials import new_credentials
from lab.aws.core.errors import refused
from lab.aws.core.patches import replaces
from lab.aws.ec2.state import Life

_FILTER = "moto.ec2.responses.instances:filter_iam_instance_profiles"


def apply_launch_template(ec2: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Complete `kwargs` from the launch template they name; returns what is left for the caller to apply."""
    reference = kwargs.get("launch_template") or {}
    if not reference:
        return {}
    version = ec2._get_template_from_args(reference)
    kwargs["launch_template"] = {"LaunchTemplateId": version.template.id, "Version": str(version.number)}
    data: dict[str, Any] = version.data
    if not kwargs.get("metadata_options"):
        kwargs["metadata_options"] = data.get("MetadataOptions") or {}
    if not kwargs.get("nics") and data.get("NetworkInterfaces"):
        kwargs["nics"] = copy.deepcopy(data["NetworkInterfaces"])
    if kwargs.get("iam_instance_profile_name") or kwargs.get("iam_instance_profile_arn"):
        return {key: value for key, value in data.items() if key != "IamInstanceProfile"}
    return data


def default_subnet(ec2: Any, zone: str | None) -> str:
    """The default VPC's subnet in a zone. Raises MissingInput."""
    subnets = ec2.get_default_subnets()
    if not subnets or (zone and zone not in subnets):
        raise refused("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
    chosen: str = subnets[zone or sorted(subnets)[0]].id
    return chosen


def refuse_image(ec2: Any, image_id: str) -> None:
    if image_id.startswith("resolve:ssm:"):
        return
    image = ec2.amis.get(image_id)
    if image is None and image_id not in ec2.deleted_amis:
        raise refused("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if image is None or image.state != "available":
        raise refused("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")


@replaces(
    _FILTER,
    expects="account_id, partition, iam_instance_profile_arn, iam_instance_profile_name",
    reason="moto answers IAM's NoSuchEntity",
)
def instance_profile(
    account_id: str, partition: str, iam_instance_profile_arn: str | None, iam_instance_profile_name: str | None
) -> Any:
    """The profile of that name or ARN; EC2's InvalidParameterValue where there is none."""
    arn, name = iam_instance_profile_arn, iam_instance_profile_name
    try:
        return filter_iam_instance_profiles(account_id, partition, arn, name)
    except ServiceException as error:
        field = "name" if name else "arn"
        raise refused(
            "InvalidParameterValue",
            f"Value ({name or arn}) for parameter iamInstanceProfile.{field} is invalid. "
            f"Invalid IAM Instance Profile {'name' if name else 'ARN'}",
        ) from error


def refuse_profile(ec2: Any, of_template: dict[str, str]) -> None:
    """Raise when the launch template names a profile that does not exist."""
    if of_template:
        instance_profile(ec2.account_id, ec2.partition, of_template.get("Arn"), of_template.get("Name"))


def profile_of(cloud: Cloud, instance_id: str) -> Any:
    """The instance profile of an instance, moto's record, or None."""
    association = cloud.backend("ec2").iam_instance_profile_associations.get(instance_id)
    return association.iam_instance_profile if association is not None else None


def issue(cloud: Cloud, instance: Any, life: Life) -> None:
    """Give the instance credentials of the role in its profile. No-op without a profile, or with credentials."""
    profile = profile_of(cloud, instance.id)
    if profile is None or not profile.roles or life.credentials is not None:
        return
    life.role_name = profile.roles[0].name
    arn = f"arn:aws:sts::{cloud.account_id}:assumed-role/{life.role_name}/{instance.id}"
    life.credentials = new_credentials(cloud, Caller(kind="instance-role", arn=arn, instance_id=instance.id))
