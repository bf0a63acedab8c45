"""The lease directory as the rules see it: looks and writes, each with a time-out.

For: the newcomer and the holder. Guarantees: each look is fresh (lease/child.py) and says when it was sent and when it
returned; a write returns what was read back after it; an instance rewrites only its own generation file; pruning keeps
the last 50 generations; a write is told which spare and stray files there are, by the last look. Does not: judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from bootstrap.base.clock import Clock
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.record import (
    LeaseRecord,
    file_name,
    generation_of,
    highest_generation,
    parse_record,
    prunable,
    render_record,
    spares,
    strays,
)


class Worker(Protocol):
    """worker.LeaseWorker."""

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

    def history(self, most: int, timeout_s: float) -> list[LeaseRecord]:
        """The records of the newest `most` generations that can be read, the newest first; none without an answer."""
        answer = self._worker.ask(timeout_s, verb="history", root=self._root, most=most)
        if isinstance(answer, NoAnswer):
            return []
        known = [
            parse_record(str(text), number)
            for name, text in answer["texts"].items()
            if (number := generation_of(str(name))) is not None
        ]
        return [record for record in known if record is not None]

    def publish(self, record: LeaseRecord, timeout_s: float) -> Seen | NoAnswer:
        """Publish `record` unless its generation is taken; then a fresh look, whatever became of it."""
        ends_s = self._clock.monotonic() + timeout_s
        answer = self._write("publish", record, timeout_s, spares=spares(self._names))
        if isinstance(answer, NoAnswer):
            return answer
        return self.look(max(0.0, ends_s - self._clock.monotonic()))

    def rewrite(self, record: LeaseRecord, timeout_s: float) -> Seen | NoAnswer:
        """Replace the own generation file; what it holds now."""
        sent_s = self._clock.monotonic()
        own = record.generation
        answer = self._write(
            "rewrite", record, timeout_s, spares=spares(self._names, own), strays=strays(self._names, own)
        )
        if isinstance(answer, NoAnswer):
            return answer
        return self._seen(record.generation, str(answer["text"]), sent_s, is_full=bool(answer.get("is_full")))

    def read(self, generation: int, timeout_s: float) -> LeaseRecord | NoAnswer | None:
        """The record of `generation`, None where there is none that can be read."""
        answer = self._worker.ask(timeout_s, verb="read", root=self._root, name=file_name(generation))
        return answer if isinstance(answer, NoAnswer) else parse_record(str(answer["text"]), generation)

    def prune(self, held: int, timeout_s: float) -> int | NoAnswer:
        """Delete what the holder of `held` may delete, by the last look; how many files."""
        names = prunable(self._names, held)
        if not names:
            return 0
        answer = self._worker.ask(timeout_s, verb="prune", root=self._root, names=names)
        return answer if isinstance(answer, NoAnswer) else int(answer["deleted"])

    def _write(self, verb: str, record: LeaseRecord, timeout_s: float, **files: list[str]) -> dict[str, Any] | NoAnswer:
        name, text = file_name(record.generation), render_record(record)
        return self._worker.ask(timeout_s, verb=verb, root=self._root, name=name, text=text, **files)

    def _seen(self, generation: int, text: str, sent_s: float, *, is_full: bool = False) -> Seen:
        return Seen(
            generation=generation,
            record=parse_record(text, generation) if generation else None,
            text=text,
            sent_s=sent_s,
            returned_s=self._clock.monotonic(),
            is_full=is_full,
        )
