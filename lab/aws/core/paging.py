"""Answers in pages: so many items, and a token for the rest.

For: Describe calls whose table has NextToken. Guarantees: following the tokens gives each item once, while nothing
changes; a token that the lab did not give out is refused. Does not: keep a snapshot; AWS promises none either.
Sources: EC2 API reference "Query requests" (pagination); Auto Scaling API reference, InvalidNextToken.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lab.aws.core.patches import original, replaces


def page_of(items: Sequence[Any], size: int, token: str | None) -> tuple[list[Any], str | None]:
    """The page that begins at the token, and the token of the next one or None. Raises ValueError for a bad token."""
    start = int(token) if token else 0
    if token and not 0 < start < len(items):
        raise ValueError(f"no page begins at {token}")
    end = start + size
    return list(items[start:end]), str(end) if end < len(items) else None


def refuses_bad_tokens(target: str, refusal: Callable[[], Exception]) -> None:
    """Declare that a Describe call of moto's refuses a token that it does not know, where moto breaks down."""

    def answer(self: Any) -> Any:
        try:
            return original(target)(self)
        except ValueError as error:
            raise refusal() if self._get_param("NextToken") else error from error

    replaces(target, reason="moto breaks down at a bad token")(answer)
