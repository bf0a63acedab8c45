"""How long AWS takes, as named numbers and distributions.

For: every asynchronous change of the control plane asks here for its delay, so that one profile serves quick tests and
another one tells the truth about AWS. Guarantees: all values are seconds; a `Spread` is drawn from a generator with a
seed, one stream per delay, so that the n-th attach of a run takes as long as the n-th attach of the next one.
Does not: know what is delayed.
Sources of `AWS`: brevdev/ec2-coldboot-research (pending to running 16-18 s); ansible-collections/amazon.aws#501 (a
detach of more than 200 s); aws/amazon-ecs-agent#1520 (attached to visible up to 3 min on a sick instance);
int128/terraform-aws-nat-instance#57 (interface released "after a minute or two"); EC2 user guide "Status checks for
your instances" (every minute); Auto Scaling user guide "Health checks for instances" (impaired: "waits a few minutes");
amazonlinux/amazon-ec2-net-utils (metadata lags behind an attach, up to 60 tries); EFS user guide "Mounting on EC2 with
a DNS name" (90 s until a mount target's name resolves); Route 53 API reference GetChange (INSYNC "generally within 60
seconds"). Where a line below says that no number is published, the value is our estimate.
"""

import math
import random
from dataclasses import dataclass, replace
from statistics import NormalDist

_Z99 = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True)
class Spread:
    """A log-normal delay of at least `least_s`: half are below `median_s`, one in a hundred is above `p99_s`."""

    median_s: float
    p99_s: float
    least_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.least_s < self.median_s < self.p99_s:
            raise ValueError(f"{self}: least, median and 99th percentile must grow")

    def draw(self, source: random.Random) -> float:
        median, p99 = self.median_s - self.least_s, self.p99_s - self.least_s
        return self.least_s + source.lognormvariate(math.log(median), math.log(p99 / median) / _Z99)


Delay = float | Spread


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Delays of the control plane, in seconds. A `Delay` belongs to asynchronous work and is drawn each time."""

    pending_s: Delay  # RunInstances until the instance is running
    status_initializing_s: float  # running until the status checks say ok
    shutdown_deadline_s: float  # power button until the power is cut
    stopping_poll_s: float  # how often a stopping machine is looked at
    release_s: Delay  # machine off until its interfaces are free and it is terminated
    terminated_visible_s: float  # how long a terminated instance is still described
    attach_s: Delay  # attaching until attached
    detach_s: Delay  # detaching until available
    insync_s: Delay  # Route 53 change PENDING until INSYNC
    impaired_after_s: Delay  # machine off unasked until the status check fails
    impaired_replace_s: float  # impaired until the group calls it unhealthy
    group_poll_s: float  # how often a group looks at the health of its instances
    launch_retry_s: float  # after a failed launch until the next try
    custom_resource_timeout_s: float  # until a custom resource that does not answer has failed
    stack_settle_s: float  # deadline for a group to drain when its stack is deleted
    hung_after_s: float = 60.0  # machine on and silent until the status check fails
    console_post_s: float = 2.0  # running until the console's output is posted
    minute_s: float = 60.0  # of schedules, and of waits that AWS counts in minutes
    file_system_s: Delay = 0.0  # CreateFileSystem until available
    mount_target_s: Delay = 0.0  # CreateMountTarget until available, DeleteMountTarget until gone
    metadata_lag_s: Delay = 2.0  # attached until IMDS shows the interface in full
    change_busy_s: float = 0.0  # a hosted zone refuses further changes while it processes one
    route53_burst: float = 50.0  # requests that may come at once
    route53_rate_per_s: float = 0.0  # requests per second afterwards; 0: no limit


class Clockmaker:
    """Draws the delays of one timing profile. Not thread-safe: call under the cloud's lock."""

    def __init__(self, timing: Timing, seed: int) -> None:
        self._timing = timing
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def draw(self, name: str) -> float:
        """The next delay of this name, e.g. "attach_s", in seconds."""
        delay: Delay = getattr(self._timing, name)
        if not isinstance(delay, Spread):
            return delay
        if name not in self._streams:
            self._streams[name] = random.Random(f"{self._seed}/{name}")
        return delay.draw(self._streams[name])


# A minute, and what a hung machine takes, are as on AWS: agents and functions live in real time. A machine that a test
# freezes for half a minute has to be seen by them first.
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
    file_system_s=0.2,
    mount_target_s=0.5,
    change_busy_s=0.05,
    route53_rate_per_s=10.0,
)

AWS = Timing(
    pending_s=Spread(17.0, 30.0, least_s=12.0),  # 16-18 s measured
    status_initializing_s=120.0,
    shutdown_deadline_s=600.0,  # no published number
    stopping_poll_s=1.0,
    release_s=Spread(10.0, 120.0, least_s=2.0),  # "after a minute or two"; no published number
    terminated_visible_s=3600.0,
    attach_s=Spread(3.0, 15.0, least_s=1.0),  # "a few s"
    detach_s=Spread(8.0, 200.0, least_s=2.0),  # more than 200 s has been seen
    insync_s=Spread(30.0, 60.0, least_s=5.0),  # "generally within 60 seconds"
    impaired_after_s=Spread(60.0, 120.0, least_s=30.0),  # checks run every minute
    hung_after_s=120.0,  # checks run every minute; no published number
    console_post_s=60.0,  # "shortly after"; no published number
    impaired_replace_s=180.0,  # "a few minutes"
    group_poll_s=30.0,  # no published number
    launch_retry_s=60.0,
    custom_resource_timeout_s=3600.0,
    stack_settle_s=3600.0,
    file_system_s=Spread(5.0, 20.0),  # no published number
    mount_target_s=Spread(60.0, 120.0, least_s=20.0),  # no published number; "wait 90 s" before mounting by name
    metadata_lag_s=Spread(10.0, 60.0, least_s=1.0),  # no published number; net-utils tries up to 60 times
    change_busy_s=0.3,  # no published number
    route53_rate_per_s=10.0,
)

# For a clock that stands still between calls: what limits calls per second would never let go there.
BY_HAND = replace(FAST, change_busy_s=0.0, route53_rate_per_s=0.0)

_SEEN = """pending_s status_initializing_s shutdown_deadline_s stopping_poll_s release_s attach_s detach_s insync_s
    impaired_after_s impaired_replace_s group_poll_s file_system_s mount_target_s metadata_lag_s"""

# Everything that is asked for has happened when the call returns.
INSTANT = replace(BY_HAND, launch_retry_s=60.0, **dict.fromkeys(_SEEN.split(), 0.0))
