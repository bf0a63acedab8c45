"""What the tests of functions share."""

from collections.abc import Iterator

import pytest

from tests.contract.lambdas.function_stack import FunctionStack, open_function_stack


@pytest.fixture
def stack() -> Iterator[FunctionStack]:
    with open_function_stack() as opened:
        yield opened
