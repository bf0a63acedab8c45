"""Writers that insert numbered rows into the lab's PostgreSQL, and what it says it has stored.

For: tests/lab/test_postgresql.py; the writers run in the test's own process. A row counts as acknowledged only when its
commit was answered; a number is never used twice; every wait has a time-out.
"""

import threading
import time
from collections import Counter, defaultdict

import pg8000.native

from lab.client.check import Counts
from lab.play.stage import Stage

WRITERS = 4
PERIOD_S = 0.1
ANSWER_S = 5.0
FAILURES = (pg8000.native.InterfaceError, pg8000.native.DatabaseError, OSError)


def connected(address: str, timeout_s: float = ANSWER_S) -> pg8000.native.Connection:
    return pg8000.native.Connection("postgres", host=address, password="lab", timeout=timeout_s)


class RowWriters:
    """They write to the address in the service's record, from `start` to `stop`, and tell the stage's ledger."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(f"w{n}",), daemon=True) for n in range(WRITERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(3 * ANSWER_S)
            assert not thread.is_alive()

    def _write(self, writer: str) -> None:
        seq = 0
        while not self._ending.is_set():
            outcome, detail, address = "unreachable", "", self._stage.lab.resolve(self._stage.record_name)
            seq += 1
            try:
                with connected(address) as link:
                    while not self._ending.wait(PERIOD_S):
                        outcome = "unknown"  # from here on it may be stored, whatever is seen of it
                        link.run("INSERT INTO probe VALUES (:writer, :seq)", writer=writer, seq=seq)
                        self._tell(writer, seq, "acknowledged", address)
                        outcome, seq = "unreachable", seq + 1
            except FAILURES as error:
                detail = f"{type(error).__name__}: {error}"
                self._ending.wait(PERIOD_S)
            self._tell(writer, seq, outcome, address, detail)

    def _tell(self, writer: str, seq: int, outcome: str, address: str, detail: str = "") -> None:
        report = {"writer": writer, "seq": seq, "outcome": outcome, "ago_s": 0, "address": address, "detail": detail}
        self._stage.lab.ledger.add(report, time.monotonic())


def count_rows(address: str) -> Counts:
    """How often each number is stored, by writer."""
    stored: dict[str, Counter[int]] = defaultdict(Counter)
    with connected(address, timeout_s=30.0) as link:
        for writer, seq in link.run("SELECT writer, seq FROM probe"):
            stored[writer][seq] += 1
    return stored
