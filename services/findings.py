"""What is wrong with a service file, one finding per mistake, all of them at once.

For: services.load collects findings and people read them; app.py and `python -m services` end with `EXIT_CODE`.
Guarantees: every finding names the path, the value found there, the problem and the remedy.
Does not: stop at the first mistake, or decide what is wrong (services.schema and services.rules do).
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_CODE = 3  # a service file is wrong; nothing was written. Documented in docs/runbook.md.


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One mistake. `path` says where it is ("dns.record"), `value` what is there ("" when it is missing)."""

    path: str
    value: str
    problem: str
    remedy: str
    depends_on: tuple[str, ...] = ()  # other paths the judgement rests on; it is dropped when one of them is wrong

    def __str__(self) -> str:
        found = f" (is {self.value})" if self.value else ""
        return f"{self.path}{found}: {self.problem}. {self.remedy}."


class ServiceFileError(Exception):
    """A service file cannot be used. `findings` is never empty."""

    exit_code = EXIT_CODE

    def __init__(self, *, source: str, findings: list[Finding]) -> None:
        count = f"{len(findings)} finding" + ("s" if len(findings) > 1 else "")
        super().__init__("\n".join([f"{source}: {count}", *(f"  {finding}" for finding in findings)]))
        self.source = source
        self.findings = findings
