"""The two tables of the CloudWatch user guide ("Configuring how CloudWatch alarms treat missing data"), row by row, and
what a reason says."""

import pytest

from lab.aws.cloudwatch.alarm_rules import ALARM, INSUFFICIENT, OK, Rule, evaluated

KEPT = "as it was"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (INSUFFICIENT, KEPT, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, KEPT, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, KEPT, ALARM, OK),
}
CASES = [
    pytest.param(to_alarm, points, treatment, expected, id=f"{to_alarm} of 3, {points}, {treatment}")
    for to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, row in table.items()
    for treatment, expected in zip(TREATMENTS, row, strict=True)
]


def rule(**changes: object) -> Rule:
    given = {"comparison": "GreaterThanThreshold", "threshold": 0.5, "periods": 3, "to_alarm": 3} | changes
    return Rule(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("to_alarm", "points", "treatment", "expected"), CASES)
def test_the_guides_tables(to_alarm: int, points: str, treatment: str, expected: str) -> None:
    newest_first = [{"X": 1.0, "0": 0.0, "-": None}[one] for one in reversed(points.split())]
    state, reason = evaluated(rule(to_alarm=to_alarm, missing=treatment), newest_first, KEPT)
    assert state == expected
    assert bool(reason) == (expected != KEPT)


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", [1.0, 2.0]),
        ("GreaterThanThreshold", [2.0]),
        ("LessThanThreshold", [0.0]),
        ("LessThanOrEqualToThreshold", [0.0, 1.0]),
    ],
)
def test_comparisons(comparison: str, breaching: list[float]) -> None:
    one = rule(comparison=comparison, threshold=1.0, periods=1, to_alarm=1)
    assert [value for value in (0.0, 1.0, 2.0) if evaluated(one, [value], OK)[0] == ALARM] == breaching


@pytest.mark.parametrize(
    ("missing", "points", "reason"),
    [
        ("missing", [None], "Insufficient Data: 1 datapoint was unknown."),
        (
            "breaching",
            [None],
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[Breaching].",
        ),
        (
            "missing",
            [2.0],
            "Threshold Crossed: 1 out of the last 1 datapoints [2.0] was greater than the threshold (0.5).",
        ),
        (
            "missing",
            [0.0],
            "Threshold Crossed: 1 out of the last 1 datapoints [0.0] was not greater than the threshold (0.5).",
        ),
    ],
)
def test_the_reason_says_what_was_seen(missing: str, points: list[float | None], reason: str) -> None:
    assert evaluated(rule(periods=1, to_alarm=1, missing=missing), points, KEPT)[1] == reason
