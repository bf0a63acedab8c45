"""DNS answers: zones of Route 53, file system names by the asker's zone, and nothing that waits."""

import random

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSRecord

from lab.edges.names import HostedZone, Names, Record, server_failure

EFS = "fs-0123456789abcdef0.efs.us-east-1.amazonaws.com"


def record(name: str, type_: str, *values: str, ttl_s: int = 10) -> Record:
    return Record(name=name, type=type_, ttl_s=ttl_s, values=values)


OUTER = HostedZone(
    name="example.internal.",
    records=(
        record(
            "example.internal", "SOA", "ns.example.internal. root.example.internal. 1 7200 900 1209600 60", ttl_s=900
        ),
        record("influxdb.example.internal.", "A", "10.0.100.10"),
        record("pair.example.internal", "A", "10.0.0.1", "10.0.0.2"),
        record("alias.example.internal", "CNAME", "influxdb.example.internal."),
        record("away.example.internal", "CNAME", "www.example.org."),
        record("round.example.internal", "CNAME", "round.example.internal."),
        record("deep.below.example.internal", "TXT", '"some text"'),
        record("many.example.internal", "TXT", *(f'"{n:02} {"x" * 60}"' for n in range(20))),
        record("shadow.lab.example.internal", "A", "10.9.9.9"),
    ),
)
INNER = HostedZone(name="lab.example.internal", records=(record("other.lab.example.internal", "A", "10.0.0.9"),))
TARGETS = {"us-east-1a": "10.0.0.4", "us-east-1b": "10.0.1.4"}


def names() -> Names:
    return Names(
        zones=lambda: (OUTER, INNER),
        mount_targets=lambda file_system: TARGETS if EFS.startswith(file_system + ".") else None,
        zone_of=lambda address: {"10.0.0.5": "us-east-1a", "10.0.1.5": "us-east-1b", "10.0.2.5": "us-east-1c"}.get(
            address
        ),
    )


def ask(name: str, type_: str = "A", source: str = "10.0.0.5") -> DNSRecord:
    answer = names().answer(DNSRecord.question(name, type_).pack(), source, udp=False)
    assert answer is not None
    return DNSRecord.parse(answer)


def values(reply: DNSRecord) -> list[str]:
    return [str(line.rdata) for line in reply.rr]


@pytest.mark.parametrize(
    ("name", "type_", "source", "expected"),
    [
        ("influxdb.example.internal", "A", "10.0.0.5", ["10.0.100.10"]),
        ("InFluxDB.Example.INTERNAL", "A", "10.0.0.5", ["10.0.100.10"]),
        ("pair.example.internal", "A", "10.0.0.5", ["10.0.0.1", "10.0.0.2"]),
        ("alias.example.internal", "A", "10.0.0.5", ["influxdb.example.internal.", "10.0.100.10"]),
        ("away.example.internal", "A", "10.0.0.5", ["www.example.org."]),
        ("deep.below.example.internal", "TXT", "10.0.0.5", ['"some text"']),
        ("other.lab.example.internal", "A", "10.0.0.5", ["10.0.0.9"]),
        (EFS, "A", "10.0.0.5", ["10.0.0.4"]),
        (EFS, "A", "10.0.1.5", ["10.0.1.4"]),
        (EFS.upper(), "A", "10.0.1.5", ["10.0.1.4"]),
        ("us-east-1b." + EFS, "A", "10.0.0.5", ["10.0.1.4"]),
        ("us-east-1b." + EFS, "A", "10.0.200.5", ["10.0.1.4"]),
    ],
)
def test_a_name_has_its_values(name: str, type_: str, source: str, expected: list[str]) -> None:
    reply = ask(name, type_, source)
    assert reply.header.rcode == RCODE.NOERROR
    assert values(reply) == expected


