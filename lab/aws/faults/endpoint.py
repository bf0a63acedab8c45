"""The control endpoint for faults, on the control plane's own port.

For: chaos runs in other processes and on other machines of the lab:
    GET    /_lab/faults        faults with their hits, and the presets
    POST   /_lab/faults        {"preset": "api-away", "caller": "i-0abc", "lasts_s": 30} or the fields of `Fault`
    DELETE /_lab/faults        all of them;  DELETE /_lab/faults/f-1  one
Guarantees: a fault that makes no sense is refused with 400 and the reason. Does not: ask who you are.
"""

import json
from typing import Any

from lab.aws.faults.faults import Fault, Faults
from lab.aws.faults.presets import PRESETS, make_fault, preset

FAULTS_PATH = "/_lab/faults"

Document = dict[str, Any]


def answer_faults(faults: Faults, method: str, path: str, body: bytes) -> tuple[str, Document]:
    """HTTP status line and JSON document for a request below `FAULTS_PATH`."""
    name = path.removeprefix(FAULTS_PATH).strip("/")
    if method == "GET" and not name:
        meanings = {key: found.meaning for key, found in PRESETS.items()}
        return "200 OK", {"faults": [describe(fault) for fault in faults.in_force()], "presets": meanings}
    if method == "POST" and not name:
        return _post(faults, body)
    if method == "DELETE" and not name:
        faults.clear()
        return "200 OK", {"faults": []}
    if method == "DELETE":
        return ("200 OK", {"removed": name}) if faults.remove(name) else _refused("404 Not Found", f"no fault {name!r}")
    return _refused("405 Method Not Allowed", f"{method} {path}: use GET, POST or DELETE on {FAULTS_PATH}")


def _post(faults: Faults, body: bytes) -> tuple[str, Document]:
    try:
        fields = json.loads(body or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("the body must be a JSON object")
        named = fields.pop("preset", None)
        fault = preset(named, **fields) if named is not None else make_fault(fields)
    except (ValueError, TypeError) as error:
        return _refused("400 Bad Request", str(error))
    return "201 Created", describe(faults.add(fault))


def _refused(status: str, reason: str) -> tuple[str, Document]:
    return status, {"error": reason}


def describe(fault: Fault) -> Document:
    """A fault as JSON: what was set, its id and how many calls it has hit."""
    shown = {key: value for key, value in vars(fault).items() if not key.startswith("_") and key != "over"}
    return shown | {"outcome": fault.outcome}
