"""Instance metadata: what is answered to whom, with the clock as an argument."""

import base64
import json
from dataclasses import replace

import pytest

from lab.edges.metadata import (
    MAX_TTL_S,
    InstanceMetadata,
    InterfaceMetadata,
    MetadataService,
    Request,
    RoleCredentials,
)

NOW_S = 1_800_000_000.0
KEY = b"k" * 32
PRIMARY = InterfaceMetadata(
    id="eni-1", mac="02:00:00:00:00:01", device_index=0, subnet_id="subnet-1", subnet_cidr="10.0.0.0/24",
    vpc_id="vpc-1", addresses=("10.0.0.5",), attached_at_s=NOW_S - 50,
)  # fmt: skip
PLUGGED = InterfaceMetadata(
    id="eni-2", mac="02:00:00:00:00:02", device_index=1, subnet_id="subnet-2", subnet_cidr="10.0.100.0/24",
    vpc_id="vpc-1", addresses=("10.0.100.10",), attached_at_s=NOW_S,
)  # fmt: skip
BARE = InstanceMetadata(
    instance_id="i-1", image_id="ami-1", instance_type="t3.small", account_id="123456789012", region="us-east-1",
    zone="us-east-1a", zone_id="use1-az1", vpc_id="vpc-1", address="10.0.0.5", hostname="ip-10-0-0-5.ec2.internal",
    launched_at_s=NOW_S - 50, interfaces=(PRIMARY, PLUGGED),
)  # fmt: skip
FULL = replace(
    BARE,
    tags={"soloist:service": "influxdb"},
    user_data=b"#cloud-config\n\xff",
    target_lifecycle_state="InService",
    role_name="soloist-role",
    credentials=RoleCredentials(access_key_id="ASIA1", secret_access_key="secret", token="token"),
    profile_arn="arn:aws:iam::123456789012:instance-profile/p",
    profile_id="AIPA1",
)


def token_request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="PUT", path="/latest/api/token", headers=named)


def granted(service: MetadataService, instance: InstanceMetadata, now_s: float = NOW_S, ttl_s: int = 60) -> str:
    answer = service.respond(token_request(x_aws_ec2_metadata_token_ttl_seconds=str(ttl_s)), instance, now_s)
    assert answer.status == 200, answer
    return answer.body.decode()


def read(path: str, instance: InstanceMetadata = FULL, *, age_s: float = 100.0) -> tuple[int, str]:
    service = MetadataService(signing_key=KEY)
    token = granted(service, instance, NOW_S + age_s)
    request = Request(method="GET", path=path, headers={"x-aws-ec2-metadata-token": token})
    answer = service.respond(request, instance, NOW_S + age_s)
    return answer.status, answer.body.decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "1.0\nlatest"),
        ("/latest/", "dynamic/\nmeta-data/\nuser-data"),
        ("/latest/meta-data/instance-id", "i-1"),
        ("/latest/meta-data/ami-id", "ami-1"),
        ("/latest/meta-data/instance-type", "t3.small"),
        ("/latest/meta-data/local-ipv4", "10.0.0.5"),
        ("/latest/meta-data/local-hostname", "ip-10-0-0-5.ec2.internal"),
        ("/latest/meta-data/hostname", "ip-10-0-0-5.ec2.internal"),
        ("/latest/meta-data/mac", "02:00:00:00:00:01"),
        ("/latest/meta-data/placement/", "availability-zone\navailability-zone-id\nregion"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data/placement/availability-zone/", "us-east-1a"),
        ("/latest/meta-data/placement/availability-zone-id", "use1-az1"),
        ("/latest/meta-data/placement/region", "us-east-1"),
        ("/2021-07-15/meta-data/placement/region", "us-east-1"),
        ("/latest/meta-data/network/interfaces/macs/", "02:00:00:00:00:01/\n02:00:00:00:00:02/"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:02/interface-id", "eni-2"),
        ("/latest/meta-data/network/interfaces/macs/02%3A00%3A00%3A00%3A00%3A02/device-number", "1"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:02/subnet-id", "subnet-2"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:02/subnet-ipv4-cidr-block", "10.0.100.0/24"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:02/vpc-id", "vpc-1"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:02/local-ipv4s", "10.0.100.10"),
        ("/latest/meta-data/tags/instance/", "soloist:service"),
        ("/latest/meta-data/tags/instance/soloist:service", "influxdb"),
        ("/latest/meta-data/autoscaling/target-lifecycle-state", "InService"),
        ("/latest/meta-data/events/maintenance/scheduled", "[]"),
        ("/latest/meta-data/iam/", "info\nsecurity-credentials/"),
        ("/latest/meta-data/iam/security-credentials/", "soloist-role"),
        ("/latest/user-data", "#cloud-config\n\udcff"),
    ],
)
def test_a_path_gives_its_value(path: str, body: str) -> None:
    assert read(path) == (200, body)


@pytest.mark.parametrize(
    "path",
    [
        "/latest/user-data",
        "/latest/meta-data/autoscaling/target-lifecycle-state",
        "/latest/meta-data/tags/instance/",
        "/latest/meta-data/spot/instance-action",
        "/latest/meta-data/events/recommendations/rebalance",
        "/latest/meta-data/iam/info",
        "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/nonsense",
        "/latest/meta-data/instance-id/below",
        "/nonsense/meta-data/instance-id",
    ],
)
def test_what_is_not_there_is_404(path: str) -> None:
    assert read(path, BARE)[0] == 404


