"""Brings the strict rules into force for one cloud: applies what the service rooms declare, and checks that it fits.

For: `ControlPlane` and `strict_mock_aws`. Guarantees: either all rules are in force or none; refuses to start on a moto
they do not fit. Does not: know the rules. A module that declares patches must be imported here, or above.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import lab.aws.autoscaling.account_settings
import lab.aws.autoscaling.group_members_api
import lab.aws.autoscaling.group_notifications
import lab.aws.cloudformation.api
import lab.aws.ec2.launch_templates
import lab.aws.ec2.network_interface_api
import lab.aws.efs.file_systems
import lab.aws.route53.changes  # noqa: F401 - each declares patches; what these import declares theirs
from lab.aws.autoscaling.groups import run_groups
from lab.aws.core import cloud as one_cloud
from lab.aws.core import patches
from lab.aws.ec2.instance_status import watch_status
from lab.aws.ec2.state import observe_machines

_LOAD_IMAGES = "MOTO_EC2_LOAD_DEFAULT_AMIS"


class RulesDoNotFit(Exception):
    """The installed moto is not the one the rules are written for."""


@contextmanager
def in_force(cloud: one_cloud.Cloud) -> Iterator[None]:
    """Strict rules for everything moto answers in this process while the context lasts. Raises RulesDoNotFit."""
    findings = patches.verify()
    if findings:
        raise RulesDoNotFit("the lab's AWS rules do not fit the installed moto:\n" + "\n".join(findings))
    one_cloud.activate(cloud)
    cloud.observers, cloud.steps = [observe_machines], [watch_status, run_groups]
    patches.apply()
    before = os.environ.get(_LOAD_IMAGES)
    os.environ[_LOAD_IMAGES] = "false"  # only registered images exist; moto's 1,300 would cost 0.2 s per start
    try:
        yield
    finally:
        if before is None:
            del os.environ[_LOAD_IMAGES]
        else:
            os.environ[_LOAD_IMAGES] = before
        patches.revert()
        one_cloud.deactivate(cloud)
