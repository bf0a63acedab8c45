"""Every mistake in a service file is found, at once, with path, value, problem and remedy."""

import copy
import random

import pytest

from services.across import clashes, oddities
from services.exposure import warnings
from services.findings import Finding, ServiceFileError
from services.load import LONGEST_DOCUMENT, parse_service
from services.timing import boot_need_s, stop_need_s

GOOD = {
    "name": "monitor",
    "region": "us-east-1",
    "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
    "instance": {"type": "t3.small", "ami": "ami-0123456789abcdef0"},
    "dns": {"zone": "example.internal", "record": "monitor.example.internal"},
    "file_system": {
        "directories": [{"source": s, "target": t} for s, t in (("lib", "/var/lib/monitor"), ("etc", "/etc/monitor"))]
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
        f"us-east-1{letter}": {
            "instance_subnet_id": f"subnet-0000000{2 * n:x}",
            "service_subnet_id": f"subnet-0000000{2 * n + 1:x}",
            "service_subnet_cidr": f"172.16.{n}.0/26",
        }
        for n, letter in enumerate("ab")
    },
}
EXISTING = {
    "id": "fs-0123456789abcdef0",
    "mount_targets": {"us-east-1a": "172.16.8.4", "us-east-1b": "172.16.9.4"},
    "security_group_id": "sg-0123456789abcdef0",
}


