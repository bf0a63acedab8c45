"""The CloudFormation stack of a service, as a promotion sees and changes it.

For: observe reads it; promote sets its one parameter, the promoted version. CloudFormation then writes that version
into the group, now and in every later update and rollback. Guarantees: the template and every other parameter stay as
they are; waiting has a limit. Does not: deploy.
Sources: CloudFormation API reference UpdateStack (UsePreviousTemplate), Parameter (a key that is not given takes its
default); user guide "Stack status codes".
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from bootstrap.base.names import FIRST_VERSION, PROMOTED_PARAMETER, STAGED_OUTPUT
from rollout.aws import Clients, doing
from rollout.errors import PreconditionError, RolloutError

POLL_S = 2.0
UPDATE_LIMIT_S = 900.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]  # of the template, which is not changed


class Clock(Protocol):
    """Time as the rollout sees it: `monotonic` in seconds, and `sleep`."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock of this computer."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """`promoted`: the version that CloudFormation writes into the group, or "first" before the first promotion.
    `staged`: the description of the version that the last deployment staged, "" where the stack names none."""

    name: str
    status: str
    promoted: str = FIRST_VERSION
    staged: str = ""
    parameters: tuple[str, ...] = (PROMOTED_PARAMETER,)

    def check_settled(self) -> None:
        """Raises PreconditionError while CloudFormation is at work on the stack, or has given up in the middle."""
        if self.status.endswith("_IN_PROGRESS"):
            raise PreconditionError(
                f"stack {self.name} is {self.status}: CloudFormation is changing it. Wait for its end, then try again"
            )
        if self.status.endswith("_FAILED") or self.status == "ROLLBACK_COMPLETE":
            raise PreconditionError(
                f"stack {self.name} is {self.status}: CloudFormation does not update it. Repair it by aws "
                f"cloudformation continue-update-rollback --stack-name {self.name}, or delete it if it never worked"
            )

    @property
    def was_rolled_back(self) -> bool:
        """Whether the last deployment failed, so that it staged nothing."""
        return "ROLLBACK" in self.status


def read_stack(clients: Clients, name: str) -> Stack:
    """Raises PreconditionError where there is no such stack, RolloutError where AWS refuses or does not answer."""
    with doing(f"cannot read stack {name}"):
        try:
            found = clients.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except clients.cloudformation.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            raise PreconditionError(
                f"no stack {name} in this account and Region, but its group is there. Deploy the stack again"
            ) from None
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if PROMOTED_PARAMETER not in parameters:
        raise PreconditionError(
            f"stack {name} has no parameter {PROMOTED_PARAMETER}: an earlier release of soloist made it. "
            "Deploy it once with this release"
        )
    return Stack(
        name=name,
        status=found["StackStatus"],
        promoted=parameters[PROMOTED_PARAMETER],
        staged=outputs.get(STAGED_OUTPUT, ""),
        parameters=tuple(parameters),
    )


def set_promoted(clients: Clients, stack: Stack, version: int, clock: Clock) -> None:
    """Make `version` the one that CloudFormation writes into the group, and wait until it has. Raises RolloutError."""
    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in stack.parameters if key != PROMOTED_PARAMETER]
    with doing(f"cannot update stack {stack.name}"):
        clients.cloudformation.update_stack(
            StackName=stack.name,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": PROMOTED_PARAMETER, "ParameterValue": str(version)}, *kept],
            Capabilities=CAPABILITIES,
        )
    status = _await_end(clients, stack.name, clock)
    if status != "UPDATE_COMPLETE":
        raise RolloutError(
            f"the update of stack {stack.name} ended in {status}. Its events say why: "
            f"aws cloudformation describe-stack-events --stack-name {stack.name}. Then give the version by its number"
        )


def _await_end(clients: Clients, name: str, clock: Clock) -> str:
    """The status once nothing is in progress. An error of AWS is not the end: the update goes on all the same."""
    started, seen = clock.monotonic(), ""
    while clock.monotonic() - started < UPDATE_LIMIT_S:
        try:
            seen = read_stack(clients, name).status
        except RolloutError as error:
            seen = str(error)
        else:
            if not seen.endswith("_IN_PROGRESS"):
                return seen
        clock.sleep(POLL_S)
    raise RolloutError(f"the update of stack {name} did not end within {UPDATE_LIMIT_S:.0f} s; last seen: {seen}")
