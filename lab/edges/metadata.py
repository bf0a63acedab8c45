"""The answers of the instance metadata service (IMDSv2 only). Pure: state and time are arguments.

For: `MetadataService.respond` turns one request of one instance into one answer; `lab.edges.metadata_http` serves it on
a socket. Guarantees: every read needs a session token, which belongs to the instance that asked for it and expires; a
hot-plugged network interface appears late, and first with device number 0, as on EC2.
Does not: speak IMDSv1, throttle, count hops, sign the identity document, or announce maintenance.

AWS sources: EC2 user guide "Use the Instance Metadata Service to access instance metadata" (token PUT, TTL 1 to
21600 s, 400 for a bad PUT, 401 for a bad token, 403 for a forwarded request, 404 for nothing there), "Instance
metadata categories" (paths), "Work with instance tags in instance metadata", "Retrieve security credentials", "Spot
Instance interruption notices";
Auto Scaling user guide "Retrieve the target lifecycle state through instance metadata"; amazon-ec2-net-utils lib.sh
(device-number 0 until propagated).
Not documented and chosen here: a path answers the same with and without a final slash (botocore asks for both).
"""

import base64
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote

TOKEN_PATH = "/latest/api/token"
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aws-ec2-metadata-token"
MAX_TTL_S = 21600
CREDENTIALS_LIFE_S = 6 * 3600
_VERSION = re.compile(r"latest|1\.0|\d{4}-\d\d-\d\d")

Tree = Mapping[str, "str | Tree"]


@dataclass(frozen=True, kw_only=True)
class InterfaceMetadata:
    """One attached network interface. `attached_at_s` is on the same clock as `respond`'s `now_s`."""

    id: str
    mac: str
    device_index: int
    subnet_id: str
    subnet_cidr: str
    vpc_id: str
    addresses: tuple[str, ...]
    attached_at_s: float
    lag_s: float = 0.0  # from then until it is shown in full


@dataclass(frozen=True, kw_only=True)
class RoleCredentials:
    """Temporary credentials of an instance's role. From whenever they are read they are good for six more hours."""

    access_key_id: str
    secret_access_key: str
    token: str


@dataclass(frozen=True, kw_only=True)
class InstanceMetadata:
    """All that the service tells one instance about itself. None means: not there, 404."""

    instance_id: str
    image_id: str
    instance_type: str
    account_id: str
    region: str
    zone: str
    zone_id: str
    vpc_id: str
    address: str
    hostname: str  # private DNS name
    launched_at_s: float
    interfaces: tuple[InterfaceMetadata, ...]
    tags: Mapping[str, str] | None = None  # None: InstanceMetadataTags is disabled
    user_data: bytes | None = None
    target_lifecycle_state: str | None = None
    role_name: str | None = None  # with its credentials
    credentials: RoleCredentials | None = None
    profile_arn: str = ""
    profile_id: str = ""
    interrupted_at_s: float | None = None  # when EC2 takes it back


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


