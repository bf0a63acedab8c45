"""The boot document at the site as it is now: which facts this run of the agent goes by, and one sentence about it.

For: the agent, before it builds the instance. Guarantees: a site that is absent, cannot be read in time or cannot be
used costs SITE_S at most, and the document is taken as it is; a zone that the site does not have yet is looked for
again until then. A run that became ready keeps its site on the machine: a restart of the agent neither asks AWS nor
moves to another network interface while it serves. Does not: look again afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Deadline
from bootstrap.base.document import BootDocument
from bootstrap.base.errors import BadBootDocument, CloudError, DeadlineExceeded
from bootstrap.base.names import site_parameter
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.base.site import at_site
from bootstrap.cloud.clients import passes_with_time
from bootstrap.run.kinds import KINDS

log = logging.getLogger(__name__)

SITE_S = 20.0
PAUSES = Pauses(first_s=1.0)


@dataclass(frozen=True, kw_only=True)
class Sited:
    """The document to go by. `text` is the site it was taken from, "" for none."""

    document: BootDocument
    sentence: str
    text: str = ""


def sited(document: BootDocument, zone: str, kept: str, read: Callable[[], str], deadline: Deadline) -> Sited:
    """`document` at the site `kept` by an earlier run, else at the one that `read` gives. Raises StopRequested."""
    parameter = site_parameter(document.service.name)
    if kept:
        try:
            return Sited(document=at_site(document, kept, KINDS), sentence="kept by an earlier run", text=kept)
        except BadBootDocument as error:
            log.warning("the site of an earlier run cannot be used: %s", error)
    strange: Sited | None = None

    def attempt() -> Sited:
        nonlocal strange
        if not (text := read()):
            raise BadBootDocument("it is not there")
        found = Sited(document=at_site(document, text, KINDS), sentence=f"as {parameter} says", text=text)
        zones = [each.name for each in found.document.zones]
        if zone not in zones:
            strange = found
            raise NotYet(f"{parameter} has no zone {zone}, only {', '.join(zones)}")
        return found

    try:
        return retry(attempt, deadline, PAUSES, passes=passes_with_time, say=lambda seen: log.info("site: %s", seen))
    except (BadBootDocument, CloudError, DeadlineExceeded) as error:
        if strange is not None:  # where it cannot boot, its own document must not let it
            return strange
        return Sited(document=document, sentence=f"as this version was deployed, without {parameter}: {error}")
