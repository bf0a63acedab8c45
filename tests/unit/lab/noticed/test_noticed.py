"""`make noticed`: what counts as noticed, told and served, and the table of it."""

from dataclasses import replace

import pytest

from lab.noticed.cases import CASES, Case
from lab.noticed.play import judged
from lab.noticed.table import Noticed, table

FOUND = Noticed(
    case="x", noticed_s=71.2, by="watchdog", served_again_s=122.0, told=("watchdog-acted", "took-over"),
    is_as_it_should_be=False,
)  # fmt: skip
TOLD = Case(name="x", act=lambda *_: None, by=("watchdog",), message="watchdog-acted")
RIDDEN_OUT = Case(name="x", act=lambda *_: None, by=(), lasts_s=20.0)
NOBODY = replace(FOUND, noticed_s=None, by="nobody", told=())


@pytest.mark.parametrize(
    ("case", "found", "is_so"),
    [
        (TOLD, FOUND, True),
        (TOLD, replace(FOUND, by="agent"), False),
        (TOLD, replace(FOUND, told=("took-over",)), False),
        (TOLD, replace(FOUND, served_again_s=None), False),
        (TOLD, replace(NOBODY, told=("watchdog-acted",)), False),
        (RIDDEN_OUT, NOBODY, True),
        (RIDDEN_OUT, replace(NOBODY, told=("degraded",)), False),
        (RIDDEN_OUT, replace(NOBODY, noticed_s=3.0, by="agent"), False),
    ],
)
def test_a_case_is_as_it_should_be_when_the_right_one_noticed_people_were_told_and_somebody_serves(
    case: Case, found: Noticed, *, is_so: bool
) -> None:
    assert judged(case, found).is_as_it_should_be == is_so


def test_the_table_has_a_row_for_each_case_and_marks_one_that_went_wrong() -> None:
    rows = table([replace(FOUND, is_as_it_should_be=True), replace(NOBODY, case="y")]).splitlines()[2:]
    assert rows == [
        "| x | watchdog | 71 s | 122 s | `watchdog-acted`, `took-over` |",
        "| y (**not as it should be**) | nobody | - | 122 s | - |",
    ]


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
