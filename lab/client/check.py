"""Compares the acknowledged writes with what the service says it has stored.

For: the demo's verdict, chaos and the lab tests. Guarantees: only acknowledged points count as lost, and each is named;
a truncated or failed query is an error, never an empty result.
Does not: look at any value of a point but its number.
Source: InfluxDB 1.6 API reference, `/query` ("partial": the result was cut by max-row-limit).
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import requests

Numbers = Mapping[str, Collection[int]]  # by writer, each number once
Counts = Mapping[str, Mapping[int, int]]  # by writer: how often each number is stored


class CheckFailed(Exception):
    """The service could not be asked, or its answer cannot be trusted."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of the acknowledged points. `unacknowledged`: stored without an acknowledgement, which is allowed."""

    acknowledged: int
    stored: int
    lost: tuple[tuple[str, int], ...]
    unacknowledged: int

    @property
    def sentence(self) -> str:
        if not self.lost:
            return f"0 of {self.acknowledged:,} acknowledged writes lost"
        some = ", ".join(f"{writer} #{seq}" for writer, seq in self.lost[:5])
        more = ", ..." if len(self.lost) > 5 else ""
        return f"{len(self.lost):,} of {self.acknowledged:,} acknowledged writes lost: {some}{more}"


def compare(acknowledged: Numbers, stored: Numbers) -> Verdict:
    lost = [(writer, seq) for writer in sorted(acknowledged) for seq in sorted(acknowledged[writer])
            if seq not in stored.get(writer, frozenset())]  # fmt: skip
    count = sum(len(seqs) for seqs in acknowledged.values())
    total = sum(len(seqs) for seqs in stored.values())
    return Verdict(acknowledged=count, stored=total, lost=tuple(lost), unacknowledged=total - (count - len(lost)))


def count_stored(address: str, *, port: int = 8086, timeout_s: float = 30.0) -> Counts:
    """How often the service at `address` has stored each number, by writer. Raises CheckFailed."""
    question = {"db": "lab", "q": 'SELECT "seq" FROM "probe" GROUP BY "writer"'}
    try:
        answer = requests.get(f"http://{address}:{port}/query", params=question, timeout=timeout_s)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise CheckFailed(f"the service at {address} port {port} cannot be asked for its points: {error}") from error
    return parse_counts(answer.content)


def parse_counts(body: bytes) -> Counts:
    """How often each number occurs, by writer. Raises CheckFailed where the answer is an error or incomplete."""
    try:
        result = json.loads(body)["results"][0]
        if "error" in result or result.get("partial"):
            raise CheckFailed(f"the service's answer is {result.get('error', 'partial')}")
        stored: dict[str, Counter[int]] = {}
        for series in result.get("series", []):
            if series.get("partial"):
                raise CheckFailed("the service's answer is partial: raise max-row-limit")
            column = series["columns"].index("seq")
            counter = stored.setdefault(series["tags"]["writer"], Counter())
            counter.update(int(row[column]) for row in series["values"])
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise CheckFailed(f"the service's answer cannot be read: {error!r}") from error
    return stored