def test_a_bare_instance_lists_only_what_it_has() -> None:
    assert read("/latest/", BARE)[1] == "dynamic/\nmeta-data/"
    names = read("/latest/meta-data/", BARE)[1].split("\n")
    assert "iam/" not in names
    assert {"ami-id", "network/", "placement/"} <= set(names)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (token_request(), 400),
        (token_request(x_aws_ec2_metadata_token_ttl_seconds="0"), 400),
        (token_request(x_aws_ec2_metadata_token_ttl_seconds=str(MAX_TTL_S + 1)), 400),
        (token_request(x_aws_ec2_metadata_token_ttl_seconds="ten"), 400),
        (token_request(x_aws_ec2_metadata_token_ttl_seconds="²"), 400),
        (token_request(x_aws_ec2_metadata_token_ttl_seconds="60", x_forwarded_for="10.9.9.9"), 403),
        (Request(method="GET", path="/latest/api/token"), 405),
        (Request(method="POST", path="/latest/meta-data/"), 405),
        (Request(method="GET", path="/latest/meta-data/instance-id"), 401),
        (Request(method="GET", path="/latest/nonsense"), 401),
        (Request(method="GET", path="/", headers={"x-aws-ec2-metadata-token": "AAAA"}), 401),
        (Request(method="GET", path="/", headers={"x-aws-ec2-metadata-token": "not base64 ÿ"}), 401),
    ],
)
def test_a_bad_request_is_refused_as_aws_refuses_it(request_: Request, status: int) -> None:
    assert MetadataService(signing_key=KEY).respond(request_, FULL, NOW_S).status == status


def test_the_longest_token_life_is_granted() -> None:
    assert granted(MetadataService(), FULL, ttl_s=MAX_TTL_S)


@pytest.mark.parametrize(
    ("reader", "after_s", "status"),
    [
        pytest.param(FULL, 59.9, 200, id="valid"),
        pytest.param(FULL, 60.0, 401, id="expired"),
        pytest.param(replace(FULL, instance_id="i-2"), 1.0, 401, id="of another instance"),
    ],
)
def test_a_token_is_of_one_instance_and_expires(reader: InstanceMetadata, after_s: float, status: int) -> None:
    service = MetadataService(signing_key=KEY)
    request = Request(method="GET", path="/", headers={"x-aws-ec2-metadata-token": granted(service, FULL)})
    assert service.respond(request, reader, NOW_S + after_s).status == status


def test_a_token_whose_expiry_was_changed_is_refused() -> None:
    service = MetadataService(signing_key=KEY)
    signed = base64.urlsafe_b64decode(granted(service, FULL))
    forged = base64.urlsafe_b64encode(signed[:32] + b"9999999999.000").decode()
    request = Request(method="GET", path="/", headers={"x-aws-ec2-metadata-token": forged})
    assert service.respond(request, FULL, NOW_S).status == 401


@pytest.mark.parametrize(
    ("age_s", "number", "addresses"),
    [(0.0, 404, 404), (0.9, 404, 404), (1.0, "0", 404), (1.9, "0", 404), (2.0, "1", "10.0.100.10")],
)
def test_a_plugged_interface_appears_late_and_first_with_device_number_0(
    age_s: float, number: str | int, addresses: str | int
) -> None:
    base = f"/latest/meta-data/network/interfaces/macs/{PLUGGED.mac}/"
    instance = replace(FULL, interfaces=(PRIMARY, replace(PLUGGED, lag_s=2.0)))
    seen = [read(base + leaf, instance, age_s=age_s) for leaf in ("device-number", "local-ipv4s")]
    assert [body if status == 200 else status for status, body in seen] == [number, addresses]


def test_the_primary_interface_is_there_from_the_start() -> None:
    young = replace(FULL, interfaces=(replace(PRIMARY, attached_at_s=NOW_S, lag_s=60.0),))
    path = f"/latest/meta-data/network/interfaces/macs/{PRIMARY.mac}/local-ipv4s"
    assert read(path, young, age_s=0.0) == (200, "10.0.0.5")


def test_role_credentials_are_those_given_and_valid_for_hours() -> None:
    path = "/latest/meta-data/iam/security-credentials/soloist-role"
    first, second = (json.loads(read(path, age_s=age_s)[1]) for age_s in (0.0, 3600.0))
    assert set(first) >= {"Code", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert first["Code"] == "Success"
    assert first["Expiration"] > "2027-01-15T13:00:00Z"
    assert first["Expiration"] < second["Expiration"]
    assert (first["AccessKeyId"], first["SecretAccessKey"], first["Token"]) == ("ASIA1", "secret", "token")


def test_identity_document_and_iam_info_are_json_about_this_instance() -> None:
    document = json.loads(read("/latest/dynamic/instance-identity/document")[1])
    assert (document["instanceId"], document["region"]) == ("i-1", "us-east-1")
    assert document["pendingTime"] == "2027-01-15T07:59:10Z"
    info = json.loads(read("/latest/meta-data/iam/info")[1])
    assert info["InstanceProfileArn"].endswith("instance-profile/p")
