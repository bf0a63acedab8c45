"""Runs a module of tests/process in namespaces of its own, and gives what it prints."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def seen_in_a_namespace(module: str) -> dict[str, Any]:
    """What `module` prints there."""
    argv = ["unshare", "-Urnmpf", "--kill-child", sys.executable, "-m", f"tests.process.{module}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
