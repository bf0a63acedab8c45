"""Temporary credentials of instance roles, and who a request comes from.

For: the metadata service hands these out; the server recognises the caller by the access key. Guarantees: an access key
belongs to one instance or Lambda role for the life of the control plane. Does not: check signatures or permissions.
Source: IAM user guide, "Unique identifiers" (ASIA = temporary), EC2 user guide "Retrieve security credentials".
"""

from __future__ import annotations

import base64
import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.aws.core.patches import original, replaces
from lab.aws.core.state import Caller, Cloud, Life, current
from lab.aws.core.views import RoleCredentials

_LIFETIME = timedelta(hours=6)
_STS = "moto.sts.models:STSBackend.get_caller_identity"
_ALPHABET = string.ascii_uppercase + string.digits


def new_credentials(cloud: Cloud, caller: Caller) -> RoleCredentials:
    """Make credentials and remember whose they are."""
    now = datetime.fromtimestamp(cloud.now(), UTC)
    made = RoleCredentials(
        access_key_id="ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        secret_access_key=base64.b64encode(secrets.token_bytes(30)).decode(),
        token=base64.b64encode(secrets.token_bytes(96)).decode(),
        expiration=(now + _LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ"),
        last_updated=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    cloud.callers[made.access_key_id] = caller
    return made


def instance_profile(cloud: Cloud, instance_id: str) -> Any:
    """The instance profile of an instance, moto's record, or None."""
    association = cloud.ec2.iam_instance_profile_associations.get(instance_id)
    return association.iam_instance_profile if association is not None else None


def issue(cloud: Cloud, instance: Any, life: Life) -> None:
    """Give the instance credentials of the role in its profile. No-op while it has no profile, or has credentials."""
    profile = instance_profile(cloud, instance.id)
    if profile is None or not profile.roles or life.credentials is not None:
        return
    life.role_name = profile.roles[0].name
    arn = f"arn:aws:sts::{cloud.account_id}:assumed-role/{life.role_name}/{instance.id}"
    life.credentials = new_credentials(cloud, Caller(kind="instance-role", arn=arn, instance_id=instance.id))


@replaces(
    _STS,
    expects=("self", "access_key_id", "region"),
    reason="GetCallerIdentity must know the roles of instances",
)
def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
    """GetCallerIdentity: the assumed role for keys issued here."""
    caller = current().callers.get(access_key_id)
    if caller is not None:
        return f"AROALAB:{caller.instance_id}", caller.arn, self.account_id
    known: tuple[str, str, str] = original(_STS)(self, access_key_id, region)
    return known
