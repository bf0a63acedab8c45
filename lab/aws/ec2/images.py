"""When an image is deprecated: the date that its owner gives it, and that DescribeImages shows.

For: people who are told of it beforehand. Guarantees: the date is a whole minute, not in the past and not more than ten
years ahead; a deprecated image is still shown and still launched, as every image here is of the account itself.
Does not: know images of other accounts, which DescribeImages leaves out once they are deprecated.
Sources: EC2 API reference EnableImageDeprecation (no date in the past, ten years at most, rounded to the minute),
DisableImageDeprecation, Image (DeprecationTime); EC2 user guide "Deprecate an Amazon EC2 AMI" (launch templates and
groups go on using it, owners go on seeing it).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.parse import default_timestamp_parser
from moto.core.responses import ActionResult

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.errors import refused
from lab.aws.core.patches import ABSENT, replaces
from lab.aws.ec2.launch_rules import refuse_image

LONGEST = timedelta(days=3653)  # ten years
_RESPONSE = "moto.ec2.responses.amis:AmisResponse"


@replaces(f"{_RESPONSE}.enable_image_deprecation", expects=ABSENT, reason="moto does not have it")
@under_lock
def enable_image_deprecation(self: Any, cloud: Cloud) -> ActionResult:
    """EnableImageDeprecation. A later call moves the date."""
    image, given = _image(self), self._get_param("DeprecateAt")
    at = given if isinstance(given, datetime) else default_timestamp_parser(given)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    now = datetime.fromtimestamp(cloud.now(), UTC)
    if not now <= at <= now + LONGEST:
        raise refused("InvalidParameterValue", f"The deprecation date {given} is in the past, or too far ahead.")
    whole = (at + timedelta(seconds=30)).replace(second=0, microsecond=0)
    image.deprecation_time = whole.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return ActionResult({"Return": True})


@replaces(f"{_RESPONSE}.disable_image_deprecation", expects=ABSENT, reason="moto does not have it")
@under_lock
def disable_image_deprecation(self: Any, _cloud: Cloud) -> ActionResult:
    """DisableImageDeprecation."""
    _image(self).deprecation_time = None
    return ActionResult({"Return": True})


def _image(response: Any) -> Any:
    image_id = response._get_param("ImageId")
    refuse_image(response.ec2_backend, image_id)
    response.error_on_dryrun()
    return response.ec2_backend.amis[image_id]
