"""The metadata service on a socket, as AWS's own client and as a rude one see it."""

import http.client
import socket
import time
from collections.abc import Iterator

import pytest
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from lab.edges.metadata import InstanceMetadata, InterfaceMetadata, MetadataService, RoleCredentials
from lab.edges.metadata_http import MetadataServer

INSTANCE = InstanceMetadata(
    instance_id="i-1", image_id="ami-1", instance_type="t3.small", account_id="123456789012", region="us-east-1",
    zone="us-east-1a", zone_id="use1-az1", vpc_id="vpc-1", address="127.0.0.1", hostname="ip-127-0-0-1.ec2.internal",
    launched_at_s=0.0, role_name="soloist-role",
    credentials=RoleCredentials(access_key_id="ASIA1", secret_access_key="secret", token="token"),
    interfaces=(
        InterfaceMetadata(id="eni-1", mac="02:00:00:00:00:01", device_index=0, subnet_id="subnet-1", vpc_id="vpc-1",
                          subnet_cidr="127.0.0.0/24", addresses=("127.0.0.1",), attached_at_s=0.0),
    ),
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[MetadataServer]:
    known = {"127.0.0.1": INSTANCE}
    running = MetadataServer(known.get, MetadataService(), address="127.0.0.1", port=0, connections=4)
    running.open()
    yield running
    running.close()


def request(
    server: MetadataServer, method: str, path: str, headers: dict[str, str], source: str = "127.0.0.1"
) -> bytes:
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5, source_address=(source, 0))
    try:
        link.request(method, path, headers=headers)
        answer = link.getresponse()
        return f"{answer.status} ".encode() + answer.read()
    finally:
        link.close()


def test_botocore_gets_role_credentials_and_region(server: MetadataServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    url = f"http://127.0.0.1:{server.port}/"
    # Version 1 is switched off in the client, so a token that is not given would be an error.
    config = {"ec2_metadata_v1_disabled": True}
    found = InstanceMetadataFetcher(timeout=5, base_url=url, config=config).retrieve_iam_role_credentials()
    assert found["role_name"] == "soloist-role"
    assert (found["access_key"], found["secret_key"], found["token"]) == ("ASIA1", "secret", "token")
    assert found["expiry_time"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4 * 3600))
    assert InstanceMetadataRegionFetcher(timeout=5, base_url=url, config=config).retrieve_region() == "us-east-1"


def test_the_caller_is_known_by_source_address_only(server: MetadataServer) -> None:
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    assert request(server, "PUT", "/latest/api/token", ttl, source="127.0.0.2").startswith(b"404 ")
    assert request(server, "PUT", "/latest/api/token", ttl | {"X-Forwarded-For": "127.0.0.1"}).startswith(b"403 ")
    token = request(server, "PUT", "/latest/api/token", ttl).removeprefix(b"200 ").decode()
    reading = {"X-aws-ec2-metadata-token": token}
    assert request(server, "GET", "/latest/meta-data/instance-id", reading) == b"200 i-1"
    assert request(server, "GET", "/latest/meta-data/instance-id", {}).startswith(b"401 ")
    assert request(server, "HEAD", "/latest/meta-data/instance-id", reading) == b"200 "


def test_one_connection_serves_many_requests(server: MetadataServer) -> None:
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    link.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    token = link.getresponse().read().decode()
    for _ in range(3):
        link.request("GET", "/latest/meta-data/mac", headers={"X-aws-ec2-metadata-token": token})
        assert link.getresponse().read() == b"02:00:00:00:00:01"
    link.close()


def test_connections_beyond_the_bound_are_closed_and_others_are_served_again(server: MetadataServer) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(4)]
    surplus = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    try:
        closed = surplus.recv(1) == b""
    except ConnectionResetError:
        closed = True
    assert closed
    for link in (*idle, surplus):
        link.close()
    end_s = time.monotonic() + 5
    answer = b""
    while time.monotonic() < end_s and not answer.startswith(b"401"):
        try:
            answer = request(server, "GET", "/latest/", {})
        except OSError:
            continue  # the idle connections' threads have not all ended yet
    assert answer.startswith(b"401")


def test_closing_ends_open_connections_and_frees_the_port(server: MetadataServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 401 ")
        server.close()
        assert idle.recv(1000) == b""
    again = MetadataServer(lambda _: None, MetadataService(), address="127.0.0.1", port=server.port)
    again.close()


def test_a_taken_port_is_named(server: MetadataServer) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {server.port}: Address already in use"):
        MetadataServer(lambda _: None, MetadataService(), address="127.0.0.1", port=server.port)
