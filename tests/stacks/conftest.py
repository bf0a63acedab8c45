"""Templates as the stack renders them, each distinct one synthesized once per session."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base import names
from tests.kit.documents import merged
from tests.stacks.templates import Template, Tree

os.environ["CDK_VALIDATION"] = "false"  # seconds per synth; test_app.py runs the validation once, in its own process

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")

BASE: Tree = {
    "name": "monitor",
    "region": "us-east-1",
    "zones": list(ZONES),
    "instance": {"type": "t3.small", "ami": "ami-0123456789abcdef0"},
    "dns": {"zone": "example.internal", "record": "monitor.example.internal", "ttl_s": 15},
    "file_system": {
        "directories": [{"source": "lib", "target": "/var/lib/monitor", "owner": "monitor", "group": "monitor"}]
    },
    "service": {
        "units": ["monitor.service"],
        "health": {"checks": [{"kind": "http", "url": "http://127.0.0.1:8080/"}, {"kind": "tcp", "port": 8080}]},
    },
    "ports": [
        {"port": 8080, "allow_from": ["10.0.0.0/16", "192.168.0.0/24"]},
        {"port": 514, "protocol": "udp", "allow_from": ["10.0.0.0/16"]},
    ],
    "notify": ["one@example.com", "two@example.com"],
}
EXISTING_VPC: Tree = {
    "id": "vpc-0123456789abcdef0",
    "zones": {
        zone: {
            "instance_subnet_id": f"subnet-0000000000000000{n}",
            "service_subnet_id": f"subnet-0000000000000010{n}",
            "service_subnet_cidr": f"172.16.{n}.0/26",
        }
        for n, zone in enumerate(ZONES[:2])
    },
}
EXISTING_FILE_SYSTEM: Tree = {
    "id": "fs-0123456789abcdef0",
    "mount_targets": {"us-east-1a": "172.16.100.4", "us-east-1b": "172.16.101.4"},
    "security_group_id": "sg-0123456789abcdef0",
}


def variant(name: str) -> Tree:
    """The service file of one of the variants every general assertion runs over."""
    tree = copy.deepcopy(BASE)
    if name in ("one zone", "two zones"):
        tree["zones"] = list(ZONES[: 1 if name == "one zone" else 2])
    if name.startswith("existing"):
        tree["existing_vpc"] = EXISTING_VPC
        del tree["zones"]
    if name == "existing everything":
        tree["dns"]["zone_id"] = "Z0123456789ABCDEFGHIJ"
        tree["file_system"]["existing"] = EXISTING_FILE_SYSTEM
    if name == "public zone":
        tree["dns"] |= {"zone": "example.com", "record": "monitor.example.com", "private": False}
    if name == "list of types":
        tree["instance"]["fallback_types"] = ["t3a.small", "t2.small"]
    return tree


VARIANTS = (
    "three zones",
    "two zones",
    "one zone",
    "existing vpc",
    "existing everything",
    "public zone",
    "list of types",
)


_templates: dict[str, tuple[Template, Template]] = {}


def synthesize(name: str = "three zones", **changes: Any) -> Template:
    """The template of a variant, with `changes` in its service file as deep as they name keys."""
    return synthesize_both(name, **changes)[0]


def synthesize_both(name: str = "three zones", **changes: Any) -> tuple[Template, Template]:
    """The template of a variant, and that of its watch stack."""
    import stacks  # first: finds Node for the CDK

    # isort: split
    import aws_cdk as cdk

    from services.load import parse_service
    from stacks.service_stack import ServiceStack
    from stacks.watch_stack import WatchStack

    tree = merged(variant(name), changes)
    key = json.dumps(tree, sort_keys=True)
    if key not in _templates:
        app = cdk.App()
        service = parse_service(tree, source="test")
        WatchStack(app, service=service).add_stack_dependency(ServiceStack(app, service=service))
        assembly = Path(app.synth().directory)
        manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
        assert "missing" not in manifest, "context look-ups would need an AWS account"
        stacks = (service.stack_name, names.watch_stack_name(service.name))
        one, watch = (Template(json.loads((assembly / f"{each}.template.json").read_text())) for each in stacks)
        _templates[key] = (one, watch)
    return _templates[key]


@pytest.fixture(scope="session")
def synth() -> Callable[..., Template]:
    """Synthesizes a variant of the service file, with changes."""
    return synthesize


@pytest.fixture(scope="session")
def template() -> Template:
    """The template of the base service: new VPC over three zones, new private zone, new file system."""
    return synthesize()


@pytest.fixture(scope="session")
def synth_watch() -> Callable[..., Template]:
    """Synthesizes the watch stack of a variant, with changes."""
    return lambda name="three zones", **changes: synthesize_both(name, **changes)[1]


@pytest.fixture(params=VARIANTS)
def any_template(request: pytest.FixtureRequest) -> Template:
    """The template of every variant in turn."""
    return synthesize(request.param)


@pytest.fixture(scope="session")
def service_tree() -> Callable[[str], Tree]:
    """The service file of a variant, to be changed at will."""
    return variant
