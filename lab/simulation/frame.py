"""What all parts of one simulated run share: the engine, the story, and facts that more than one part looks at.

Guarantees: knows none of the parts. Does not: act.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from lab.simulation.engine import Engine
from lab.simulation.schedule import Schedule


@dataclass
class Frame:
    """`defects` are names in lab.simulation.defects that a part of the world reads by itself."""

    schedule: Schedule
    defects: frozenset[str] = frozenset()
    is_telling: bool = False
    story: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)  # what the rules had to cope with
    files_down_until_s: float = -1.0

    def __post_init__(self) -> None:
        self.engine = Engine(random.Random(self.schedule.seed + 1))
        self._nonces = 0

    def tell(self, sentence: str) -> None:
        if self.is_telling:
            self.story.append(f"{self.engine.now:8.2f}  {sentence}")

    def new_nonce(self, instance_id: str) -> str:
        self._nonces += 1
        return f"{instance_id}#{self._nonces}"
