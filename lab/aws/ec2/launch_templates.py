"""Launch templates: versions build on versions, and the default stays where it was put.

For: staging and promoting images. Guarantees: a new version never changes the default; SourceVersion is merged as EC2
does; user data is kept as it was sent. Does not: validate the launch template data.
Source: EC2 API reference CreateLaunchTemplateVersion ("the new version inherits the launch parameters of the source
version, except parameters that you specify"), ModifyLaunchTemplate.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.utils import parse_user_data

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.errors import refused
from lab.aws.core.patches import original, replaces

_RESPONSE = "moto.ec2.responses.launch_templates:LaunchTemplates"
_TEMPLATE = "moto.ec2.models.launch_templates:LaunchTemplate"


@replaces(
    f"{_RESPONSE}.create_launch_template_version",
    expects=("self",),
    reason="moto ignores SourceVersion",
)
@under_lock
def create_launch_template_version(self: Any, _cloud: Cloud) -> Any:
    """CreateLaunchTemplateVersion with SourceVersion: merged on the top level, given parameters win."""
    source = self._get_param("SourceVersion")
    if source:
        template_id = self._get_param("LaunchTemplateId")
        name = self._get_param("LaunchTemplateName")
        template = (
            self.ec2_backend.get_launch_template(template_id)
            if template_id
            else self.ec2_backend.get_launch_template_by_name(name)
        )
        base = copy.deepcopy(template.get_version(source).data)
        template._source_of_next_version = base
    return original(f"{_RESPONSE}.create_launch_template_version")(self)


@replaces(
    f"{_TEMPLATE}.create_version",
    expects=("self", "data", "description"),
    reason="moto does not wrap the user data of later versions, so that the next launch fails",
)
def create_version(self: Any, data: dict[str, Any], description: str) -> Any:
    """A new version: source merged, user data wrapped."""
    base = self.__dict__.pop("_source_of_next_version", {})
    merged = base | {key: value for key, value in (data or {}).items() if value is not None}
    if isinstance(merged.get("UserData"), str | bytes):
        merged["UserData"] = parse_user_data(merged["UserData"])
    return original(f"{_TEMPLATE}.create_version")(self, merged, description)


@replaces(
    f"{_TEMPLATE}.get_version",
    expects=("self", "num"),
    reason="moto takes version 0 and negative numbers for the newest ones",
)
def get_version(self: Any, num: Any) -> Any:
    """A version by number, $Latest or $Default; InvalidLaunchTemplateId.VersionNotFound otherwise."""
    text = str(num)
    if text.lower() in ("$latest", "$default") or (text.isdigit() and 1 <= int(text) <= len(self.versions)):
        return original(f"{_TEMPLATE}.get_version")(self, num)
    raise refused(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find the specified version {num} for the launch template with ID {self.id}.",
    )
