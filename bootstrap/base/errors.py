"""The agent's own errors and the exit codes they end in.

For: every adapter turns a foreign error (botocore, netlink, subprocess) into one of these at its edge, so that the
decisions above see one small tree. Each carries a stable `reason`, the same word in log, state parameter and docs.
Guarantees: `str(error)` names the thing, what is wrong with it, and what to do about it.
Does not: retry or report; that is the caller's part.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal


class ExitCode(IntEnum):
    """Exit codes of the agent, documented in docs/runbook.md.

    systemd does not restart the agent after some of them. So they are nobody else's: Python ends with 1, 2 or 120, a
    shell with 126, 127 or 128 + a signal, sysexits.h has 64 to 78, and systemd.exec(5) has 200 to 245."""

    OK = 0
    DEFECT = 80  # an exception nobody expected; systemd starts the agent again, which is safe at every point
    FAILED = 81  # a step failed; the launch hook was told ABANDON
    BAD_BOOT_DOCUMENT = 83  # nothing was touched
    SURROUNDINGS = 84  # metadata service or operating system refused before anything was claimed
    TIMED_OUT = 85  # a wait passed its deadline
    INCOMPLETE = 86  # stopping did not finish: something may still be mounted or attached
    NOT_TOLD = 87  # this instance has to go and the group could not be told; systemd starts the agent again


# Every word that a state, a log line or a notification may give as its reason; docs/runbook.md has a row for each.
Reason = Literal[
    "access-denied",
    "aws-call-failed",
    "bad-boot-document",
    "clock-skew",
    "connection-contested",
    "data-outside-fence",
    "failed",
    "fence-unavailable",
    "file-system-foreign",
    "file-system-full",
    "file-system-read-only",
    "file-system-refused",
    "file-system-stale",
    "file-system-stalled",
    "heartbeat-not-sent",
    "hook-failed",
    "image-deprecated",
    "incomplete",
    "lease-behind",
    "lease-lost",
    "lease-not-held",
    "log-not-sent",
    "maintenance",
    "maintenance-scheduled",
    "message-not-sent",
    "mount-failed",
    "network-interface-held",
    "network-interface-lost",
    "network-interface-unusable",
    "not-in-group",
    "rebalance-recommended",
    "record-of-another-kind",
    "service-failed",
    "spot-interruption",
    "state-not-written",
    "surplus",
    "surroundings",
    "takeover-deadline",
    "timed-out",
    "unit-outside-fence",
    "unit-settings-changed",
    "wrong-zone",
]

# What to do about a reason that has one remedy, whoever meets it.
REMEDIES: dict[Reason, str] = {
    "access-denied": (
        "Compare the policies of the instance's role with those of the stack, and look for a policy that denies"
    ),
    "clock-skew": "Set the clock of this instance: chronyc tracking shows how far off it is",
    "file-system-full": "Delete what is not needed on it, or raise its quota; df and df -i show what is left",
    "heartbeat-not-sent": (
        "Compare the policies of the instance's role with those of the stack, and look at the way to CloudWatch "
        "(routes, or an interface endpoint for monitoring)"
    ),
    "image-deprecated": (
        "Bake a new image, deploy and promote it. The group goes on launching the image after that date; its owner "
        "moves it by aws ec2 enable-image-deprecation"
    ),
    "log-not-sent": (
        "Compare the policies of the instance's role with those of the stack, and look at the log group, which a "
        "deployment without logs.cloudwatch deletes, and at the way there (routes, or an interface endpoint for logs)"
    ),
    "maintenance-scheduled": (
        "End this instance at a time that suits you, before EC2 does: aws autoscaling "
        "terminate-instance-in-auto-scaling-group --no-should-decrement-desired-capacity"
    ),
    "message-not-sent": (
        "Compare the policies of the instance's role with those of the stack, and look at the topic, its key, the "
        "receiver of the webhook, and the way there"
    ),
    "rebalance-recommended": "Set notices.rebalance to replace if an early replacement suits you better",
    "record-of-another-kind": (
        "Remove it, if nobody needs it, or give the service another name; soloist changes a simple A record only"
    ),
    "state-not-written": (
        "Compare the policies of the instance's role with those of the stack, and look at the way to Systems Manager "
        "(routes, or an interface endpoint for ssm)"
    ),
    "wrong-zone": "The group's subnets and the service's zones must be the same; deploy the stack again",
}


class AgentError(Exception):
    """A failure with a stable reason. `remedy` is one imperative sentence for the operator."""

    reason: Reason = "failed"
    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, remedy: str = "") -> None:
        remedy = remedy or REMEDIES.get(self.reason, "")
        super().__init__(f"{what}. {remedy}".rstrip(". ") + "." if remedy else what)
        self.what = what
        self.remedy = remedy


class BadBootDocument(AgentError):
    """The user data is not a boot document this agent understands."""

    reason: Reason = "bad-boot-document"
    exit_code = ExitCode.BAD_BOOT_DOCUMENT


class WrongZone(BadBootDocument):
    """The group launched this instance in a zone where the service has no network interface."""

    reason: Reason = "wrong-zone"


class SurroundingsError(AgentError):
    """The metadata service, the kernel or systemd does not do what every instance needs."""

    reason: Reason = "surroundings"
    exit_code = ExitCode.SURROUNDINGS


class DeadlineExceeded(AgentError):
    """A wait passed its deadline; the message says what was waited for and for how long, `seen` what was seen last."""

    reason: Reason = "timed-out"
    exit_code = ExitCode.TIMED_OUT

    def __init__(self, what: str, *, seen: str = "") -> None:
        super().__init__(f"{what}; last seen: {seen}" if seen else what)
        self.seen = seen

    def because(self, cause: AgentError | None) -> DeadlineExceeded:
        """This, with the reason of the error that the last attempt met, where that has a remedy of its own."""
        if cause is not None and cause.reason in REMEDIES:
            self.reason = cause.reason
        return self


class CloudError(AgentError):
    """An AWS call failed. `code` is the AWS error code, `retryable` whether trying again can help. Where the cause is
    known, `reason` names it: `clock-skew`, `access-denied`."""

    reason: Reason = "aws-call-failed"

    def __init__(
        self, what: str, *, code: str, retryable: bool, remedy: str = "", reason: Reason | None = None
    ) -> None:
        self.reason = reason or self.reason
        super().__init__(what, remedy=remedy)
        self.code = code
        self.retryable = retryable


class ClaimRefused(AgentError):
    """The network interface of this zone is held by an instance that is not proven dead."""

    reason: Reason = "network-interface-held"


class RecordOfAnotherKind(AgentError):
    """At the service's name is a DNS record that is no simple A record: somebody made it for another purpose."""

    reason: Reason = "record-of-another-kind"


