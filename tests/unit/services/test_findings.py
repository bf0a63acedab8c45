"""Every mistake in a service file is found, at once, with path, value, problem and remedy."""

from __future__ import annotations

import copy
import random

import pytest

from services.findings import Finding, ServiceFileError
from services.load import LONGEST_DOCUMENT, parse_service

GOOD = {
    "name": "monitor",
    "region": "us-east-1",
    "instance": {"type": "t3.small", "ami": "ami-0123456789abcdef0"},
    "dns": {"zone": "example.internal", "record": "monitor.example.internal"},
    "file_system": {
        "directories": [
            {"source": "lib", "target": "/var/lib/monitor"},
            {"source": "etc", "target": "/etc/monitor"},
        ]
    },
    "service": {
        "units": ["monitor.service"],
        "health": {"checks": [{"kind": "http", "url": "http://127.0.0.1:8080/"}]},
    },
    "ports": [{"port": 8080, "allow_from": ["10.0.0.0/16"]}],
}
VPC = {
    "id": "vpc-0123456789abcdef0",
    "zones": {
        "us-east-1a": {
            "instance_subnet_id": "subnet-0000000a",
            "service_subnet_id": "subnet-0000000b",
            "service_subnet_cidr": "172.16.0.0/26",
        },
        "us-east-1b": {
            "instance_subnet_id": "subnet-0000000c",
            "service_subnet_id": "subnet-0000000d",
            "service_subnet_cidr": "172.16.1.0/26",
        },
    },
}
EXISTING = {
    "id": "fs-0123456789abcdef0",
    "mount_targets": {"us-east-1a": "172.16.8.4", "us-east-1b": "172.16.9.4"},
    "security_group_id": "sg-0123456789abcdef0",
}
ABSENT = object()


def changed(*changes):
    """GOOD with values replaced (or, ABSENT, removed) at paths like "dns.record" and "ports.0.port"."""
    tree = copy.deepcopy(GOOD)
    for path, value in changes:
        node = tree
        *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in above:
            node = node.setdefault(step, {}) if isinstance(node, dict) else node[step]
        if value is ABSENT:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = copy.deepcopy(value)
    return tree


def findings(tree) -> list[Finding]:
    try:
        parse_service(tree, source="test.yaml")
    except ServiceFileError as error:
        return error.findings
    return []


def test_the_good_file_has_no_findings():
    assert findings(GOOD) == []


