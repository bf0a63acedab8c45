"""What happened in one run, as plain data. The checker sees nothing else.

For: `lab.chaos.runs` records, `checker` judges, tests plant violations. Guarantees: frozen; all times are seconds on
the lab's monotonic clock; what the recorder missed is counted (`frames_lost`, `reports_lost`). Does not: judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ServerWrite:
    """A WRITE to the service's data that reached the file server, and the machine it came from."""

    at_s: float
    machine: str  # instance id, or the address where it belongs to no instance


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A generation of the lease: it was published at some moment between `offered_s` and `seen_s`.

    `offered_s`: when its holder first sent a record of it to the server (0: before the run); before that moment it
    cannot have been held. `seen_s`: when it was first seen in the lease directory; from then on it certainly is there.
    """

    number: int
    holder: str
    seen_s: float
    offered_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Reported:
    """The generation that the state parameter gave at one moment."""

    number: int
    instance_id: str
    seen_s: float


@dataclass(frozen=True, kw_only=True)
class History:
    acknowledged: Mapping[str, frozenset[int]]  # by writer
    stored: Mapping[str, Mapping[int, int]] | None  # by writer: how often each number is stored; None: no answer
    writes: tuple[ServerWrite, ...]
    generations: tuple[Generation, ...]
    reported: tuple[Reported, ...] = ()
    faults_end_s: float = 0.0
    reachable_s: float | None = None  # when the service answered by name again for good after the faults
    bound_s: float = 0.0  # how long after the faults it may take
    told_s: float | None = None  # when state, group, network interface and name all agreed again
    trouble: str = ""  # what was missing while it was not reachable, or not told rightly
    frames_lost: int = 0
    reports_lost: int = 0
    notes: tuple[str, ...] = field(default=())
