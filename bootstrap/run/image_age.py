"""The deprecation date of this instance's image as a part of the upkeep: people hear of it while there is time.

For: the supervisor, beside run.notices. Guarantees: EC2 is asked once a day at most, also when it does not answer; the
trouble begins `image_deprecation_days` before the date and is over when the date is taken back or moved; nothing is
replaced, because the next instance would boot the same image. Does not: look at what is promoted and does not run yet;
`soloist status` and `promote` do.
Sources: EC2 user guide "Deprecate an Amazon EC2 AMI" (launch templates and groups go on using a deprecated image by its
id; its owner goes on seeing it, other accounts see it only by its id).
"""

from __future__ import annotations

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import ServiceError
from bootstrap.cloud.ec2 import Ec2
from bootstrap.run.upkeep_rules import Terms

DAY_S = 86_400.0


class ImageAge:
    """Of the image that this instance was launched from."""

    terms = Terms(name="image", reason="image-deprecated")
    mend_s = 0.0
    ends_service = False

    def __init__(self, ec2: Ec2, image_id: str, days: int, clock: Clock) -> None:
        self._ec2 = ec2
        self._image_id = image_id
        self._days = days
        self._clock = clock
        self._due_s = clock.monotonic()
        self._drift = ""

    def drift(self, _deadline: Deadline) -> str:
        """What was seen today. Raises CloudError, once a day."""
        now_s = self._clock.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + DAY_S
            date, left_s = self._ec2.deprecation(self._image_id)
            is_near = bool(date) and left_s <= self._days * DAY_S
            self._drift = f"the deprecation date of {self._image_id} is {date}" if is_near else ""
        return self._drift

    def mend(self, _deadline: Deadline) -> str:
        """Nobody here can. Never called, as `most_mends` is 0."""
        raise ServiceError("the image cannot be mended")
