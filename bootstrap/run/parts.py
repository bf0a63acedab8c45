"""Everything that is looked at again and again while this instance serves.

For: the agent, which gives it to the upkeep. Guarantees: what may end this instance soon comes first; within each kind
the order is that of its module. Does not: look.
"""

from __future__ import annotations

from bootstrap.cloud.imds import MetadataService
from bootstrap.run.image_age import ImageAge
from bootstrap.run.instance import Instance
from bootstrap.run.kept_parts import kept_parts
from bootstrap.run.notices import notice_parts
from bootstrap.run.upkeep import Part
from bootstrap.run.watched_data import watched_parts


def all_parts(instance: Instance, metadata: MetadataService) -> list[Part]:
    """EC2's notices, what the boot set up, the data, and the image."""
    notices = instance.document.notices
    return [
        *notice_parts(metadata, notices),
        *kept_parts(instance),
        *watched_parts(instance),
        ImageAge(instance.ec2, instance.identity.image_id, notices.image_deprecation_days, instance.clock),
    ]