# Each row: what is changed, and for each finding its path and words of its problem or remedy.
ONE_MISTAKE = [
    # unknown keys
    ([("dns.ttl", 10)], "dns.ttl", "Write ttl_s"),
    ([("colour", "red")], "colour", "Known keys: addresses, deadlines"),
    ([("file_system.directories.0.onwer", "me")], "file_system.directories[0].onwer", "Write owner"),
    ([("service.health.checks.0.status", 200)], "service.health.checks[0].status", "Write expect_status"),
    # missing
    ([("dns.record", ABSENT)], "dns.record", "Add it. A domain name"),
    ([("instance", ABSENT)], "instance", "needs type, ami"),
    ([("service.health.checks.0.url", ABSENT)], "service.health.checks[0].url", "Add it. An http or https URL"),
    # wrong types and forms
    ([("name", "Monitor")], "name", "Lower case letters"),
    ([("name", 5)], "name", "valid string"),
    ([("region", "mars")], "region", "An AWS region"),
    ([("instance.ami", "resolve:ssm:/ami")], "instance.ami", "pinned"),
    ([("instance.type", "big")], "instance.type", "t3.small"),
    ([("dns.ttl_s", "ten")], "dns.ttl_s", "valid integer"),
    ([("dns.ttl_s", 0)], "dns.ttl_s", "greater than or equal to 1"),
    ([("dns.private", "yes")], "dns.private", "true or false"),
    ([("dns.record", "Monitor.example.internal.")], "dns.record", "without a trailing dot"),
    ([("file_system.transport", "smb")], "file_system.transport", "Use one of efs-tls, nfs"),
    ([("file_system.directories", [])], "file_system.directories", "empty"),
    ([("file_system.directories.0.mode", 488)], "file_system.directories[0].mode", "quoted"),
    ([("file_system.directories.0.mode", "0999")], "file_system.directories[0].mode", "Octal"),
    ([("file_system.directories.0.target", "var/lib")], "file_system.directories[0].target", "absolute"),
    ([("file_system.directories.0.source", "/lib")], "file_system.directories[0].source", "without leading slash"),
    ([("file_system.directories.0", "lib")], "file_system.directories[0]", "needs source, target"),
    ([("service.units.0", "monitor")], "service.units[0]", "with its suffix"),
    ([("service.health.checks.0.kind", "ping")], "service.health.checks[0]", "Use one of command, file, http, tcp"),
    ([("service.health.checks.0.url", "ftp://x")], "service.health.checks[0].url", "http or https"),
    ([("service.health.interval_s", -1)], "service.health.interval_s", "greater than 0"),
    ([("service.hooks.before_start", ["ls -l"])], "service.hooks.before_start[0]", "as a list"),
    ([("service.hooks.before_start", [["a\nb"]])], "service.hooks.before_start[0][0]", "line break"),
    ([("service.hooks.before_start", [["a\u2028b"]])], "service.hooks.before_start[0][0]", "control character"),
    ([("ports.0.port", 70000)], "ports[0].port", "from 1 to 65535"),
    ([("ports.0.protocol", "icmp")], "ports[0].protocol", "Use one of tcp, udp"),
    ([("ports.0.allow_from", ["10.0.0.1/8"])], "ports[0].allow_from[0]", "host bits"),
    ([("ports.0.allow_from", ["10.0.0.300/32"])], "ports[0].allow_from[0]", "10.0.0.300"),
    ([("ports.0.allow_from", [])], "ports[0].allow_from", "empty"),
    ([("vpc", {"cidr": "10.0.0.0/20"})], "vpc.cidr", "not between /16 and /16"),
    ([("notify", ["nobody"])], "notify[0]", "An e-mail address"),
    ([("zones", ["us-east-1"])], "zones[0]", "An availability zone"),
    ([("addresses", {"a": "10.0.100.10"})], "addresses.a", "key"),
    ([("addresses", {"us-east-1a": "10.0.100.999"})], "addresses.us-east-1a", "10.0.100.999"),
    ([("lifecycle_hooks.boot_heartbeat_s", 10000)], "lifecycle_hooks.boot_heartbeat_s", "7200"),
    ([("deadlines.boot_s", True)], "deadlines.boot_s", "valid number"),
    # clashes
    ([("dns.record", "monitor.example.com")], "dns.record", "not inside the zone example.internal"),
    ([("dns.record", "example.internal")], "dns.record", "not inside"),
    ([("dns.record", "monitorexample.internal")], "dns.record", "not inside"),
    ([("file_system.directories.1.target", "/var/lib/monitor")], "file_system.directories[1].target", "nested"),
    ([("file_system.directories.1.target", "/var/lib/monitor/x")], "file_system.directories[1].target", "nested"),
    ([("file_system.directories.0.target", "/etc/monitor/x")], "file_system.directories[1].target", "nested"),
    ([("file_system.directories.1.source", "lib/x")], "file_system.directories[1].source", "nested"),
    ([("file_system.directories.0.source", "a/../b")], "file_system.directories[0].source", ". or .."),
    ([("file_system.directories.0.target", "/var/lib/../x")], "file_system.directories[0].target", ". or .."),
    ([("file_system.directories.0.target", "/usr/share/x")], "file_system.directories[0].target", "operating system"),
    ([("file_system.directories.1.target", "/etc")], "file_system.directories[1].target", "operating system"),
    ([("ports.1", {"port": 8080, "allow_from": ["10.1.0.0/16"]})], "ports[1].port", "given twice"),
    ([("zones", ["us-west-2a"])], "zones[0]", "not a zone of us-east-1"),
    ([("zones", ["us-east-1a", "us-east-1a"])], "zones[1]", "named twice"),
    ([("addresses", {"us-east-1f": "10.0.100.10"})], "addresses.us-east-1f", "not a zone of this service"),
    ([("addresses", {"us-east-1b": "10.0.100.10"})], "addresses.us-east-1b", "between 10.0.101.4 and 10.0.101.254"),
    ([("addresses", {"us-east-1a": "10.0.100.3"})], "addresses.us-east-1a", "not usable"),
    ([("addresses", {"us-east-1a": "10.0.100.255"})], "addresses.us-east-1a", "not usable"),
    ([("vpc", {}), ("existing_vpc", VPC)], "vpc", "clashes with existing_vpc"),
    ([("zones", ["us-east-1a"]), ("existing_vpc", VPC)], "zones", "Remove zones"),
    ([("dns.zone_id", "Z0123456789ABC")], "dns.zone_id", "not associated"),
    ([("file_system.existing", EXISTING)], "file_system.existing", "one VPC only"),
    (
        [
            ("existing_vpc", VPC),
            ("file_system.existing", EXISTING | {"mount_targets": {"us-east-1a": "172.16.8.4"}}),
        ],
        "file_system.existing.mount_targets",
        "see us-east-1b",
    ),
    (
        [("existing_vpc", VPC), ("existing_vpc.zones.us-east-1b.service_subnet_id", "subnet-0000000a")],
        "existing_vpc.zones.us-east-1b.service_subnet_id",
        "already used as instance subnet of us-east-1a",
    ),
    (
        [("existing_vpc", VPC), ("existing_vpc.zones.us-east-1b.service_subnet_cidr", "172.16.0.0/24")],
        "existing_vpc.zones.us-east-1b.service_subnet_cidr",
        "overlaps",
    ),
    # impossible timings
    ([("deadlines.boot_s", 1050)], "deadlines.boot_s", "1051 s"),
    ([("service.start_timeout_s", 500)], "deadlines.boot_s", "at least 1431"),
    ([("service.units.1", "second.service"), ("lifecycle_hooks.drain_heartbeat_s", 200)], "deadlines.boot_s", "1171 s"),
    ([("service.hooks.before_start", [["/bin/a"], ["/bin/b"], ["/bin/c"]])], "deadlines.boot_s", "1141 s"),
    ([("lifecycle_hooks.boot_heartbeat_s", 59)], "lifecycle_hooks.boot_heartbeat_s", "at least 60"),
    (
        [("lifecycle_hooks.boot_heartbeat_s", 60), ("deadlines.boot_s", 6000)],
        "lifecycle_hooks.boot_heartbeat_s",
        "above 60",
    ),
    ([("lifecycle_hooks.drain_heartbeat_s", 120)], "lifecycle_hooks.drain_heartbeat_s", "above 120"),
    ([("service.hooks.before_stop", [["/bin/a"]])], "lifecycle_hooks.drain_heartbeat_s", "150 s"),
    # timings of the lease with which two could write, or none could start
    ([("lease", {"lease_duration_s": 79})], "lease.lease_duration_s", "at least 80"),
    ([("lease", {"renew_deadline_s": 24})], "lease.renew_deadline_s", "at least 25"),
    ([("lease", {"terminate_deadline_s": 120})], "lease.force_deadline_s", "Raise it above 120"),
    ([("lease", {"takeover_deadline_s": 159})], "lease.takeover_deadline_s", "at least 160"),
    ([("lease", {"kill_timeout_s": 0})], "lease.kill_timeout_s", "greater than 0"),
    ([("lease", {"fence": "never"})], "lease.fence", "proof-or-lease"),
    ([("lease", {"surplus_deadline_s": 700})], "deadlines.boot_s", "1301 s"),
    ([("service.health.checks.0.timeout_s", 120)], "service.health.checks[0].timeout_s", "whole start allowance"),
]


