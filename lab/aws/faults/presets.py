"""Faults by name: what goes wrong with AWS, as an operator would say it.

For: `control_plane.inject("api-away", caller="i-0abc", lasts_s=30)` and the HTTP endpoint.
Guarantees: every preset says what it means in one sentence, and takes any field of `Fault` to narrow or widen it.
Does not: cut machines from the network or from EFS; that is the network's (`lab.hardware.network_cuts`).
"""

from dataclasses import dataclass
from typing import Any

from lab.aws.faults.faults import Fault


@dataclass(frozen=True)
class Preset:
    """A named fault: what it means, its settings, and which of `Fault`'s fields must be given."""

    meaning: str
    settings: dict[str, Any]
    needs: tuple[str, ...] = ()


PRESETS: dict[str, Preset] = {
    "throttled": Preset("calls are refused as too many", {"kind": "throttled", "count": None}),
    "throttling-burst": Preset(
        "for 10 s, half of the calls are refused as too many",
        {"kind": "throttled", "count": None, "share": 0.5, "lasts_s": 10.0},
    ),
    "denied": Preset("calls are refused for want of permission", {"kind": "denied", "count": None}),
    "role-not-propagated": Preset(
        "for 10 s a new role's calls are refused: IAM is eventually consistent",
        {"kind": "denied", "count": None, "lasts_s": 10.0},
        ("caller",),
    ),
    "unavailable": Preset("calls are answered with 503", {"kind": "unavailable", "count": None}),
    "internal-error": Preset("calls are answered with 500", {"kind": "internal-error", "count": None}),
    "slow": Preset("answers take 5 s longer", {"delay_s": 5.0, "count": None}),
    "dropped": Preset("one connection is closed without an answer, nothing is done", {"drop": True}),
    "answer-lost": Preset("one call is performed but its answer is lost", {"lose_answer": True}),
    "api-away": Preset("no call gets an answer: connections are closed at once", {"drop": True, "count": None}),
    "api-silent": Preset(
        "no call gets an answer: connections hang for 60 s", {"drop": True, "delay_s": 60.0, "count": None}
    ),
    "service-away": Preset(
        "one service answers 503 to everything", {"kind": "unavailable", "count": None}, ("service",)
    ),
    "zone-away": Preset(
        "the control plane of a zone is away: what names a resource there, and launches there, is answered 503",
        {"kind": "unavailable", "count": None},
        ("zone",),
    ),
    "cut-off-zone": Preset(
        "no instance of a zone reaches the API: connections are closed", {"drop": True, "count": None}, ("from_zone",)
    ),
}


def preset(name: str, **overrides: Any) -> Fault:
    """The fault of that name with some fields changed. Raises ValueError for unknown names, fields and values."""
    found = PRESETS.get(name)
    if found is None:
        raise ValueError(f"there is no preset {name!r}: choose from {', '.join(PRESETS)}")
    missing = [field for field in found.needs if not overrides.get(field)]
    if missing:
        raise ValueError(f"preset {name!r} needs {', '.join(missing)}")
    return make_fault({"name": name} | found.settings | overrides)


def make_fault(fields: dict[str, Any]) -> Fault:
    """A fault from JSON fields. Raises ValueError that names an unknown field or a wrong value."""
    known = {key: kind for key, kind in Fault.__annotations__.items() if key not in ("id", "hits", "over")}
    for key, value in fields.items():
        if key not in known:
            raise ValueError(f"a fault has no field {key!r}: choose from {', '.join(known)}")
        if not _fits(known[key], value):
            raise ValueError(f"{key}: {value!r} is not {known[key]}")
    return Fault(**fields)


def _fits(annotation: str, value: Any) -> bool:
    if value is None:
        return "None" in annotation
    if isinstance(value, bool) or annotation == "bool":
        return isinstance(value, bool) and annotation == "bool"
    if annotation.startswith("float"):
        return isinstance(value, int | float)
    return isinstance(value, int) if annotation.startswith("int") else isinstance(value, str)
