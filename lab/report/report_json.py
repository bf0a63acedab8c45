"""The report as JSON, for machines.

For: `build/demo/report.json`, CI's check and `make bench`. Guarantees: every key below is always there; a reader
sees the whole file or none (written aside, then renamed). Does not: judge; `Report.findings` does.
Keys: scenes [name, healed, outage_s, zone_from, zone_to, ami_from, ami_to,
phases [name, start_s, duration_s, outcome]], acknowledged, lost, template_sha256, deployed_sha256. In addition: ok,
findings, service, record_name, record_ttl_s, started_at, duration_s, machine, versions, events [at_s, sentence]; per
scene sentence, parts (as phases, since the event), start_s, event_s, end_s, acknowledged, lost, instance_from,
instance_to, network_interface, address, record_value, generation_from, generation_to (of the lease); per phase detail
where there is one. A value that does not exist (no instance before) is null. Seconds are rounded to milliseconds.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bootstrap.base.files import replace_file
from lab.report.model import Phase, Report, Scene, sentence

REPORT_FIELDS = (
    *("acknowledged", "lost", "template_sha256", "deployed_sha256", "service", "record_name", "record_ttl_s"),
    *("started_at", "machine"),
)
SCENE_FIELDS = (
    *("name", "healed", "outage_s", "zone_from", "zone_to", "ami_from", "ami_to", "phases"),
    *("start_s", "event_s", "end_s", "acknowledged", "lost", "instance_from", "instance_to", "network_interface"),
    *("address", "record_value", "generation_from", "generation_to"),
)


def to_tree(report: Report) -> dict[str, Any]:
    return {
        "ok": not report.findings,
        "findings": list(report.findings),
        "scenes": [_scene(scene) for scene in report.scenes],
        **{name: getattr(report, name) for name in REPORT_FIELDS},
        "duration_s": round(report.duration_s, 3),
        "versions": dict(report.versions),
        "events": [{"at_s": round(event.at_s, 3), "sentence": event.sentence} for event in report.events],
    }


def _scene(scene: Scene) -> dict[str, Any]:
    tree = {name: _plain(name, getattr(scene, name)) for name in SCENE_FIELDS}
    timed = {name: [_phase(phase) for phase in getattr(scene, name)] for name in ("phases", "parts")}
    return tree | timed | {"sentence": sentence(scene)}


def _phase(phase: Phase) -> dict[str, Any]:
    tree = {name: _plain(name, value) for name, value in asdict(phase).items()}
    return tree if phase.detail else {name: value for name, value in tree.items() if name != "detail"}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return None if value == "" or (name.startswith("generation_") and not value) else value


def write_json(report: Report, path: Path) -> None:
    """Write the report to `path`, whose directory is made where missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(to_tree(report), indent=2) + "\n")
