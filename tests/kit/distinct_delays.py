"""Delays of the lab's AWS that differ from each other, so that a test sees which one was waited for."""

from lab.aws.core.timing import Timing

DISTINCT = Timing(
    pending_s=10,
    status_initializing_s=60,
    shutdown_deadline_s=100,
    stopping_poll_s=1,
    release_s=4,
    terminated_visible_s=3600,
    attach_s=3,
    detach_s=5,
    insync_s=30,
    impaired_after_s=60,
    hung_after_s=90,
    console_post_s=7,
    impaired_replace_s=120,
    group_poll_s=15,
    launch_retry_s=60,
    custom_resource_timeout_s=10,
    stack_settle_s=10,
)
