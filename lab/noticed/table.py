"""How a case went, and the table of all of them.

For: the report of `make noticed`; docs/comparison.md has its rows. Guarantees: pure.
Does not: play anything.
"""

from dataclasses import dataclass

HEAD = "| what happens | noticed by | after | served again after | people are told |\n| --- | --- | --- | --- | --- |\n"


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """How one case went. Seconds count from the moment when it happened; None where it did not come. `told`: the kinds
    of the messages, in order."""

    case: str
    noticed_s: float | None
    by: str
    served_again_s: float | None
    told: tuple[str, ...]
    is_as_it_should_be: bool


def table(found: list[Noticed]) -> str:
    return HEAD + "".join(row(one) + "\n" for one in found)


def row(one: Noticed) -> str:
    told = ", ".join(f"`{kind}`" for kind in dict.fromkeys(one.told)) or "-"
    wrong = "" if one.is_as_it_should_be else " (**not as it should be**)"
    return f"| {one.case}{wrong} | {one.by} | {_seconds(one.noticed_s)} | {_seconds(one.served_again_s)} | {told} |"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} s"