@pytest.mark.parametrize(
    ("changes", "path", "words"), ONE_MISTAKE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_one_mistake_is_one_finding(changes, path, words):
    (finding,) = findings(changed(*changes))
    assert finding.path == path
    assert words in str(finding)
    assert finding.remedy


def test_a_file_with_five_mistakes_prints_five_findings():
    tree = changed(
        ("instance.ami", "ami-1"),
        ("dns.ttl", 5),
        ("file_system.directories.1.target", "/var/lib/monitor"),
        ("ports.0.port", "web"),
        ("lifecycle_hooks.drain_heartbeat_s", 60),
    )
    with pytest.raises(ServiceFileError) as raised:
        parse_service(tree, source="services/monitor.yaml")
    lines = str(raised.value).splitlines()
    assert lines[0] == "services/monitor.yaml: 5 findings"
    assert [line.strip().split(" (is ")[0] for line in lines[1:]] == [
        "instance.ami",
        "dns.ttl",
        "ports[0].port",
        "file_system.directories[1].target",
        "lifecycle_hooks.drain_heartbeat_s",
    ]
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("mistake", "judgement"),
    [
        (("service.units.0", "monitor"), ("lifecycle_hooks.drain_heartbeat_s", 60)),
        (("file_system.directories.0.source", "a b"), ("file_system.directories.1.target", "/var/lib/monitor")),
        (("service.health", "good"), ("dns.record", "monitor.example.com")),
        (("deadlines.mount_s", "x"), ("lifecycle_hooks.boot_heartbeat_s", 40)),
        (("ports.0.allow_from", []), ("ports.1", {"port": 8080, "allow_from": ["10.1.0.0/16"]})),
    ],
)
def test_a_wrong_value_does_not_hide_a_clash_beside_it(mistake, judgement):
    assert len(findings(changed(judgement))) == 1, "the clash alone"
    assert len(findings(changed(mistake, judgement))) == 2


