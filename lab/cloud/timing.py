"""How long AWS takes, as named numbers.

For: every asynchronous change of the control plane asks here for its delay, so that one profile serves quick tests and
another one tells the truth about AWS. Guarantees: all values are seconds. Does not: draw from distributions (issue 3).
Sources of `AWS`: reference/peers.md 2.29 (pending to running 16-18 s: brevdev/ec2-coldboot-research; ENI release
"after a minute or two": terraform-aws-nat-instance#57), aws-facts.md 1.3 (status checks every minute, the group
"waits a few minutes" on impaired) and 2.1 (attach "a few s", no published number). Values without a published number
are marked.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Delays of the control plane, all in seconds."""

    pending_s: float  # RunInstances until the instance is running
    status_initializing_s: float  # running until the status checks say ok
    shutdown_deadline_s: float  # power button until the power is cut
    stopping_poll_s: float  # how often a stopping machine is looked at
    release_s: float  # machine off until its interfaces are free and it is terminated
    terminated_visible_s: float  # how long a terminated instance is still described
    attach_s: float  # attaching until attached
    detach_s: float  # detaching until available
    insync_s: float  # Route 53 change PENDING until INSYNC
    impaired_after_s: float  # machine off unasked until the status check fails
    impaired_replace_s: float  # impaired until the group calls it unhealthy
    group_poll_s: float  # how often a group looks at the health of its instances
    launch_retry_s: float  # after a failed launch until the next try
    custom_resource_timeout_s: float  # until a custom resource that does not answer has failed
    stack_settle_s: float  # deadline for a group to drain when its stack is deleted
    route53_burst: float = 50.0  # requests that may come at once
    route53_rate_per_s: float = 0.0  # requests per second afterwards; 0: no limit


FAST = Timing(
    pending_s=0.5,
    status_initializing_s=1.0,
    shutdown_deadline_s=30.0,
    stopping_poll_s=0.2,
    release_s=0.5,
    terminated_visible_s=3600.0,
    attach_s=0.3,
    detach_s=0.3,
    insync_s=1.0,
    impaired_after_s=1.0,
    impaired_replace_s=1.0,
    group_poll_s=0.5,
    launch_retry_s=3.0,
    custom_resource_timeout_s=60.0,
    stack_settle_s=120.0,
)

AWS = Timing(
    pending_s=17.0,
    status_initializing_s=120.0,
    shutdown_deadline_s=600.0,  # no published number
    stopping_poll_s=1.0,
    release_s=10.0,  # no published number
    terminated_visible_s=3600.0,
    attach_s=3.0,  # "a few s"
    detach_s=5.0,  # no published number; more than 200 s has been seen
    insync_s=30.0,  # documented as "usually within 60 seconds"
    impaired_after_s=60.0,
    impaired_replace_s=180.0,  # "a few minutes"
    group_poll_s=30.0,  # no published number
    launch_retry_s=60.0,
    custom_resource_timeout_s=3600.0,
    stack_settle_s=3600.0,
)

INSTANT = Timing(
    pending_s=0.0,
    status_initializing_s=0.0,
    shutdown_deadline_s=0.0,
    stopping_poll_s=0.0,
    release_s=0.0,
    terminated_visible_s=3600.0,
    attach_s=0.0,
    detach_s=0.0,
    insync_s=0.0,
    impaired_after_s=0.0,
    impaired_replace_s=0.0,
    group_poll_s=0.0,
    launch_retry_s=60.0,
    custom_resource_timeout_s=60.0,
    stack_settle_s=60.0,
)

PROFILES = {"fast": FAST, "aws": AWS}
