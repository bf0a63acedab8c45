"""Command line: `python -m services validate FILE...` and `python -m services schema`.

Exit codes: 0 all good (there may be warnings), 2 wrong usage, 3 findings (services.findings.EXIT_CODE).
Does not: need AWS or the CDK.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from services.across import clashes, oddities
from services.exposure import warnings
from services.findings import EXIT_CODE, ServiceFileError
from services.load import load_service
from services.schema import schema_text
from services.spec import ServiceFile

SCHEMA = Path(__file__).with_name("schema.json")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services", description="Check service files, write their schema.")
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="report every mistake of the files at once")
    validate.add_argument("files", nargs="+", type=Path, metavar="FILE")
    commands.add_parser("schema", help=f"write {SCHEMA.name} for editors")
    chosen = parser.parse_args(arguments)
    if chosen.command == "schema":
        SCHEMA.write_text(schema_text(), encoding="utf-8")
        return 0
    return _validate(chosen.files)


def _validate(files: list[Path]) -> int:
    loaded: list[tuple[str, ServiceFile]] = []
    code = 0
    for file in files:
        try:
            service = load_service(file)
        except ServiceFileError as error:
            print(error, file=sys.stderr)
            code = EXIT_CODE
            continue
        loaded.append((str(file), service))
        print(f"{file}: service {service.name} in {', '.join(plan.name for plan in service.zone_plans())}: no findings")
        for warning in warnings(service):
            print(f"{file}: warning: {warning}", file=sys.stderr)
    for oddity in oddities(loaded):
        print(f"warning: {oddity}", file=sys.stderr)
    if found := clashes(loaded):
        print(ServiceFileError(source="service files", findings=found), file=sys.stderr)
        code = EXIT_CODE
    return code


if __name__ == "__main__":
    sys.exit(main())
