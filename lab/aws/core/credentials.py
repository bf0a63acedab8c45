"""Temporary credentials, and whose they are.

For: instances and Lambda functions get theirs here; a request's caller is recognised by the access key. Guarantees: an
access key belongs to one role session for the life of the control plane. Does not: check signatures or permissions.
Source: IAM user guide, "Unique identifiers" (ASIA = temporary); EC2 user guide "Retrieve security credentials".
"""

import base64
import secrets
import string
from dataclasses import dataclass
from typing import Any

from lab.aws.core.call_log import Caller
from lab.aws.core.cloud import Cloud, current
from lab.aws.core.patches import original, replaces

_STS = "moto.sts.models:STSBackend.get_caller_identity"
_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True, kw_only=True)
class RoleCredentials:
    """Temporary credentials of an instance's role, as the metadata service hands them out."""

    access_key_id: str
    secret_access_key: str
    token: str


def new_credentials(cloud: Cloud, caller: Caller) -> RoleCredentials:
    """Make credentials and remember whose they are."""
    made = RoleCredentials(
        access_key_id="ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        secret_access_key=base64.b64encode(secrets.token_bytes(30)).decode(),
        token=base64.b64encode(secrets.token_bytes(96)).decode(),
    )
    cloud.callers[made.access_key_id] = caller
    return made


@replaces(_STS, expects="self, access_key_id, region", reason="GetCallerIdentity must know the roles of instances")
def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
    """GetCallerIdentity: the assumed role for keys issued here."""
    caller = current().callers.get(access_key_id)
    if caller is not None:
        return f"AROALAB:{caller.instance_id}", caller.arn, self.account_id
    known: tuple[str, str, str] = original(_STS)(self, access_key_id, region)
    return known
