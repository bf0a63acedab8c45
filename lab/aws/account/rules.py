"""Brings the strict rules into force for one cloud: applies what the service rooms declare, and checks that it fits.

For: `ControlPlane` and `strict_mock_aws`. Guarantees: either all rules are in force or none; refuses to start on a moto
they do not fit. Does not: know the rules. A module that declares patches must be imported here, or above.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import lab.aws.account.log_events
import lab.aws.account.policy_sizes
import lab.aws.autoscaling.account_settings
import lab.aws.autoscaling.group_members_api
import lab.aws.cloudformation.api
import lab.aws.cloudformation.request_api
import lab.aws.cloudwatch.alarms
import lab.aws.cloudwatch.get_metric_data
import lab.aws.cloudwatch.metric_data
import lab.aws.ec2.console_output
import lab.aws.ec2.images
import lab.aws.ec2.launch_templates
import lab.aws.ec2.network_interface_api
import lab.aws.ec2.subnets
import lab.aws.efs.file_systems
import lab.aws.lambdas.invoke_api
import lab.aws.route53.changes  # noqa: F401 - each declares patches; what these import declares theirs
from lab.aws.autoscaling.groups import run_groups
from lab.aws.core import cloud as one_cloud
from lab.aws.core import patches
from lab.aws.ec2.console_output import post_console
from lab.aws.ec2.instance_status import watch_status
from lab.aws.ec2.state import observe_machines


class RulesDoNotFit(Exception):
    """The installed moto is not the one the rules are written for."""


@contextmanager
def in_force(cloud: one_cloud.Cloud) -> Iterator[None]:
    """Strict rules for everything moto answers in this process while the context lasts. Raises RulesDoNotFit."""
    findings = patches.verify()
    if findings:
        raise RulesDoNotFit("the lab's AWS rules do not fit the installed moto:\n" + "\n".join(findings))
    one_cloud.activate(cloud)
    cloud.observers, cloud.steps = [observe_machines, post_console], [watch_status, run_groups]
    patches.apply()
    try:
        # Only registered images exist; moto's 1,300 would cost 0.2 s per start.
        with environment("MOTO_EC2_LOAD_DEFAULT_AMIS", "false"):
            yield
    finally:
        patches.revert()
        one_cloud.deactivate(cloud)


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """A variable of this process's environment while the context lasts."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