class MountError(AgentError):
    """The file system could not be mounted, or what is mounted is not what was asked for."""

    reason: Reason = "mount-failed"


class FileSystemFull(AgentError):
    """A write found no space (ENOSPC) or no quota (EDQUOT) on the file system of the data and the lease."""

    reason: Reason = "file-system-full"


class ServiceError(AgentError):
    """A systemd unit of the service did not start, stop or become healthy."""

    reason: Reason = "service-failed"


class HookError(ServiceError):
    """A command of the user (before start, after start, before stop) failed or ran out of time."""

    reason: Reason = "hook-failed"


class LinkError(AgentError):
    """The network interface is attached, but the operating system cannot use it as asked."""

    reason: Reason = "network-interface-unusable"


class FenceError(AgentError):
    """The fence does not answer, or refuses to guard what it is told; without it the service must not run."""

    reason: Reason = "fence-unavailable"


class NotHolder(AgentError):
    """This instance does not hold the lease, or cannot prove it now; nothing that others use may be touched."""

    reason: Reason = "lease-not-held"


class LeaseBehind(AgentError):
    """The data were written by somebody whom the held generation does not follow."""

    reason: Reason = "lease-behind"


class LeaseRefused(AgentError):
    """The lease was not taken; `reason` is the rules' own word: surplus, not-in-group, takeover-deadline."""

    def __init__(self, what: str, *, reason: Reason, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason


class HeartbeatNotSent(AgentError):
    """CloudWatch has taken no sign of life for a while; who watches from outside sees nothing of this instance."""

    reason: Reason = "heartbeat-not-sent"


class LogNotSent(AgentError):
    """CloudWatch Logs has taken no line of the log for a while; the journal of the instance has them all."""

    reason: Reason = "log-not-sent"


class StateNotWritten(AgentError):
    """The state parameter cannot be written; who reads it sees an old state."""

    reason: Reason = "state-not-written"


class MessageNotSent(AgentError):
    """A channel takes no message; whoever is told by it learns nothing."""

    reason: Reason = "message-not-sent"


class StopRequested(Exception):
    """Somebody asked the agent to stop while it was waiting; not a failure, so not an AgentError."""
