"""The parts of the upkeep that go by what the watch over the data has seen: their answers, and whose they are.

For: the upkeep, beside run.kept_parts. Guarantees: no look here takes time. A stall is ridden out, then a trouble, then
the end of this instance (run.data_watch_rules). A stale handle and other data in the place of ours are mended by a new
mount. Data that the file system itself refuses to write are a trouble, and no replacement: the next instance would meet
the same.
Does not: compare the kernel's list of mounts; run.kept_parts.Data does, each cycle.
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.run.data_watch_rules import STALL_S, longest_stall_s
from bootstrap.run.instance import Instance
from bootstrap.run.kept_parts import Data, Kept
from bootstrap.run.upkeep import Part
from bootstrap.run.upkeep_rules import Terms


def watched_parts(instance: Instance) -> list[Part]:
    """The most urgent first."""
    return [Lost(instance), Stalled(instance), Fresh(instance), Own(instance), Writable(instance)]


class Stalled(Kept):
    """The data answer."""

    terms = Terms(name="data-answers", reason="file-system-stalled")

    def drift(self, _deadline: Deadline) -> str:
        watch = self._service.data_watch
        return watch.stall if watch.stall_s >= STALL_S else ""


class Lost(Stalled):
    """The data answer some time."""

    terms = Terms(name="data-return", reason="file-system-stalled", is_vital=True)

    def drift(self, _deadline: Deadline) -> str:
        watch, limit_s = self._service.data_watch, longest_stall_s(self._instance.document.lease.timing)
        return watch.stall if watch.stall_s >= limit_s else ""


class Faultless(Kept):
    """What the following have in common: the last answer shows no fault of this kind."""

    def drift(self, _deadline: Deadline) -> str:
        fault = self._service.data_watch.fault
        return fault.sentence if fault is not None and fault.reason == self.terms.reason else ""


class Writable(Faultless):
    """The file system takes writes."""

    terms = Terms(name="data-writable", reason="file-system-read-only")


class Fresh(Faultless, Data):
    """The file system still knows the directory that was mounted."""

    terms = Terms(name="data-handle", reason="file-system-stale", most_mends=2, is_vital=True)


class Own(Faultless, Data):
    """What is mounted at the place of the data are the data of this service."""

    terms = Terms(name="data-identity", reason="file-system-foreign", most_mends=2, is_vital=True)
