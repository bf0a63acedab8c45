"""The user data and the site, resolved as CloudFormation would, are what the agent reads back."""

import dataclasses

import pytest

from bootstrap.base.document import parse_user_data
from bootstrap.base.site import at_site
from bootstrap.base.timing import LeaseTiming
from bootstrap.run.kinds import KINDS
from tests.stacks.templates import resolve, user_data


def document(template):
    text = user_data(template)
    assert len(text.encode()) <= 16_384, "user data is at most 16 KiB"
    return parse_user_data(text, KINDS)


def test_the_agent_reads_back_what_the_stack_wrote(any_template):
    read = document(any_template)
    assert read.stack == read.group.name == "soloist-monitor"
    assert (read.group.launch_hook, read.group.terminate_hook) == ("boot", "drain")
    assert read.group.launch_hook_timeout_s == 600  # as the hook's own, so that the agent prolongs it in time
    assert read.service.units == ("monitor.service",)
    assert [check.kind for check in read.service.health.checks] == ["http", "tcp"]
    assert (read.connection.kind, read.connection.ttl_s) == ("route53", 15)
    assert read.file_system.data_path == "/monitor/data"
    assert read.file_system.lease_path == "/monitor/lease"
    assert read.file_system.dns_name == f"{read.file_system.id}.efs.us-east-1.amazonaws.com"
    assert read.state_parameter == "/soloist/monitor/state"


def test_the_site_says_of_a_deployment_what_its_boot_document_says(any_template):
    parameter = any_template.resources["Site"]["Properties"]
    assert parameter["Name"] == "/soloist/monitor/site"
    assert at_site(document(any_template), resolve(parameter["Value"], any_template), KINDS) == document(any_template)


def test_the_largest_site_fits_into_a_standard_parameter(synth):
    """4096 characters, as PutParameter says of the standard tier. Ids are as long here as on AWS, or longer."""
    record = ".".join(["x" * 63] * 3) + ".example.internal"
    template = synth(zones=[f"us-east-1{letter}" for letter in "abcdef"], dns={"record": record})
    assert len(resolve(template.resources["Site"]["Properties"]["Value"], template)) < 4096


@pytest.mark.parametrize("policy", ["proof", "proof-or-lease"])
def test_the_fence_policy_and_the_timings_of_the_service_file_reach_the_instance(synth, policy):
    changed = {field.name: field.default + 1.0 for field in dataclasses.fields(LeaseTiming)}
    changed["lease_duration_s"] += 10.0  # its parts have grown, too
    changed["takeover_deadline_s"] += 20.0
    read = document(synth(lease={"fence": policy, **changed}, deadlines={"boot_s": 1500.0})).lease
    assert read.fence == policy
    assert dataclasses.asdict(read.timing) == changed


def test_without_a_lease_in_the_service_file_the_defaults_reach_the_instance(template):
    read = document(template).lease
    assert read.fence == "proof-or-lease"
    assert read.timing == LeaseTiming()


def test_zones_carry_their_own_interface_and_mount_target(template):
    read = document(template)
    interfaces = list(template.of_type("AWS::EC2::NetworkInterface"))
    assert [zone.network_interface_id for zone in read.zones] == [f"AWS::EC2::NetworkInterface|{n}" for n in interfaces]
    assert [zone.address for zone in read.zones] == ["10.0.100.10", "10.0.101.10", "10.0.102.10"]
    assert [zone.subnet_cidr for zone in read.zones] == ["10.0.100.0/24", "10.0.101.0/24", "10.0.102.0/24"]
    assert [(each.zone, each.address) for each in read.file_system.mount_targets] == [
        (zone.name, "10.0.0.200") for zone in read.zones
    ]


def test_access_points_are_not_mixed_up(template):
    read = document(template).file_system
    for use, given in (("data", read.data_access_point_id), ("lease", read.lease_access_point_id)):
        name = given.split("|")[1]
        assert template.resources[name]["Properties"]["RootDirectory"]["Path"] == f"/monitor/{use}"


def test_an_existing_file_systems_mount_targets_are_told_by_zone(synth):
    read = document(synth("existing everything"))
    assert read.file_system.id == "fs-0123456789abcdef0"
    assert [each.address for each in read.file_system.mount_targets] == ["172.16.100.4", "172.16.101.4"]


@pytest.mark.parametrize(
    "argument",
    [
        'say "hello"',
        "back\\slash",
        "${AWS::Region} $HOME #{x}",
        "ünïcödé",
        "{'a': [1, 2]}",
        "# comment: yes",
        "-",
        "%s \\n",
    ],
)
def test_any_printable_text_of_the_service_file_survives(synth, argument):
    hooks = {"before_start": [["/usr/bin/printf", argument]]}
    assert document(synth(service={"hooks": hooks})).service.hooks.before_start == (("/usr/bin/printf", argument),)


@pytest.mark.parametrize(
    ("watchdog", "heartbeat_s"),
    [({}, 10), ({"silence_s": 90}, 30), ({"silence_s": 90, "enabled": False}, 60)],
)
def test_the_instance_is_told_how_often_to_send_a_sign_of_life_and_nothing_else_of_the_watchdog(
    synth, watchdog, heartbeat_s
):
    """Three fit into the silence after which it is looked at; without a watchdog they are for alarms alone."""
    template = synth(watchdog=watchdog)
    assert document(template).heartbeat_s == heartbeat_s
    assert "window_s" not in user_data(template)
