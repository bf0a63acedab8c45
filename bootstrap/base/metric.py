"""One metric, before anybody sends it.

For: run.signs, which says what there is to say, and cloud.metrics. Guarantees: pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bootstrap.base import names


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One value now. `dimensions`: name to value; `is_fine`: kept by the second, and not by the minute."""

    name: names.Metric
    value: float
    dimensions: tuple[tuple[str, str], ...]
    unit: Literal["Count", "Seconds"] = "Count"
    is_fine: bool = False
