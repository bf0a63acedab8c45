"""What can go wrong for the operator, and the exit code each error ends in (docs/runbook.md).

For: every part of `rollout` raises these; the command prints one line and exits with `exit_code`.
Guarantees: the message names the thing, the reason and the remedy. Does not: retry.
"""

from __future__ import annotations


class RolloutError(Exception):
    """AWS refused or did not answer before anything was changed."""

    exit_code = 1


class PreconditionError(RolloutError):
    """What was asked for does not fit what is there, or AWS cannot be used from here; nothing was changed."""

    exit_code = 4


class NotReadyInTime(RolloutError):
    """Everything asked of AWS was done, but the service was not ready before the deadline."""

    exit_code = 5


class IncompleteError(RolloutError):
    """Something was changed and something was not; the message says what, and how to go on."""

    exit_code = 6


INTERRUPTED = 130  # by Ctrl-C; the same command again completes what it began
