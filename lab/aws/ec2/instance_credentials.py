"""The credentials that an instance gets from the role in its instance profile.

For: launches, and the views that the metadata service reads. Guarantees: credentials are issued once per instance, as
soon as it has a profile with a role. Does not: let them expire.
Source: EC2 user guide "IAM roles for Amazon EC2".
"""

from __future__ import annotations

from typing import Any

from lab.aws.core.call_log import Caller
from lab.aws.core.cloud import Cloud
from lab.aws.core.credentials import new_credentials
from lab.aws.ec2.state import Life


def instance_profile(cloud: Cloud, instance_id: str) -> Any:
    """The instance profile of an instance, moto's record, or None."""
    association = cloud.backend("ec2").iam_instance_profile_associations.get(instance_id)
    return association.iam_instance_profile if association is not None else None


def issue(cloud: Cloud, instance: Any, life: Life) -> None:
    """Give the instance credentials of the role in its profile. No-op without a profile, or with credentials."""
    profile = instance_profile(cloud, instance.id)
    if profile is None or not profile.roles or life.credentials is not None:
        return
    life.role_name = profile.roles[0].name
    arn = f"arn:aws:sts::{cloud.account_id}:assumed-role/{life.role_name}/{instance.id}"
    life.credentials = new_credentials(cloud, Caller(kind="instance-role", arn=arn, instance_id=instance.id))
