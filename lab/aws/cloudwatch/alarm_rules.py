"""What an alarm's state is, given the data points of its evaluation range. Pure.

For: `alarms`. Guarantees: both tables of the user guide come out as they are there (tests). Does not: know what the
guide leaves open: where every point is breaching, fewer than all are there, and the oldest is too young for an alarm,
the state stays.
Source: CloudWatch user guide "Configuring how CloudWatch alarms treat missing data" (an evaluation range of more points
than EvaluationPeriods; missing points are filled in only where too few are real; an alarm where the oldest breaching
point is at least as old as DatapointsToAlarm and all newer ones are breaching or missing), "Alarm evaluation".
"""

from collections.abc import Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA_POINTS = 2  # of the evaluation range, as in the guide's tables; their number elsewhere is not published
Points = Sequence[float | None]  # newest first; None: missing

_WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an alarm compares, with what, and how often it must be so."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        compared = {
            "GreaterThanOrEqualToThreshold": value >= self.threshold,
            "GreaterThanThreshold": value > self.threshold,
            "LessThanThreshold": value < self.threshold,
            "LessThanOrEqualToThreshold": value <= self.threshold,
        }
        return compared[self.comparison]


def evaluated(rule: Rule, points: Points, state: str) -> tuple[str, str]:
    """The new state and its reason; the state as it was where nothing changes it."""
    real = [(age, value) for age, value in enumerate(points, start=1) if value is not None]
    if len(real) >= rule.periods:
        counted = [value for _, value in real[: rule.periods]]
        return _by_count(rule, counted, 0)
    values = [value for _, value in real]
    if rule.missing in ("breaching", "notBreaching"):
        return _by_count(rule, values, rule.periods - len(real))
    if not real:
        lacking = f"Insufficient Data: {rule.periods} datapoint{'s were' if rule.periods > 1 else ' was'} unknown."
        return (INSUFFICIENT, lacking) if rule.missing == "missing" else (state, "")
    breaching = [value for value in values if rule.breaches(value)]
    if len(breaching) >= rule.to_alarm or len(breaching) < len(values):
        return _by_count(rule, values, 0)
    if rule.missing == "missing" and real[-1][0] >= rule.to_alarm:
        return ALARM, _reason(rule, breaching, values, is_alarm=True, filled=0)
    return state, ""


def _by_count(rule: Rule, values: Sequence[float], filled: int) -> tuple[str, str]:
    breaching = [value for value in values if rule.breaches(value)]
    is_alarm = len(breaching) + (filled if rule.missing == "breaching" else 0) >= rule.to_alarm
    return (ALARM if is_alarm else OK), _reason(rule, breaching, values, is_alarm=is_alarm, filled=filled)


def _reason(rule: Rule, breaching: Sequence[float], values: Sequence[float], *, is_alarm: bool, filled: int) -> str:
    treated = "Breaching" if rule.missing == "breaching" else "NonBreaching"
    points = f"{filled} missing datapoint{'s were' if filled > 1 else ' was'} treated as [{treated}]"
    if not values:
        periods = f"{rule.periods} period{'s' * (rule.periods > 1)}"
        return f"Threshold Crossed: no datapoints were received for {periods} and {points}."
    shown = list(breaching) if is_alarm else [value for value in values if not rule.breaches(value)]
    listed = ", ".join(str(value) for value in shown)
    was = ("were" if len(shown) > 1 else "was") + ("" if is_alarm else " not")
    text = f"Threshold Crossed: {len(shown)} out of the last {len(values)} datapoints [{listed}] {was} "
    text += f"{_WORDS[rule.comparison]} the threshold ({rule.threshold})"
    return f"{text} and {points}." if filled else f"{text}."
