"""The lease directory as the rules see it: looks and writes, each bounded, each answered by what is there.

For: the newcomer and the holder. Guarantees: every look is fresh (lease/child.py) and says when it was sent and when it
returned; what a write returns is what was read back after it; only a generation file of its own is ever rewritten;
pruning keeps the last 50. Does not: judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from bootstrap.base.clock import Clock
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.record import (
    LeaseRecord,
    file_name,
    highest_generation,
    parse_record,
    prunable,
    render_record,
)


class Worker(Protocol):
    """lease_worker.LeaseWorker."""

    def ask(self, timeout_s: float, **request: Any) -> dict[str, Any] | NoAnswer: ...


class LeaseDirectory:
    """The directory at `root`."""

    def __init__(self, worker: Worker, root: str, clock: Clock) -> None:
        self._worker = worker
        self._root = root
        self._clock = clock
        self._names: Sequence[str] = ()

    def look(self, timeout_s: float) -> Seen | NoAnswer:
        """The highest generation there is."""
        sent_s = self._clock.monotonic()
        answer = self._worker.ask(timeout_s, verb="look", root=self._root)
        if isinstance(answer, NoAnswer):
            return answer
        self._names = [str(name) for name in answer["names"]]
        return self._seen(highest_generation(self._names), str(answer["text"]), sent_s)

    def publish(self, record: LeaseRecord, timeout_s: float) -> Seen | NoAnswer:
        """Publish `record` unless its generation is taken; then a fresh look, whatever became of it."""
        ends_s = self._clock.monotonic() + timeout_s
        answer = self._write("publish", record, timeout_s)
        if isinstance(answer, NoAnswer):
            return answer
        return self.look(max(0.0, ends_s - self._clock.monotonic()))

    def rewrite(self, record: LeaseRecord, timeout_s: float) -> Seen | NoAnswer:
        """Replace the own generation file; what it holds now."""
        sent_s = self._clock.monotonic()
        answer = self._write("rewrite", record, timeout_s)
        if isinstance(answer, NoAnswer):
            return answer
        return self._seen(record.generation, str(answer["text"]), sent_s)

    def prune(self, held: int, timeout_s: float) -> int | NoAnswer:
        """Delete what the holder of `held` may delete, by the last look; how many files."""
        names = prunable(self._names, held)
        if not names:
            return 0
        answer = self._worker.ask(timeout_s, verb="prune", root=self._root, names=names)
        return answer if isinstance(answer, NoAnswer) else int(answer["deleted"])

    def _write(self, verb: str, record: LeaseRecord, timeout_s: float) -> dict[str, Any] | NoAnswer:
        name, text = file_name(record.generation), render_record(record)
        return self._worker.ask(timeout_s, verb=verb, root=self._root, name=name, text=text)

    def _seen(self, generation: int, text: str, sent_s: float) -> Seen:
        return Seen(
            generation=generation,
            record=parse_record(text, generation) if generation else None,
            text=text,
            sent_s=sent_s,
            returned_s=self._clock.monotonic(),
        )