@pytest.mark.parametrize(
    ("mistake", "would_clash"),
    [
        (("deadlines.mount_s", "x"), ("deadlines.boot_s", 500)),
        (("deadlines.boot_s", "x"), ("lifecycle_hooks.boot_heartbeat_s", 60)),
        (("dns.zone", "Not A Zone"), ("dns.record", "monitor.elsewhere")),
        (("file_system.directories.0.target", "x y"), ("file_system.directories.1.target", "/var/lib/opscenter")),
        (("region", "mars"), ("zones", ["us-west-2a"])),
    ],
)
def test_no_judgement_rests_on_a_wrong_value(mistake, would_clash):
    (finding,) = findings(changed(mistake, would_clash))
    assert finding.path.replace("[", ".").replace("]", "") == mistake[0]


@pytest.mark.parametrize("tree", [None, [], "text", 3])
def test_what_is_no_mapping_is_one_finding(tree):
    (finding,) = findings(tree)
    assert "not a mapping" in finding.problem


def test_an_empty_file_misses_everything_required():
    assert {finding.path for finding in findings({})} == {
        "name",
        "region",
        "instance",
        "dns",
        "file_system",
        "service",
        "ports",
    }


def test_a_file_too_long_for_user_data_is_refused():
    hooks = [["/usr/bin/printf", "x" * 900]] * 10
    tree = changed(("service.hooks", {"after_start": hooks, "timeout_s": 1}))
    (finding,) = findings(tree)
    assert str(LONGEST_DOCUMENT) in finding.problem


JUNK = (None, True, -1, 3.5, "", "x", "a\nb", [], ["x"], [None], {}, {"x": 1}, {1: 2}, [[]], [{}])


def spots(node, path=()):
    """Every place in a tree."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, below in items:
        yield from spots(below, (*path, step))


@pytest.mark.parametrize("seed", range(40))
def test_no_junk_anywhere_ends_in_anything_but_findings(seed):
    draw = random.Random(seed)
    tree = changed(
        ("existing_vpc", VPC), ("file_system.existing", EXISTING), ("addresses", {"us-east-1a": "172.16.0.9"})
    )
    tree |= {"deadlines": {"boot_s": 600}, "lifecycle_hooks": {"boot_heartbeat_s": 900}, "notify": ["a@b.example"]}
    for _ in range(60):
        broken = copy.deepcopy(tree)
        for _ in range(draw.randint(1, 4)):
            path = draw.choice([spot for spot in spots(broken) if spot])
            node = broken
            for step in path[:-1]:
                node = node[step]
            node[path[-1]] = copy.deepcopy(draw.choice(JUNK))
        for finding in findings(broken):
            assert finding.path
            assert finding.remedy