BEAT = "lifecycle_hooks.boot_heartbeat_s"
TARGETS = "file_system.existing.mount_targets"
ABSENT = object()
IN_VPC = (("existing_vpc", VPC), ("zones", ABSENT))


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


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("file_system.transport", "nfs"), ("for_lab", True)],
        [("file_system.existing", {"id": EXISTING["id"]})],  # left by a stack that was deleted
        [*IN_VPC, ("file_system.existing", {"id": EXISTING["id"]})],
        [*IN_VPC, ("file_system.existing", EXISTING)],
        [("ports.0.allow_from", ["sg-0123456789abcdef0", "pl-63a5400a", "10.0.0.0/8"])],
    ],
)
def test_a_good_file_has_no_findings(changes):
    assert findings(changed(*changes)) == []
    assert list(warnings(parse_service(changed(*changes), source="test.yaml"))) == []


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
    ([("name", 5)], "name", "not a text. Lower case"),
    ([("name", "monitor-watch")], "name", "the stack of the service monitor that holds its alarms"),
    ([("region", "mars")], "region", "An AWS region"),
    ([("region", "us-east-9")], "region", "Use one of us-east-2, us-east-1"),
    ([("region", "zz-nowhere-9")], "region", "Use one of af-south-1, "),
    ([("instance.ami", "resolve:ssm:/ami")], "instance.ami", "pinned"),
    ([("instance.type", "big")], "instance.type", "t3.small"),
    ([("dns.ttl_s", "ten")], "dns.ttl_s", "not a whole number. Seconds from 1"),
    ([("dns.ttl_s", 0)], "dns.ttl_s", "less than 1"),
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
    ([("service.units.0", "monitor.timer")], "service.units[0]", "never a target, socket or timer"),
    ([("service.units.0", "soloist-agent.service")], "service.units[0]", "is a unit of soloist itself"),
    ([("service.health.checks.0.kind", "ping")], "service.health.checks[0]", "Use one of command, file, http, tcp"),
    ([("service.health.checks.0.url", "ftp://x")], "service.health.checks[0].url", "http or https"),
    ([("service.health.checks.0.url", "http://x:99999/")], "service.health.checks[0].url", "port from 1 to 65535"),
    ([("service.health.checks.0.url", "http://x:65536")], "service.health.checks[0].url", "port from 1 to 65535"),
    ([("service.health.checks.0.url", "http:///x")], "service.health.checks[0].url", "not of the right form"),
    ([("service.health.interval_s", -1)], "service.health.interval_s", "not more than 0"),
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
    ([("webhooks", [{"url": "http://a.example/"}])], "webhooks[0].url", "not https: messages name addresses"),
    ([("webhooks", [{"url": "https://a/", "secret_parameter": "k"}])], "webhooks[0].secret_parameter", "its path"),
    ([("zones", ["us-east-1"])], "zones[0]", "An availability zone"),
    ([("addresses", {"a": "10.0.100.10"})], "addresses.a", "key"),
    ([("addresses", {"us-east-1a": "10.0.100.999"})], "addresses.us-east-1a", "10.0.100.999"),
    ([("lifecycle_hooks.boot_heartbeat_s", 10000)], "lifecycle_hooks.boot_heartbeat_s", "7200"),
    ([("deadlines.boot_s", True)], "deadlines.boot_s", "not a number"),
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
    ([("file_system.directories.1.target", "/srv/soloist")], "file_system.directories[1].target", "soloist itself"),
    ([("file_system.directories.1.target", "/srv/soloist/x")], "file_system.directories[1].target", "soloist itself"),
    ([("file_system.directories.1.target", "/etc/soloist")], "file_system.directories[1].target", "soloist itself"),
    ([("file_system.directories.1.target", "/opt/soloist/x")], "file_system.directories[1].target", "soloist itself"),
    (
        [("service.health.checks.0", {"kind": "http", "url": "http://127.0.0.1:9480/live"})],
        "service.health.checks[0]",
        "asks the agent",
    ),
    (
        [("service.health.checks.0", {"kind": "tcp", "port": 81}), ("state_server", {"port": 81})],
        "service.health.checks[0]",
        "give state_server.port another",
    ),
    ([("logs", {"cloudwatch": True, "retention_days": 31})], "logs.retention_days", "Use one of 1, 3, 5, 7, 14, 30"),
    ([("ports.1", {"port": 8080, "allow_from": ["10.1.0.0/16"]})], "ports[1].port", "given twice"),
    ([("zones", ["us-west-2a"])], "zones[0]", "not a zone of us-east-1"),
    ([("zones", ["us-east-1a", "us-east-1a"])], "zones[1]", "named twice"),
    ([("addresses", {"us-east-1f": "10.0.100.10"})], "addresses.us-east-1f", "not a zone of this service"),
    ([("addresses", {"us-east-1b": "10.0.100.10"})], "addresses.us-east-1b", "between 10.0.101.4 and 10.0.101.254"),
    ([("addresses", {"us-east-1a": "10.0.100.3"})], "addresses.us-east-1a", "not usable"),
    ([("addresses", {"us-east-1a": "10.0.100.255"})], "addresses.us-east-1a", "not usable"),
    ([("vpc", {}), *IN_VPC], "vpc", "clashes with existing_vpc"),
    ([("existing_vpc", VPC)], "zones", "Remove zones"),
    ([("zones", ABSENT)], "zones", "Run ./soloist zones FILE"),
    ([("file_system.transport", "nfs")], "file_system.transport", "no instance could boot"),
    ([("ports.0.allow_from", ["sg-1"])], "ports[0].allow_from[0]", "the id of a security group"),
    (
        [*IN_VPC, ("file_system.existing", {**EXISTING, "security_group_id": None})],
        "file_system.existing",
        "Give both",
    ),
    ([("file_system.existing", {**EXISTING, "mount_targets": {}})], "file_system.existing", "Give both"),
    ([("dns.zone_id", "Z0123456789ABC")], "dns.zone_id", "not associated"),
    ([("file_system.existing", EXISTING)], "file_system.existing", "one VPC only"),
    (
        [*IN_VPC, ("file_system.existing", EXISTING), (f"{TARGETS}.us-east-1b", ABSENT)],
        TARGETS,
        "see us-east-1b",
    ),
    (
        [*IN_VPC, ("existing_vpc.zones.us-east-1b.service_subnet_id", "subnet-00000000")],
        "existing_vpc.zones.us-east-1b.service_subnet_id",
        "already used as instance subnet of us-east-1a",
    ),
    (
        [*IN_VPC, ("existing_vpc.zones.us-east-1b.service_subnet_cidr", "172.16.0.0/24")],
        "existing_vpc.zones.us-east-1b.service_subnet_cidr",
        "overlaps",
    ),
    # impossible timings
    ([("deadlines.boot_s", 1050)], "deadlines.boot_s", "1051 s"),
    ([("deadlines.boot_s", 1110), ("service.start_timeout_s", 500)], "deadlines.boot_s", "at least 1431"),
    ([("deadlines.boot_s", 1110), ("service.units.1", "second.service")], "deadlines.boot_s", "1171 s"),
    (
        [("deadlines.boot_s", 1110), ("service.hooks.before_start", [["/bin/a"], ["/bin/b"], ["/bin/c"]])],
        "deadlines.boot_s",
        "1141 s",
    ),
    ([("lifecycle_hooks.boot_heartbeat_s", 59)], "lifecycle_hooks.boot_heartbeat_s", "at least 60"),
    (
        [("lifecycle_hooks.boot_heartbeat_s", 60), ("deadlines.boot_s", 6000)],
        "lifecycle_hooks.boot_heartbeat_s",
        "above 60",
    ),
    ([("lifecycle_hooks.drain_heartbeat_s", 120)], "lifecycle_hooks.drain_heartbeat_s", "above 120"),
    (
        [("service.hooks.before_stop", [["/bin/a"]]), ("lifecycle_hooks.drain_heartbeat_s", 150)],
        "lifecycle_hooks.drain_heartbeat_s",
        "150 s. Raise it above 150, leave it out",
    ),
    ([("service.stop_timeout_s", 7200)], "lifecycle_hooks.drain_heartbeat_s", "7200 s at most. Shorten"),
    ([("lifecycle_hooks.boot_heartbeat_s", 60), ("service.start_timeout_s", 6000)], BEAT, "own limit, 6991 s"),
    # timings of the lease with which two could write, or none could start
    ([("lease", {"lease_duration_s": 79})], "lease.lease_duration_s", "at least 80"),
    ([("lease", {"renew_deadline_s": 24})], "lease.renew_deadline_s", "at least 25"),
    ([("lease", {"terminate_deadline_s": 120})], "lease.force_deadline_s", "Raise it above 120"),
    ([("lease", {"takeover_deadline_s": 159})], "lease.takeover_deadline_s", "at least 160"),
    ([("lease", {"retry_period_s": 0.9})], "lease.retry_period_s", "at least 1;"),
    ([("lease", {"kill_timeout_s": 0})], "lease.kill_timeout_s", "not more than 0"),
    ([("lease", {"fence": "never"})], "lease.fence", "proof-or-lease"),
    ([("lease", {"surplus_deadline_s": 700}), ("deadlines.boot_s", 1110)], "deadlines.boot_s", "1301 s"),
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


