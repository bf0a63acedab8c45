"""A file system that a deleted stack left is taken over by the next stack of the same service: the same data, the same
paths, mount targets again in every zone, and no second file system."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.base.document import parse_user_data
from bootstrap.run.kinds import KINDS
from lab.aws import FAST, ControlPlane, NoMachines
from lab.base.checkout import SERVICE_FILES
from lab.play.deployment import deploy
from tests.contract.cloudformation.group_members import delete_stack, wait_for_member
from tests.contract.cloudformation.service_template import template_of
from tests.contract.deployed_account import ONE
from tests.kit.documents import merged
from tests.kit.lab_clients import client


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "influxdb-1")
        yield plane
        assert plane.errors == []


def deployed(plane: ControlPlane, out: Path, **changes: Any) -> str:
    tree = merged(yaml.safe_load((SERVICE_FILES / "influxdb.yaml").read_text()), {"instance": {"ami": ONE}, **changes})
    return deploy(client(plane, "cloudformation"), template_of(tree, out, lambda _template: None, {}))


def test_what_a_deleted_stack_left_is_adopted_by_its_id(plane: ControlPlane, tmp_path: Path) -> None:
    assert deployed(plane, tmp_path / "first") == "created"
    (left,) = client(plane, "efs").describe_file_systems()["FileSystems"]
    before = {target.zone for target in plane.mount_targets()}
    delete_stack(plane)
    assert plane.mount_targets() == []

    file_system = {"existing": {"id": left["FileSystemId"]}}
    assert deployed(plane, tmp_path / "second", file_system=file_system) == "created"
    (adopted,) = client(plane, "efs").describe_file_systems()["FileSystems"]
    assert adopted["FileSystemId"] == left["FileSystemId"]
    assert {target.zone for target in plane.mount_targets()} == before
    assert sorted(point.path for point in plane.access_points()) == ["/influxdb/data", "/influxdb/lease"]
    wait_for_member(plane, "Pending:Wait")
    told = parse_user_data(plane.instances()[-1].user_data, KINDS).file_system
    assert told.id == left["FileSystemId"]  # type: ignore[attr-defined]
    addresses = {target.zone: target.address for target in plane.mount_targets()}
    assert {one.zone: one.address for one in told.mount_targets} == addresses  # type: ignore[attr-defined]

    # The stack did not make it, so the stack does not take it away either.
    delete_stack(plane)
    assert [one["FileSystemId"] for one in client(plane, "efs").describe_file_systems()["FileSystems"]] == [
        left["FileSystemId"]
    ]
