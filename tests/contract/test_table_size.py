"""`make test` says how many rows the contract table has, as its last word on it."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
HERE = "tests/contract/test_behaviours.py"


def test_a_quiet_run_prints_the_number_of_rows() -> None:
    """As `make unit` runs it: -q, in worker processes."""
    test = f"{HERE}::test_the_table_is_in_order"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", test, "-q", "-p", "no:cacheprovider", "-n", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = len(yaml.safe_load((ROOT / "tests/contract/behaviours.yaml").read_text(encoding="utf-8")))
    assert f"contract table: {rows} behaviours of AWS" in done.stdout