@pytest.mark.parametrize("start_s", [60, 500, 6000])
def test_the_limits_of_a_boot_and_a_stop_are_derived_where_the_file_leaves_them_out(start_s):
    tree = changed(("service.start_timeout_s", start_s), ("service.stop_timeout_s", start_s))
    service = parse_service(tree, source="test.yaml")
    assert service.boot_s == boot_need_s(service.service, service.deadlines, service.lease) + 60
    assert service.drain_heartbeat_s == stop_need_s(service.service, service.deadlines) + 30
    given = changed(("deadlines.boot_s", 2000), ("lifecycle_hooks.drain_heartbeat_s", 200))
    assert parse_service(given, source="test.yaml").boot_s == 2000
    assert parse_service(given, source="test.yaml").drain_heartbeat_s == 200


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("ports.0.allow_from", ["10.0.0.0/16", "0.0.0.0/0"]), "ports[0].allow_from[1]"),
        (("ports.0.allow_from", ["0.0.0.0/1"]), "ports[0].allow_from[0]"),
        (("ports.0.allow_from", ["203.0.113.7/32"]), "ports[0].allow_from[0]"),
        (("vpc", {"cidr": "8.8.0.0/16"}), "vpc.cidr"),
        (
            (
                "existing_vpc",
                VPC | {"zones": {"us-east-1a": VPC["zones"]["us-east-1a"] | {"service_subnet_cidr": "9.9.9.0/24"}}},
            ),
            "existing_vpc.zones.us-east-1a.service_subnet_cidr",
        ),
    ],
)
def test_a_network_of_the_internet_is_a_warning(change, path):
    without = [("zones", ABSENT)] if change[0] == "existing_vpc" else []
    (warning,) = warnings(parse_service(changed(change, *without), source="test.yaml"))
    assert (warning.path, bool(warning.remedy)) == (path, True)
    assert list(warnings(parse_service(changed(), source="test.yaml"))) == []


PUBLIC = ("dns.private", False)


@pytest.mark.parametrize(
    ("one", "other", "clash", "oddity"),
    [
        ((), (), "name", "dns.record"),
        ((), (("name", "other"),), "", "dns.record"),
        ((PUBLIC,), (PUBLIC, ("name", "other")), "dns.record", ""),
        ((), (("name", "other"), ("dns.record", "other.example.internal"), ("vpc", {"cidr": "10.9.0.0/16"})), "", ""),
        ((), (("name", "other"), ("dns.record", "other.example.internal")), "", "vpc.cidr"),
        (
            (*IN_VPC, ("dns.zone_id", "Z1")),
            (*IN_VPC, ("dns.zone_id", "Z1"), ("name", "other")),
            "dns.record addresses.us-east-1a addresses.us-east-1b",
            "",
        ),
    ],
)
def test_what_clashes_between_two_files_is_told_with_both(one, other, clash, oddity):
    loaded = [(f"{n}.yaml", parse_service(changed(*changes), source="x")) for n, changes in (("a", one), ("b", other))]
    assert [found.path for found in clashes(loaded)] == [f"a.yaml and b.yaml: {path}" for path in clash.split()]
    assert {found.path for found in oddities(loaded)} >= {f"a.yaml and b.yaml: {path}" for path in oddity.split()}
    assert clashes(loaded[:1]) == oddities(loaded[:1]) == []


@pytest.mark.parametrize("tree", [None, [], "text", 3])
def test_what_is_no_mapping_is_one_finding(tree):
    (finding,) = findings(tree)
    assert "not a mapping" in finding.problem


def test_an_empty_file_misses_everything_required():
    required = {"name", "region", "zones", "instance", "dns", "file_system", "service", "ports"}
    assert {finding.path for finding in findings({})} == required


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
