"""The DNS server on sockets, asked by another implementation (dnspython)."""

import socket
import threading
from collections.abc import Iterator

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import pytest

from lab.edges.names import HostedZone, Names, Record
from lab.edges.names_server import NamesServer

ZONE = HostedZone(
    name="example.internal",
    records=(
        Record(name="influxdb.example.internal", type="A", ttl_s=10, values=("10.0.100.10",)),
        Record(
            name="many.example.internal", type="TXT", ttl_s=10, values=tuple(f'"{n} {"x" * 90}"' for n in range(30))
        ),
    ),
)
EFS = "fs-0123.efs.us-east-1.amazonaws.com"


def zones() -> tuple[HostedZone, ...]:
    return (ZONE,)


def mount_targets(file_system_id: str) -> dict[str, str] | None:
    if file_system_id == "fs-0bad":
        raise RuntimeError("planted")
    return {"us-east-1a": "10.0.0.4", "us-east-1b": "10.0.1.4"}


@pytest.fixture
def server() -> Iterator[NamesServer]:
    zone_of = {"127.0.0.1": "us-east-1a", "127.0.0.2": "us-east-1b"}
    running = NamesServer(Names(zones, mount_targets, zone_of.get), address="127.0.0.1", port=0)
    running.open()
    yield running
    running.close()


def ask(
    server: NamesServer, name: str, type_: str = "A", *, tcp: bool = False, source: str | None = None
) -> dns.message.Message:
    query = dns.message.make_query(name, type_, use_edns=0)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, "127.0.0.1", timeout=5, port=server.port, source=source)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("influxdb.example.internal", None, "influxdb.example.internal. 10 IN A 10.0.100.10"),
        (EFS, "127.0.0.1", f"{EFS}. 60 IN A 10.0.0.4"),
        (EFS, "127.0.0.2", f"{EFS}. 60 IN A 10.0.1.4"),
    ],
)
def test_a_name_is_answered(server: NamesServer, name: str, source: str | None, expected: str, *, tcp: bool) -> None:
    assert [rrset.to_text() for rrset in ask(server, name, tcp=tcp, source=source).answer] == [expected]


@pytest.mark.parametrize("tcp", [False, True])
def test_a_missing_name_is_nxdomain_with_soa(server: NamesServer, *, tcp: bool) -> None:
    reply = ask(server, "missing.example.internal", tcp=tcp)
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert [rrset.rdtype for rrset in reply.authority] == [dns.rdatatype.SOA]


def test_a_stub_resolver_finds_the_name_and_falls_back_to_tcp(server: NamesServer) -> None:
    stub = dns.resolver.Resolver(configure=False)
    stub.nameservers, stub.port, stub.lifetime = ["127.0.0.1"], server.port, 5
    assert [str(line) for line in stub.resolve("influxdb.example.internal", "A")] == ["10.0.100.10"]
    assert len(stub.resolve("many.example.internal", "TXT")) == 30
    with pytest.raises(dns.resolver.NXDOMAIN):
        stub.resolve("www.debian.org", "A")


@pytest.mark.parametrize("tcp", [False, True])
def test_a_failing_look_up_is_servfail_and_the_server_goes_on(server: NamesServer, *, tcp: bool) -> None:
    assert ask(server, "fs-0bad.efs.us-east-1.amazonaws.com", tcp=tcp).rcode() == dns.rcode.SERVFAIL
    assert ask(server, "influxdb.example.internal", tcp=tcp).rcode() == dns.rcode.NOERROR


def test_rubbish_on_both_sockets_does_not_end_the_server(server: NamesServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rude:
        for packet in (b"", b"x", b"\x00" * 12, b"\xff" * 600):
            rude.sendto(packet, ("127.0.0.1", server.port))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as rude:
        rude.sendall(b"\xff\xffshort")
    for tcp in (False, True):
        assert ask(server, "influxdb.example.internal", tcp=tcp).rcode() == dns.rcode.NOERROR


def test_closing_ends_its_threads(server: NamesServer) -> None:
    server.close()
    assert not [thread for thread in threading.enumerate() if thread.name in ("names-udp", "BoundedServer")]
    with pytest.raises((dns.exception.Timeout, OSError)):
        dns.query.udp(dns.message.make_query("x.", "A"), "127.0.0.1", timeout=0.3, port=server.port)
