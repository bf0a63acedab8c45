"""Launch templates: versions build on versions, and the default stays where it was put.

For: staging and promoting images. Guarantees: a new version never changes the default; SourceVersion is merged as EC2
does; user data is kept as it was sent. Does not: validate the launch template data.
Source: EC2 API reference CreateLaunchTemplateVersion ("the new version inherits the launch parameters of the source
version, except parameters that you specify"), ModifyLaunchTemplate.
"""

import copy
import sys
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.utils import parse_user_data

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.errors import bad_token, refused
from lab.aws.core.paging import page_of
from lab.aws.core.patches import original, replaces

_RESPONSE = "moto.ec2.responses.launch_templates:LaunchTemplates"
_TEMPLATE = "moto.ec2.models.launch_templates:LaunchTemplate"


@replaces(f"{_RESPONSE}.create_launch_template_version", reason="moto ignores SourceVersion")
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
    expects="self, data, description",
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
    expects="self, num",
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


@replaces(
    "moto.ec2.models.launch_templates:LaunchTemplateBackend.describe_launch_templates",
    expects="self, template_names, template_ids, filters",
    reason="moto leaves out templates that do not exist, and breaks down in a launch from one",
)
def describe_launch_templates(
    self: Any, template_names: list[str] | None = None, template_ids: list[str] | None = None, filters: Any = None
) -> Any:
    """DescribeLaunchTemplates, and the look-up of every launch: a template that does not exist is named."""
    for template_id in template_ids or []:
        if template_id not in self.launch_templates:
            raise refused(
                "InvalidLaunchTemplateId.NotFound",
                f"The specified launch template, with template ID {template_id}, does not exist.",
            )
    found = original("moto.ec2.models.launch_templates:LaunchTemplateBackend.describe_launch_templates")
    return found(self, template_names, template_ids, filters)


def _in_pages(name: str, key: str) -> None:
    """Declare that a Describe call gives at most MaxResults (200, if not given) of what moto finds, and a token."""

    def answer(self: Any) -> Any:
        size, token = self._get_int_param("MaxResults") or 200, self._get_param("NextToken")
        if not 1 <= size <= 200:
            raise refused("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid.")
        self.params["MaxResults"] = sys.maxsize
        found = original(f"{_RESPONSE}.{name}")(self).result
        try:
            page, following = page_of(found[key], size, token)
        except ValueError as error:
            raise bad_token() from error
        return ActionResult({key: page, "NextToken": following})

    replaces(f"{_RESPONSE}.{name}", reason="moto leaves out all but the first 15")(answer)


_in_pages("describe_launch_templates", "LaunchTemplates")
_in_pages("describe_launch_template_versions", "LaunchTemplateVersions")
