"""The capture of `lab.chaos` against a real kernel, in a network namespace made for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_data_and_syns_are_kept_and_nothing_else() -> None:
    argv = ["unshare", "-Urnmpf", "--kill-child", sys.executable, "-m", "tests.process.netns_capture"]
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=repository)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"strange": 0, "syns": 1, "bare": 0, "is_whole": True, "lost": 0}
