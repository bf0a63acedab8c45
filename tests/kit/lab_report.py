"""A made-up run of the demo with realistic numbers, for the tests of the report, the demo and CI's check."""

from dataclasses import replace

from lab.demo import SCENES
from lab.report.model import Event, Phase, Report, Scene

SHA = "3b4f5f0c1d7a9e2b8c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b"


PHASES = tuple(
    Phase(name=name, start_s=start_s, duration_s=duration_s, outcome=outcome)
    for name, start_s, duration_s, outcome in (
        ("metadata", 0.0, 0.09, "ok"),
        ("network-interface", 0.1, 1.32, "ok"),
        ("mount-data", 0.12, 0.84, "ok"),
        ("mount-lease", 0.12, 0.91, "ok"),
        ("connection", 0.13, 1.75, "late"),
        ("directories", 1.05, 0.02, "ok"),
        ("service-start", 1.45, 0.21, "ok"),
        ("healthy", 1.66, 0.61, "ok"),
        ("launch-hook", 2.27, 0.05, "ok"),
        ("ready", 2.32, 0.0, "ok"),
    )
)
CRASH = Scene(
    name="crash",
    happened="machine killed in us-east-1a",
    healed=True,
    outage_s=14.23,
    start_s=40.0,
    event_s=44.0,
    end_s=70.0,
    zone_from="us-east-1a",
    zone_to="us-east-1b",
    ami_from="ami-0aa11bb22cc33dd41",
    ami_to="ami-0aa11bb22cc33dd41",
    instance_from="i-0f00dcafe00000001",
    instance_to="i-0f00dcafe00000002",
    outage_start_s=43.98,
    phases=PHASES,
    per_second=(80,) * 3 + (79,) + (0,) * 14 + (61,) + (80,) * 11,
    acknowledged=3412,
    network_interface="eni-0b0b0b0b0b0b0b0b2",
    address="10.0.101.10",
    record_value="10.0.101.10",
    generation_from=1,
    generation_to=2,
)
FIRST_BOOT = replace(
    CRASH,
    name="first-boot",
    happened="stack deployed, the group launched its first machine",
    zone_from="",
    zone_to="us-east-1a",
    ami_from="",
    instance_from="",
    instance_to="i-0f00dcafe00000001",
    start_s=2.0,
    event_s=2.0,
    end_s=40.0,
    outage_start_s=2.0,
    outage_s=21.7,
    per_second=(0,) * 21 + (22,) + (80,) * 16,
    acknowledged=1302,
    network_interface="eni-0a0a0a0a0a0a0a0a1",
    address="10.0.100.10",
    record_value="10.0.100.10",
    generation_from=0,
    generation_to=1,
)
REPORT = Report(
    service="influxdb",
    record_name="influxdb.monitoring.example.internal",
    record_ttl_s=10,
    started_at="2026-11-20T18:50:12Z",
    duration_s=153.4,
    acknowledged=9127,
    lost=0,
    template_sha256=SHA,
    deployed_sha256=SHA,
    scenes=(
        FIRST_BOOT,
        CRASH,
        replace(
            CRASH,
            name="upgrade",
            happened="version 2 promoted, machine ended",
            ami_to="ami-0aa11bb22cc33dd42",
            outage_s=17.9,
        ),
    ),
    machine="2 processors, 7.8 GiB, Linux 6.1",
    versions={"aws-cdk-lib": "2.275.0", "moto": "5.2.5", "user-mode-linux": "6.1.176"},
    events=(Event(at_s=44.0, sentence="machine i-0f00dcafe00000001 killed <by us>"),),
)


def whole_run() -> Report:
    """A run with every scene, healed."""
    deploy = Scene(name="deploy", happened="stack deployed", healed=True, outage_s=0.0, start_s=0.0, event_s=0.0,
                   end_s=2.0, zone_to="", ami_to="", phases=(Phase(name="synthesize", start_s=0, duration_s=1,
                                                                   outcome="ok"),))  # fmt: skip
    played = tuple(
        replace(CRASH, name=name, generation_from=number, generation_to=number + 1)
        for number, name in enumerate(("first boot", "crash", "upgrade", "rollback"))
    )
    return replace(REPORT, scenes=(deploy, *played), planned=SCENES)


def without(name: str) -> Report:
    """The whole run without the scene `name`."""
    return replace(whole_run(), scenes=tuple(scene for scene in whole_run().scenes if scene.name != name))


def changed(name: str, **changes: object) -> Report:
    """The whole run with the scene `name` changed."""
    return replace(
        whole_run(),
        scenes=tuple(
            replace(scene, **changes) if scene.name == name else scene  # type: ignore[arg-type]
            for scene in whole_run().scenes
        ),
    )
