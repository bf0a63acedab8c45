"""Reads service files and reports everything that is wrong with them at once.

For: app.py, the `services` command and the operator's command. Guarantees: either a complete, consistent ServiceFile
or one ServiceFileError with every finding; a mistake in one place never hides those in another.
Does not: guess. A judgement that would rest on a wrong value is dropped.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.across import clashes
from services.findings import Finding, ServiceFileError
from services.rules import relation_findings
from services.schema import direct_errors, path_of, translate
from services.sections import to_json, usable_sections
from services.spec import ServiceFile
from services.text import LARGEST_TEXT, BadText, read_yaml

LONGEST_DOCUMENT = 8000  # characters; user data is at most 16 KiB (EC2 user guide) and repeats the file with ids added


def load_services(place: Path, *, only: str = "", ami: str = "") -> list[ServiceFile]:
    """Every service file of a directory (or the one file), by name. Raises ServiceFileError with all findings.

    `only` restricts to the file of that name (NAME.yaml); `ami` replaces its AMI id and needs `only`.
    """
    if ami and not only:
        raise _one_finding("ami", ami, "given without a service", "Add -c service=NAME")
    files = [place] if place.is_file() else sorted(place.glob(f"{only or '*'}.yaml"))
    if not files:
        raise _one_finding(
            str(place), only, "no service file of that name there", "Add NAME.yaml, or choose services_dir or service"
        )
    loaded: list[tuple[str, ServiceFile]] = []
    errors: list[ServiceFileError] = []
    for file in files:
        try:
            loaded.append((str(file), load_service(file, ami=ami)))
        except ServiceFileError as error:
            errors.append(error)
    if found := clashes(loaded):
        errors.append(ServiceFileError(source="service files", findings=found))
    if errors:
        raise errors[0] if len(errors) == 1 else _joined(errors)
    return [service for _, service in loaded]


def load_service(path: Path, *, ami: str = "", zone_letters: str = "") -> ServiceFile:
    """The service file at `path`; `ami` and `zone_letters` stand in for what it says, or does not say yet, of AMI and
    zones. Raises ServiceFileError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        problem = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise _one_finding(str(path), "", problem, "Name a readable YAML file") from None
    return read_service(content, source=str(path), ami=ami, zone_letters=zone_letters)


def read_service(content: bytes, *, source: str, ami: str = "", zone_letters: str = "") -> ServiceFile:
    """Like `load_service`, from a file's content; `source` is named in the message. Raises ServiceFileError."""
    try:
        tree = read_yaml(content)
    except BadText as error:
        raise _one_finding(source, "", error.problem, error.remedy) from None
    if ami and isinstance(tree, dict) and isinstance(tree.get("instance"), dict):
        tree["instance"]["ami"] = ami
    if zone_letters and isinstance(tree, dict):
        tree["zones"] = [f"{tree.get('region')}{letter}" for letter in zone_letters]
    return parse_service(tree, source=source)


def parse_service(tree: object, *, source: str) -> ServiceFile:
    """The service file in a decoded tree. Raises ServiceFileError; `source` is named in its message."""
    if not isinstance(tree, dict):
        raise _one_finding(source, "", "not a mapping of keys", "Start from services/opscenter.yaml")
    findings, wrong = _value_findings(tree)
    sections = usable_sections(tree)
    for finding in relation_findings(sections):
        if not any(_touches(path, bad) for path in (finding.path, *finding.depends_on) for bad in wrong):
            findings.append(finding)
    if not findings and len(json.dumps(tree, default=str)) > LONGEST_DOCUMENT:
        problem = f"longer than {LONGEST_DOCUMENT} characters, which would not fit into user data"
        findings.append(Finding(path="file", value="", problem=problem, remedy="Move long hooks into the image"))
    if findings:
        raise ServiceFileError(source=source, findings=findings)
    return ServiceFile.model_validate_json(to_json(tree))


def _value_findings(tree: dict[str, Any]) -> tuple[list[Finding], list[str]]:
    """Findings on single values, and the paths no judgement may rest on."""
    try:
        ServiceFile.model_validate_json(to_json(tree))
    except ValidationError as error:
        errors = direct_errors(error.errors())
        findings = [translate(tree, item) for item in errors]
        return findings, [path_of(tree, item["loc"]) for item in errors if item["type"] != "extra_forbidden"]
    return [], []


def _touches(path: str, wrong: str) -> bool:
    """True when one of the two paths lies within the other."""
    return path == wrong or path.startswith((wrong + ".", wrong + "[")) or wrong.startswith((path + ".", path + "["))


def _one_finding(path: str, value: str, problem: str, remedy: str) -> ServiceFileError:
    return ServiceFileError(
        source="service file", findings=[Finding(path=path, value=value, problem=problem, remedy=remedy)]
    )


def _joined(errors: list[ServiceFileError]) -> ServiceFileError:
    """One error for several files, each finding with the name of its file in front."""
    findings = [
        replace(finding, path=f"{error.source}: {finding.path}") for error in errors for finding in error.findings
    ]
    return ServiceFileError(source="service files", findings=findings)
