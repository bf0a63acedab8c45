"""The report as JSON, for machines.

For: `build/demo/report.json`, CI's check and `make bench`. Guarantees: every key below is always there; a reader
sees the whole file or none (written aside, then renamed). Does not: judge; `Report.findings` does.
Keys: scenes [name, healed, outage_s, zone_from, zone_to, ami_from, ami_to,
phases [name, start_s, duration_s, outcome]], acknowledged, lost, template_sha256, deployed_sha256. In addition: ok,
findings, service, record_name, record_ttl_s, started_at, duration_s, machine, versions, events [at_s, sentence]; per
scene sentence, start_s, event_s, end_s, acknowledged, lost, instance_from, instance_to, network_interface, address,
record_value, generation_from, generation_to (of the lease); per phase detail where there is one. A value that does not
exist (no instance before) is null. Seconds are rounded to milliseconds.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.report.model import Phase, Report, Scene, sentence

SCENE_FIELDS = (
    *("name", "healed", "outage_s", "zone_from", "zone_to", "ami_from", "ami_to", "phases"),
    *("start_s", "event_s", "end_s", "acknowledged", "lost", "instance_from", "instance_to", "network_interface"),
    *("address", "record_value", "generation_from", "generation_to"),
)


def to_tree(report: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "ok": not report.findings,
        "findings": list(report.findings),
        "scenes": [_scene(scene) for scene in report.scenes],
        "acknowledged": report.acknowledged,
        "lost": report.lost,
        "template_sha256": report.template_sha256,
        "deployed_sha256": report.deployed_sha256,
        "service": report.service,
        "record_name": report.record_name,
        "record_ttl_s": report.record_ttl_s,
        "started_at": report.started_at,
        "duration_s": round(report.duration_s, 3),
        "machine": report.machine,
        "versions": dict(report.versions),
        "events": [{"at_s": round(event.at_s, 3), "sentence": event.sentence} for event in report.events],
    }


def _scene(scene: Scene) -> dict[str, Any]:
    tree = {name: _plain(name, getattr(scene, name)) for name in SCENE_FIELDS}
    return tree | {"phases": [_phase(phase) for phase in scene.phases], "sentence": sentence(scene)}


def _phase(phase: Phase) -> dict[str, Any]:
    tree = {name: _plain(name, value) for name, value in asdict(phase).items()}
    return tree if phase.detail else {name: value for name, value in tree.items() if name != "detail"}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return None if value == "" or (name.startswith("generation_") and not value) else value


def write_json(report: Report, path: Path) -> None:
    """Write the report to `path`, whose directory is made where missing. Raises OSError."""
    write_whole(path, json.dumps(to_tree(report), indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees the old file or the new one, never a part. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
