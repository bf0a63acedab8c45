"""The call log: who asked AWS for what, about which resources, and what came of it. One JSON object a line.

For: the policy check, the demo (build/demo/calls.jsonl) and whoever wonders. Guarantees: entries are in the order of
the answers. CloudFormation's own work is one entry per resource. Does not: check permissions, or read requests
(`lab.aws.calls.recording` does). Source of the idea: CloudTrail user guide "CloudTrail record contents".
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

OK = "ok"
NO_ANSWER = "no answer"

Keys = dict[str, str | list[str]]  # condition keys


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose credentials signed a request."""

    kind: str  # instance-role | lambda-role | operator | cloudformation
    arn: str
    instance_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a call, with the condition keys that belong to it alone (its tags, its zone)."""

    arn: str
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `outcome` is "ok", the error code, or "no answer"; `at_s` is the control plane's clock."""

    at_s: float
    caller: Caller
    action: str
    resources: tuple[Resource, ...] = ()
    keys: Keys = field(default_factory=dict)
    outcome: str = OK

    def to_json(self) -> str:
        """One line, without its end."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> Call:
        """The call that `to_json` wrote. Raises ValueError, KeyError or TypeError for anything else."""
        found = json.loads(line)
        resources = tuple(Resource(**one) for one in found.pop("resources"))
        return cls(caller=Caller(**found.pop("caller")), resources=resources, **found)


def read_calls(path: Path) -> list[Call]:
    """The calls of a run's file. Raises OSError, and what `Call.from_json` raises."""
    return [Call.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


class CallLog:
    """All calls of one control plane. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._path: Path | None = None

    def keep_in(self, path: Path) -> None:
        """Write everything so far, and every call from now on, to `path` as it happens. Raises OSError."""
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(call.to_json() + "\n" for call in self._calls), encoding="utf-8")
            self._path = path

    def calls(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(call.to_json() + "\n")
