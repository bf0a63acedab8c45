"""Statistics by period: where periods begin, what is kept for them, and what is no period."""

import pytest

from lab.aws.cloudwatch.series import FINE_KEPT_S, Datum, by_period, is_period, kept

MINUTE = 1_800_000_000 // 60 * 60


def data(*values: tuple[float, float]) -> list[Datum]:
    return [Datum(at_s=MINUTE + at_s, value=value, is_fine=True) for at_s, value in values]


@pytest.mark.parametrize(
    ("statistic", "value"), [("SampleCount", 3.0), ("Average", 2.0), ("Sum", 6.0), ("Minimum", 1.0), ("Maximum", 3.0)]
)
def test_statistics(statistic: str, value: float) -> None:
    found = by_period(data((1, 3), (5, 1), (9, 2)), statistic, start_s=MINUTE, end_s=MINUTE + 10, period_s=10)
    assert found == {MINUTE: value}


@pytest.mark.parametrize(
    ("period_s", "starts"),
    [(1, [7, 17, 61]), (5, [5, 15, 60]), (10, [0, 10, 60]), (30, [0, 60]), (60, [0, 60]), (120, [0])],
)
def test_periods_begin_at_divisions_of_the_minute(period_s: int, starts: list[int]) -> None:
    found = by_period(data((7, 1), (17, 1), (61, 1)), "Sum", start_s=MINUTE + 7, end_s=MINUTE + 62, period_s=period_s)
    assert [at_s - MINUTE for at_s in found] == starts


def test_the_end_is_not_part_of_the_range() -> None:
    assert by_period(data((10, 1)), "Sum", start_s=MINUTE, end_s=MINUTE + 10, period_s=10) == {}


def test_below_a_minute_only_what_is_fine_and_three_hours_old_at_most_is_there() -> None:
    old, fine = data((-FINE_KEPT_S - 1, 1)), data((0, 1))
    coarse = [Datum(at_s=MINUTE, value=1, is_fine=False)]
    assert kept([*old, *fine, *coarse], 30, MINUTE) == fine
    assert kept([*old, *fine, *coarse], 60, MINUTE) == [*old, *fine, *coarse]


@pytest.mark.parametrize("seconds", [1, 5, 10, 20, 30, 60, 300])
def test_periods(seconds: int) -> None:
    assert is_period(seconds)


@pytest.mark.parametrize("seconds", [0, -60, 2, 15, 45, 61, 90])
def test_no_periods(seconds: int) -> None:
    assert not is_period(seconds)