class MetadataService:
    """Answers for any number of instances. Holds no sessions: a token is a signed expiry, so nothing grows."""

    def __init__(self, *, signing_key: bytes | None = None) -> None:
        self._signing_key = signing_key or secrets.token_bytes(32)

    def respond(self, request: Request, instance: InstanceMetadata | None, now_s: float) -> Answer:
        """The answer to `request` from `instance` (None: no instance has the asking address) at `now_s` (epoch)."""
        if instance is None:
            return _refusal(404)
        if request.path.rstrip("/") == TOKEN_PATH:
            return self._grant(request, instance, now_s)
        if request.method not in ("GET", "HEAD"):
            return _refusal(405, {"Allow": "GET, HEAD"})
        if not self._is_valid(request.headers.get(TOKEN_HEADER, ""), instance, now_s):
            return _refusal(401)
        return self._read(request.path, instance, now_s)

    def _grant(self, request: Request, instance: InstanceMetadata, now_s: float) -> Answer:
        if request.method != "PUT":
            return _refusal(405, {"Allow": "PUT"})
        if "x-forwarded-for" in request.headers:
            return _refusal(403)
        wanted = request.headers.get(TTL_HEADER, "")
        if not re.fullmatch(r"[0-9]{1,5}", wanted) or not 1 <= int(wanted) <= MAX_TTL_S:
            return _refusal(400)
        token = self._sign(instance, f"{now_s + int(wanted):.3f}")
        return Answer(status=200, body=token.encode(), headers={TTL_HEADER: wanted})

    def _sign(self, instance: InstanceMetadata, expiry: str) -> str:
        mark = hmac.digest(self._signing_key, f"{instance.instance_id}|{expiry}".encode(), "sha256")
        return base64.urlsafe_b64encode(mark + expiry.encode()).decode()

    def _is_valid(self, token: str, instance: InstanceMetadata, now_s: float) -> bool:
        try:
            expiry = base64.urlsafe_b64decode(token.encode())[32:].decode()
            expires_at_s = float(expiry)
        except ValueError:
            return False
        return hmac.compare_digest(token.encode(), self._sign(instance, expiry).encode()) and now_s < expires_at_s

    def _read(self, path: str, instance: InstanceMetadata, now_s: float) -> Answer:
        names = [unquote(name) for name in path.split("?")[0].split("/") if name]
        if not names:
            return Answer(status=200, body=b"1.0\nlatest")
        if not _VERSION.fullmatch(names[0]):
            return _refusal(404)
        if names[1:] == ["user-data"]:
            if instance.user_data is None:
                return _refusal(404)
            return Answer(status=200, body=instance.user_data, content_type="application/octet-stream")
        found: str | Tree | None = self._tree(instance, now_s)
        for name in names[1:]:
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is None:
            return _refusal(404)
        return Answer(status=200, body=(found if isinstance(found, str) else listing(found)).encode())

    def _tree(self, instance: InstanceMetadata, now_s: float) -> Tree:
        tree: dict[str, str | Tree] = {
            "dynamic": {"instance-identity": {"document": _identity_document(instance)}},
            "meta-data": self._meta_data(instance, now_s),
        }
        if instance.user_data is not None:
            tree["user-data"] = ""
        return tree

    def _meta_data(self, instance: InstanceMetadata, now_s: float) -> Tree:
        shown = [(nic, now_s - nic.attached_at_s) for nic in instance.interfaces]
        macs = {nic.mac: _interface(nic, age_s) for nic, age_s in shown if self._is_known(nic, age_s)}
        tree: dict[str, str | Tree] = {
            "ami-id": instance.image_id,
            "events": {"maintenance": {"history": "[]", "scheduled": "[]"}},
            "hostname": instance.hostname,
            "instance-id": instance.instance_id,
            "instance-type": instance.instance_type,
            "local-hostname": instance.hostname,
            "local-ipv4": instance.address,
            "mac": next((nic.mac for nic in instance.interfaces if nic.device_index == 0), ""),
            "network": {"interfaces": {"macs": macs}},
            "placement": {
                "availability-zone": instance.zone,
                "availability-zone-id": instance.zone_id,
                "region": instance.region,
            },
        }
        if instance.target_lifecycle_state is not None:
            tree["autoscaling"] = {"target-lifecycle-state": instance.target_lifecycle_state}
        if instance.interrupted_at_s is not None:
            at = _timestamp(instance.interrupted_at_s)
            action = json.dumps({"action": "terminate", "time": at})
            tree["spot"] = {"instance-action": action, "termination-time": at}
        if instance.tags is not None:
            tree["tags"] = {"instance": dict(instance.tags)}
        if instance.role_name is not None and instance.credentials is not None:
            credentials = _credentials_document(instance.credentials, now_s)
            tree["iam"] = {
                "info": _iam_info(instance, now_s),
                "security-credentials": {instance.role_name: credentials},
            }
        return tree

    def _is_known(self, nic: InterfaceMetadata, age_s: float) -> bool:
        return nic.device_index == 0 or age_s >= nic.lag_s / 2


def listing(tree: Tree) -> str:
    """A directory as AWS lists it: one name per line, a slash behind what has more below it."""
    return "\n".join(name if isinstance(below, str) else f"{name}/" for name, below in sorted(tree.items()))


def _interface(nic: InterfaceMetadata, age_s: float) -> Tree:
    tree = {"interface-id": nic.id, "mac": nic.mac, "device-number": "0"}
    if nic.device_index != 0 and age_s < nic.lag_s:
        return tree
    return tree | {
        "device-number": str(nic.device_index),
        "local-ipv4s": "\n".join(nic.addresses),
        "subnet-id": nic.subnet_id,
        "subnet-ipv4-cidr-block": nic.subnet_cidr,
        "vpc-id": nic.vpc_id,
    }


def _identity_document(instance: InstanceMetadata) -> str:
    document = {
        "accountId": instance.account_id,
        "architecture": "x86_64",
        "availabilityZone": instance.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.instance_id,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": _timestamp(instance.launched_at_s),
        "privateIp": instance.address,
        "ramdiskId": None,
        "region": instance.region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)


def _iam_info(instance: InstanceMetadata, now_s: float) -> str:
    info = {
        "Code": "Success",
        "LastUpdated": _timestamp(now_s // 3600 * 3600),
        "InstanceProfileArn": instance.profile_arn,
        "InstanceProfileId": instance.profile_id,
    }
    return json.dumps(info, indent=2)


def _credentials_document(credentials: RoleCredentials, now_s: float) -> str:
    document = {
        "Code": "Success",
        "LastUpdated": _timestamp(now_s),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.token,
        "Expiration": _timestamp(now_s + CREDENTIALS_LIFE_S),
    }
    return json.dumps(document, indent=2)


def _timestamp(at_s: float) -> str:
    """Epoch seconds as AWS writes times in metadata documents."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refusal(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    reasons = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
    return Answer(status=status, body=f"{status} - {reasons[status]}".encode(), headers=headers or {})
