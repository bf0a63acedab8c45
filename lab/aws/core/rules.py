"""Brings the strict rules into force for one cloud: imports every module that declares patches, applies, checks.

For: `ControlPlane` and `strict_mock_aws`. Guarantees: either all rules are in force or none; refuses to start on a moto
they do not fit. Does not: know the rules.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lab.aws.autoscaling import group_api, group_members_api, group_notifications
from lab.aws.autoscaling.groups import run_groups
from lab.aws.cloudformation import api as cloudformation
from lab.aws.core import account_settings, call_log, credentials, in_process, patches, state
from lab.aws.ec2 import instance_status, instances, launch_templates, network_interface_api, network_interfaces
from lab.aws.efs import file_systems
from lab.aws.route53 import changes as route53

RULE_MODULES = (
    account_settings,
    call_log,
    cloudformation,
    credentials,
    file_systems,
    group_api,
    group_members_api,
    group_notifications,
    in_process,
    instance_status,
    instances,
    launch_templates,
    network_interface_api,
    network_interfaces,
    route53,
)


_LOAD_IMAGES = "MOTO_EC2_LOAD_DEFAULT_AMIS"


class RulesDoNotFit(Exception):
    """The installed moto is not the one the rules are written for."""


@contextmanager
def in_force(cloud: state.Cloud) -> Iterator[None]:
    """Strict rules for everything moto answers in this process while the context lasts."""
    findings = patches.verify()
    if findings:
        raise RulesDoNotFit("the lab's AWS rules do not fit the installed moto:\n" + "\n".join(findings))
    state.activate(cloud)
    cloud.steps = [instance_status.watch_status, run_groups]
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
        state.deactivate(cloud)
