"""The lease in the service file: its policy, and the timings of lease and fence.

For: services.spec. Guarantees: timings, defaults and descriptions are those of bootstrap.base.timing, which the
instance checks once more. Does not: judge how they fit together (services.timing asks bootstrap.base.timing).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bootstrap.base.timing import DEFAULT_POLICY, POLICY_SAYS, FencePolicy, LeaseTiming
from services.derived import with_fields_of
from services.part import Part


@with_fields_of(LeaseTiming)
class LeaseSection(Part):
    """The lease on the file system. Leave all of it out unless you have a reason to change it."""

    fence: Annotated[FencePolicy, Field(description=POLICY_SAYS)] = DEFAULT_POLICY

    def timing(self) -> LeaseTiming:
        """The timings alone."""
        return LeaseTiming(**self.model_dump(exclude={"fence"}))
