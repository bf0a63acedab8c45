"""What can stop a lab run, and the exit code it ends in (docs/runbook.md).

For: every room of the lab raises one of these when it cannot go on; programs print it as one line and exit.
Guarantees: the message names the thing, the reason and the remedy. Does not: cover defects, which keep their trace.
"""


class LabError(Exception):
    """The lab cannot go on; the message says why and what to do."""

    exit_code = 1


class LabPreconditionError(LabError):
    """This machine lacks something; nothing was built or started."""

    exit_code = 4


class LabTimeout(LabError):
    """Something did not happen before its deadline; the message says what was waited for."""

    exit_code = 5
