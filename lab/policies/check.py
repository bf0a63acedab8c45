"""What is wrong with the roles, given the calls of a run: calls not granted, and grants never used without a reason.

For: tests. Guarantees: each finding is one sentence that names role, action and resource. Pure but for `evaluate`,
whose judgements are passed in. Does not: decide what a full run is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from lab.aws.core.call_log import Call
from lab.base.errors import LabError
from lab.policies.evaluator import Judgement
from lab.policies.roles import Grant, Role, grants_of


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why an action is granted although a run does not use it. `role` is the beginning of the role's logical id;
    `resource` is part of the statement's resources, where only one of several statements is meant."""

    role: str
    action: str
    reason: str
    resource: str = ""

    def covers(self, grant: Grant) -> bool:
        return (
            grant.role.startswith(self.role)
            and self.action == grant.action
            and any(self.resource in resource for resource in grant.resources)
        )


def read_reasons(path: Path) -> tuple[Reason, ...]:
    """The table of reasons, one entry for each action named there. Raises LabError for one without a reason."""
    reasons = tuple(
        Reason(role=entry["role"], action=action, reason=entry["reason"], resource=entry.get("resource", ""))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
        for action in entry["actions"]
    )
    empty = [one.action for one in reasons if len(one.reason.split()) < 3]
    if empty:
        raise LabError(f"{path.name}: no reason worth the name for {', '.join(empty)}")
    return reasons


def calls_by_role(calls: Iterable[Call], roles: Sequence[Role]) -> tuple[list[tuple[Role, Call]], list[Call]]:
    """The calls made with the roles' credentials, and those made with the credentials of a role nobody knows."""
    by_name = {role.name: role for role in roles}
    known, strange = [], []
    for call in calls:
        if ":assumed-role/" in call.caller.arn:
            name = call.caller.arn.partition(":assumed-role/")[2].partition("/")[0]
            if name in by_name:
                known.append((by_name[name], call))
            else:
                strange.append(call)
    return known, strange


def ungranted(judgements: Iterable[Judgement]) -> list[str]:
    """Calls that AWS would have refused, or could not be judged."""
    return sorted({one.sentence for one in judgements if not one.is_granted})


def unused(judgements: Iterable[Judgement], roles: Iterable[Role], reasons: Sequence[Reason]) -> list[str]:
    """Grants that no call needed and no reason explains, and reasons for what is not granted."""
    used = {
        (one.role.logical_id, statement, one.call.action)
        for one in judgements
        for verdict in one.verdicts
        for statement in verdict.by
    }
    grants = [grant for role in roles for grant in grants_of(role)]
    findings = [
        f"{grant.role}: {grant.action} on {', '.join(grant.resources)} is granted, and neither used in the run nor "
        "explained: take it out, or give the reason"
        for grant in grants
        if not _is_used(grant, used) and not any(reason.covers(grant) for reason in reasons)
    ]
    findings += [
        f"{reason.role}: a reason is given for {reason.action}, which is not granted: take the reason out"
        for reason in reasons
        if not any(reason.covers(grant) for grant in grants)
    ]
    return findings


def _is_used(grant: Grant, used: set[tuple[str, str, str]]) -> bool:
    return any(
        (role, statement) == (grant.role, grant.statement) and fnmatchcase(action.lower(), grant.action.lower())
        for role, statement, action in used
    )
