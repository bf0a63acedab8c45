"""The made-up run of the tests of report and display."""

import pytest

from lab.report.model import Report
from tests.kit.reports import report


@pytest.fixture
def made_up_report() -> Report:
    return report()