@pytest.mark.parametrize(
    ("name", "type_", "source", "rcode"),
    [
        pytest.param("missing.example.internal", "A", "10.0.0.5", "NXDOMAIN", id="missing in the zone"),
        pytest.param("influxdb.example.internal", "AAAA", "10.0.0.5", "NOERROR", id="other type"),
        pytest.param("below.example.internal", "A", "10.0.0.5", "NOERROR", id="only names below it"),
        pytest.param("example.internal", "A", "10.0.0.5", "NOERROR", id="the zone itself"),
        pytest.param("shadow.lab.example.internal", "A", "10.0.0.5", "NXDOMAIN", id="hidden by the inner zone"),
        pytest.param("notexample.internal", "A", "10.0.0.5", "NXDOMAIN", id="not below the zone"),
        pytest.param("www.debian.org", "A", "10.0.0.5", "NXDOMAIN", id="outside"),
        pytest.param("5.0.0.10.in-addr.arpa", "PTR", "10.0.0.5", "NXDOMAIN", id="reverse"),
        pytest.param(EFS, "A", "10.0.2.5", "NXDOMAIN", id="no mount target in the asker's zone"),
        pytest.param(EFS, "A", "10.0.200.5", "NXDOMAIN", id="asker in no zone"),
        pytest.param(EFS, "AAAA", "10.0.0.5", "NOERROR", id="mount target has no IPv6"),
        pytest.param("fs-0bad.efs.us-east-1.amazonaws.com", "A", "10.0.0.5", "NXDOMAIN", id="no such file system"),
    ],
)
def test_what_is_missing_is_answered_at_once_with_an_soa(name: str, type_: str, source: str, rcode: str) -> None:
    reply = ask(name, type_, source)
    assert (RCODE[reply.header.rcode], values(reply)) == (rcode, [])
    assert [QTYPE[line.rtype] for line in reply.auth] == ["SOA"]


def test_a_loop_of_aliases_ends() -> None:
    assert ask("round.example.internal").header.rcode == RCODE.SERVFAIL


def test_ttls_are_the_records_and_the_negative_one_is_the_smaller_of_two() -> None:
    assert ask("influxdb.example.internal").rr[0].ttl == 10
    assert ask("missing.example.internal").auth[0].ttl == 60
    assert ask("missing.lab.example.internal").auth[0].ttl == 900


def test_a_changed_record_is_seen_by_the_next_query() -> None:
    zones = [OUTER]
    live = Names(lambda: zones, lambda _: None, lambda _: None)
    assert live.find("influxdb.example.internal", "A", "").answers[0].values == ("10.0.100.10",)
    zones[0] = HostedZone(name=OUTER.name, records=(record("influxdb.example.internal", "A", "10.0.101.10"),))
    assert live.find("influxdb.example.internal", "A", "").answers[0].values == ("10.0.101.10",)


@pytest.mark.parametrize(
    ("edns", "udp", "truncated"), [(0, True, True), (0, False, False), (4096, True, True), (512, True, True)]
)
def test_a_long_answer_is_truncated_only_over_udp(edns: int, *, udp: bool, truncated: bool) -> None:
    query = DNSRecord.question("many.example.internal", "TXT")
    if edns:
        query.add_ar(EDNS0(udp_len=edns))
    wire = names().answer(query.pack(), "10.0.0.5", udp=udp)
    assert wire is not None
    reply = DNSRecord.parse(wire)
    assert bool(reply.header.tc) == truncated
    assert reply.q == query.q, "a resolver drops an answer without its question"
    assert bool(reply.rr) != truncated
    assert not udp or len(wire) <= 1232


def test_edns_is_answered_with_edns() -> None:
    query = DNSRecord.question("influxdb.example.internal")
    query.add_ar(EDNS0(udp_len=1400))
    reply = DNSRecord.parse(names().answer(query.pack(), "10.0.0.5", udp=True))
    assert [extra.rtype for extra in reply.ar] == [QTYPE.OPT]
    assert values(reply) == ["10.0.100.10"]


def test_rubbish_never_raises_and_an_answer_is_never_answered() -> None:
    chance = random.Random(1)
    good = bytes(DNSRecord.question("influxdb.example.internal").pack())
    for _ in range(2000):
        packet = bytearray(good[: chance.randrange(1, len(good) + 1)])
        for _ in range(chance.randrange(4)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        wire = names().answer(bytes(packet), "10.0.0.5", udp=True)
        if wire is not None:
            assert wire[:2] == bytes(packet[:2])
    assert names().answer(bytes(ask("influxdb.example.internal").pack()), "10.0.0.5", udp=True) is None
    assert names().answer(b"\x00\x01", "10.0.0.5", udp=True) is None
    failure = server_failure(good)
    assert failure is not None
    assert DNSRecord.parse(failure).header.rcode == RCODE.SERVFAIL
