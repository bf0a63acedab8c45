"""Temporary credentials of an instance's role, as the metadata service hands them out.

For: `lab.edges.metadata`. Guarantees: the shape of AWS's; different for every instance and every hour; valid for at
least five more hours. Does not: authorize anything, because the lab's control plane accepts any credentials.
AWS source: EC2 user guide "Retrieve security credentials from instance metadata" (the JSON document).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

CREDENTIAL_LIFE_S = 6 * 3600
CREDENTIAL_STEP_S = 3600


@dataclass(frozen=True, kw_only=True)
class RoleCredentials:
    """Temporary credentials of an instance role."""

    access_key_id: str
    secret_access_key: str
    token: str
    issued_at_s: float
    expires_at_s: float


def issue_credentials(instance_id: str, role_name: str, now_s: float) -> RoleCredentials:
    """The credentials of this instance at `now_s` (epoch)."""
    issued_at_s = now_s // CREDENTIAL_STEP_S * CREDENTIAL_STEP_S
    digest = hashlib.sha256(f"{instance_id}/{role_name}/{issued_at_s:.0f}".encode()).hexdigest()
    return RoleCredentials(
        access_key_id="ASIA" + digest[:16].upper(),
        secret_access_key=digest[16:56],
        token="lab-" + digest,
        issued_at_s=issued_at_s,
        expires_at_s=issued_at_s + CREDENTIAL_LIFE_S,
    )


def credentials_json(credentials: RoleCredentials) -> str:
    """The document at `iam/security-credentials/<role>`."""
    document = {
        "Code": "Success",
        "LastUpdated": timestamp(credentials.issued_at_s),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.token,
        "Expiration": timestamp(credentials.expires_at_s),
    }
    return json.dumps(document, indent=2)


def timestamp(at_s: float) -> str:
    """Epoch seconds as AWS writes times in metadata documents."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
