"""Who serves now: good only when state parameter, group, network interface and name all say the same instance."""

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from lab.aws import ControlPlane, GroupView, MemberView, NetworkInterfaceView, RecordView
from lab.play.standing import Standing, read_standing
from lab.report.model import Phase

NAME = "influxdb.example.internal"
SERVING, OTHER = "i-0000000000000000a", "i-0000000000000000b"
READY: dict[str, Any] = {"name": "ready", "start_s": 2.3, "duration_s": 0.0, "outcome": "ok", "detail": ""}
STATE: dict[str, Any] = {
    "instance_id": SERVING, "phase": "ready", "sentence": "serving", "zone": "us-east-1a", "image_id": "ami-1",
    "image_version": "1", "generation": 3, "timeline": [READY],
}  # fmt: skip
MEMBER = MemberView(instance_id=SERVING, zone="us-east-1a", lifecycle_state="InService", launch_template_version="1")
INTERFACE = NetworkInterfaceView(
    id="eni-a", mac="02:00:00:00:00:01", zone="us-east-1a", subnet_id="subnet-a", vpc_id="vpc", address="10.0.100.10",
    status="in-use", attachment_status="attached", attachment_id="eni-attach-1", instance_id=SERVING, device_index=1,
    tags={"soloist:service": "influxdb", "soloist:zone": "us-east-1a"},
)  # fmt: skip
PRIMARY = replace(INTERFACE, id="eni-own", address="10.0.0.4", device_index=0)
RECORD = RecordView(name=NAME, type="A", ttl_s=10, values=("10.0.100.10",), zone_id="Z1", zone_name="example.internal",
                    vpc_ids=("vpc",))  # fmt: skip


class ParameterNotFound(Exception):
    pass


@dataclass
class Seen:
    """A control plane and a parameter store that say what they are told."""

    parameter: str | None = json.dumps(STATE)
    members: tuple[MemberView, ...] = (MEMBER,)
    has_group: bool = True
    interfaces: tuple[NetworkInterfaceView, ...] = (PRIMARY, INTERFACE)
    records: tuple[RecordView, ...] = (RECORD,)
    asked: list[str] = field(default_factory=list)

    exceptions: ClassVar[SimpleNamespace] = SimpleNamespace(ParameterNotFound=ParameterNotFound)

    def get_parameter(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked["Name"])
        if self.parameter is None:
            raise ParameterNotFound
        return {"Parameter": {"Value": self.parameter}}

    def group(self, name: str) -> GroupView | None:
        self.asked.append(name)
        if not self.has_group:
            return None
        return GroupView(name=name, zones=("us-east-1a",), suspended=(), launch_template_version="$Default",
                         members=self.members)  # fmt: skip

    def network_interfaces(self) -> list[NetworkInterfaceView]:
        return list(self.interfaces)

    def hosted_zone_records(self) -> list[RecordView]:
        return list(self.records)


def read(seen: Seen) -> Standing:
    return read_standing(cast(ControlPlane, seen), seen, "influxdb", NAME)


def says(**changes: object) -> Seen:
    return Seen(parameter=json.dumps(STATE | changes))


def holds(**changes: Any) -> Seen:
    return Seen(interfaces=(PRIMARY, replace(INTERFACE, **changes)))


def test_everything_as_it_should_be_is_good_and_read_from_its_place() -> None:
    seen = Seen()
    assert read(seen) == Standing(
        instance_id=SERVING, phase="ready", sentence="serving", zone="us-east-1a", image_id="ami-1", image_version="1",
        lifecycle="InService", network_interface_id="eni-a", address="10.0.100.10", record_value="10.0.100.10",
        generation=3, phases=(Phase(**READY),),
    )  # fmt: skip
    assert read(seen).is_good
    assert set(seen.asked) == {"/soloist/influxdb/state", "soloist-influxdb"}


NOTHING = "no instance reports nothing: "
NOT_IN_GROUP = f"{SERVING} is not in the group"
HOLDS_NOTHING = f"{SERVING} holds no network interface of the service"


@pytest.mark.parametrize(
    ("seen", "missing"),
    [
        pytest.param(Seen(parameter=None), NOTHING, id="no state parameter"),
        pytest.param(Seen(parameter="-"), NOTHING, id="a state parameter nobody has written yet"),
        pytest.param(Seen(parameter='["ready"]'), NOTHING, id="a state parameter that is no object"),
        pytest.param(
            says(phase="booting", sentence="mounting"), f"{SERVING} reports booting: mounting", id="still booting"
        ),
        pytest.param(
            says(phase="failed", sentence="mount-failed"), f"{SERVING} reports failed: mount-failed", id="failed"
        ),
        pytest.param(says(instance_id=OTHER), f"{OTHER} is not in the group", id="the report of a dead instance"),
        pytest.param(says(instance_id=""), " is not in the group", id="a report of nobody"),
        pytest.param(Seen(has_group=False), NOT_IN_GROUP, id="no group"),
        pytest.param(Seen(members=()), NOT_IN_GROUP, id="an empty group"),
        pytest.param(
            Seen(members=(replace(MEMBER, lifecycle_state="Pending:Wait"),)), f"{SERVING} is Pending:Wait",
            id="the launch hook is not answered yet",
        ),
        pytest.param(
            Seen(members=(replace(MEMBER, lifecycle_state="Terminating:Wait"),)), f"{SERVING} is Terminating:Wait",
            id="about to end",
        ),
        pytest.param(Seen(interfaces=(PRIMARY,)), HOLDS_NOTHING, id="only its own interface"),
        pytest.param(holds(instance_id=OTHER), HOLDS_NOTHING, id="another instance has the interface"),
        pytest.param(holds(attachment_status="attaching"), HOLDS_NOTHING, id="not attached yet"),
        pytest.param(holds(attachment_status="detaching"), HOLDS_NOTHING, id="about to let go"),
        pytest.param(holds(tags={}), HOLDS_NOTHING, id="an interface that is not the service's"),
        pytest.param(holds(tags={"soloist:service": "other"}), HOLDS_NOTHING, id="an interface of another service"),
        pytest.param(
            Seen(interfaces=(PRIMARY, INTERFACE, replace(INTERFACE, id="eni-b", device_index=2))), HOLDS_NOTHING,
            id="two of them: which one would it be?",
        ),
        pytest.param(Seen(records=()), "the name points at nothing, not at 10.0.100.10", id="no record"),
        pytest.param(
            Seen(records=(replace(RECORD, values=("10.0.101.10",)),)),
            "the name points at 10.0.101.10, not at 10.0.100.10", id="the record of the zone before",
        ),
        pytest.param(
            Seen(records=(replace(RECORD, values=("10.0.100.10", "10.0.101.10")),)),
            "the name points at 10.0.100.10, 10.0.101.10, not at 10.0.100.10", id="both zones",
        ),
        pytest.param(
            Seen(records=(replace(RECORD, type="AAAA"), replace(RECORD, name=f"x.{NAME}"))),
            "the name points at nothing, not at 10.0.100.10", id="only records of other names and types",
        ),
    ],
)  # fmt: skip
def test_whatever_disagrees_is_named(seen: Seen, missing: str) -> None:
    standing = read(seen)
    assert standing.missing == missing
    assert not standing.is_good
