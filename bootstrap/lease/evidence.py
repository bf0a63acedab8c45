"""Asks EC2 and the Auto Scaling group about the lease's holder and about this instance.

For: the takeover. Guarantees: both questions are sent at the same time; a question without an answer in time is
`NoAnswer`, whatever the AWS client still does; an error is `NoAnswer` with its words, never a state; "no such
instance" is an answer. A request to terminate never raises: the next look shows its effect, and only a refusal that
does not change by itself is returned in words.
Does not: judge, repeat, or wait until an instance is gone.
Sources: EC2 API reference DescribeInstances, TerminateInstances ("Error codes": OperationNotPermitted for a protected
instance, UnauthorizedOperation); Auto Scaling API reference DescribeAutoScalingInstances.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import CloudError
from bootstrap.base.member import Member
from bootstrap.base.threads import Threads
from bootstrap.lease.rules.observation import GONE, GroupAnswer, HolderAnswer, NoAnswer

log = logging.getLogger(__name__)

Value = TypeVar("Value")


class Instances(Protocol):
    """The calls of cloud.ec2.Ec2 used here."""

    def instance_state(self, instance_id: str) -> str | None: ...

    def terminate(self, instance_id: str, *, is_forced: bool) -> None: ...


class Members(Protocol):
    """The call of cloud.autoscaling.AutoScaling used here."""

    def members(self, instance_ids: Sequence[str]) -> dict[str, Member]: ...


class LeaseEvidence:
    """Questions about one holder, asked by the instance `me`."""

    def __init__(self, instances: Instances, members: Members, me: str, threads: Threads) -> None:
        self._instances = instances
        self._members = members
        self._me = me
        self._threads = threads

    def gather(self, holder: str, deadline: Deadline) -> tuple[HolderAnswer | NoAnswer, GroupAnswer | NoAnswer]:
        """What EC2 says about `holder` and the group about both of us."""
        state = _Question(self._threads, "ask EC2 about the holder", lambda: self._holder_state(holder))
        group = _Question(self._threads, "ask the group about the holder", lambda: self._group(holder))
        return state.answer(deadline), group.answer(deadline)

    def terminate(self, holder: str, deadline: Deadline, *, is_forced: bool) -> str:
        """End `holder` without its operating system; the words of a refusal that is final, else ""."""
        question = _Question(
            self._threads, "terminate the holder", lambda: self._terminate(holder, is_forced=is_forced)
        )
        answer = question.answer(deadline)
        if isinstance(answer, NoAnswer):
            log.warning("lease: %s", answer.reason)
            return ""
        return answer

    def _holder_state(self, holder: str) -> HolderAnswer:
        return HolderAnswer(state=self._instances.instance_state(holder) or GONE)

    def _group(self, holder: str) -> GroupAnswer:
        found = self._members.members(sorted({self._me, holder}))
        return GroupAnswer(me=found.get(self._me), holder=found.get(holder))

    def _terminate(self, holder: str, *, is_forced: bool) -> str:
        try:
            self._instances.terminate(holder, is_forced=is_forced)
        except CloudError as error:
            if not error.retryable:
                return str(error)
            log.warning("lease: %s", error)
        return ""


class _Question(Generic[Value]):
    """One call in a thread of its own, begun at once."""

    def __init__(self, threads: Threads, what: str, call: Callable[[], Value]) -> None:
        self._call = call
        self._what = what
        self._result: Value | NoAnswer | None = None
        self._thread = threads.start(what, self._run)

    def answer(self, deadline: Deadline) -> Value | NoAnswer:
        """Its result, or `NoAnswer` when it failed or took longer."""
        self._thread.join(deadline.remaining_s)
        if self._result is None:
            return NoAnswer(reason=f"{self._what}: no answer within {deadline.seconds:.0f} s")
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._call()
        except CloudError as error:
            self._result = NoAnswer(reason=str(error))
        except Exception as error:
            log.exception("%s: a defect", self._what)
            self._result = NoAnswer(reason=f"{self._what}: unexpected {type(error).__name__}: {error}")
