"""How large IAM's policies may be: the inline ones of a role together, and a managed one. White space does not count.

For: roles and policies, by the API or by a stack. Guarantees: what is refused has changed nothing. Does not: know other
quotas of IAM. Source: IAM user guide "IAM and AWS STS quotas" (10,240 characters per role, 6,144 per managed policy).
"""

import json
import re
from typing import Any

from moto.iam.exceptions import LimitExceededException

from lab.aws.core.patches import original, replaces

_INLINE, _MANAGED = 10_240, 6_144
_ROLE, _BACKEND = "moto.iam.models:Role.put_policy", "moto.iam.models:IAMBackend.create_policy"
_NO_LIMIT = "moto takes policies of any size"


def _size(document: Any) -> int:
    """A stack's inline policy comes as what its JSON means."""
    return len(re.sub(r"\s", "", document if isinstance(document, str) else json.dumps(document)))


@replaces(_ROLE, expects="self, policy_name, policy_json", reason=_NO_LIMIT)
def put_policy(self: Any, policy_name: str, policy_json: str) -> None:
    """PutRolePolicy: all inline policies of the role count together."""
    after = self.policies | {policy_name: policy_json}
    if sum(map(_size, after.values())) > _INLINE:
        raise LimitExceededException(f"Maximum policy size of {_INLINE} bytes exceeded for role {self.name}")
    original(_ROLE)(self, policy_name, policy_json)


@replaces(_BACKEND, expects="self, description, path, policy_document, policy_name, tags", reason=_NO_LIMIT)
def create_policy(self: Any, description: str, path: str, policy_document: str, *args: Any, **kwargs: Any) -> Any:
    """CreatePolicy: a managed policy alone."""
    if _size(policy_document) > _MANAGED:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {_MANAGED}")
    return original(_BACKEND)(self, description, path, policy_document, *args, **kwargs)
