"""The agent's own errors and the exit codes they end in.

For: every adapter turns a foreign error (botocore, netlink, subprocess) into one of these at its edge, so that the
decisions above see one small tree. Each carries a stable `reason`, the same word in log, state parameter and docs.
Guarantees: `str(error)` names the thing, what is wrong with it, and what to do about it.
Does not: retry or report; that is the caller's part.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the agent, documented in docs/exit-codes.md."""

    OK = 0
    FAILED = 1  # a step failed; the launch hook was told ABANDON
    BAD_BOOT_DOCUMENT = 3  # nothing was touched
    SURROUNDINGS = 4  # metadata service or operating system refused before anything was claimed
    TIMED_OUT = 5  # a wait passed its deadline
    INCOMPLETE = 6  # stopping did not finish: something may still be mounted or attached
    LEASE_LOST = 7  # the lease was lost and the group could not be told; systemd starts the agent, which tries again
    DEFECT = 70  # an exception nobody expected; systemd starts the agent again, which is safe at every point


class AgentError(Exception):
    """A failure with a stable reason. `remedy` is one imperative sentence for the operator."""

    reason = "failed"
    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what}. {remedy}".rstrip(". ") + "." if remedy else what)
        self.what = what
        self.remedy = remedy


class BadBootDocument(AgentError):
    """The user data is not a boot document this agent understands."""

    reason = "bad-boot-document"
    exit_code = ExitCode.BAD_BOOT_DOCUMENT


class SurroundingsError(AgentError):
    """The metadata service, the kernel or systemd does not do what every instance needs."""

    reason = "surroundings"
    exit_code = ExitCode.SURROUNDINGS


class DeadlineExceeded(AgentError):
    """A wait passed its deadline; the message says what was waited for and for how long, `seen` what was seen last."""

    reason = "timed-out"
    exit_code = ExitCode.TIMED_OUT

    def __init__(self, what: str, *, seen: str = "") -> None:
        super().__init__(f"{what}; last seen: {seen}" if seen else what)
        self.seen = seen


class CloudError(AgentError):
    """An AWS call failed. `code` is the AWS error code, `retryable` whether trying again can help."""

    reason = "aws-call-failed"

    def __init__(self, what: str, *, code: str, retryable: bool, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.code = code
        self.retryable = retryable


class ClaimRefused(AgentError):
    """The network interface of this zone is held by an instance that is not proven dead."""

    reason = "network-interface-held"


class MountError(AgentError):
    """The file system could not be mounted, or what is mounted is not what was asked for."""

    reason = "mount-failed"


class ServiceError(AgentError):
    """A systemd unit of the service did not start, stop or become healthy."""

    reason = "service-failed"


class HookError(ServiceError):
    """A command of the user (before start, after start, before stop) failed or ran out of time."""

    reason = "hook-failed"


class LinkError(AgentError):
    """The network interface is attached, but the operating system cannot use it as asked."""

    reason = "network-interface-unusable"


class FenceError(AgentError):
    """The fence does not answer, or refuses to guard what it is told; without it the service must not run."""

    reason = "fence-unavailable"


class NotHolder(AgentError):
    """This instance does not hold the lease, or cannot prove it now; nothing that others use may be touched."""

    reason = "lease-not-held"


class LeaseRefused(AgentError):
    """The lease was not taken; `reason` is the rules' own word: surplus, not-in-group, takeover-deadline."""

    def __init__(self, what: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason


class StopRequested(Exception):
    """Somebody asked the agent to stop while it was waiting; not a failure, so not an AgentError."""
