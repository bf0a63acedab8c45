"""The agent's rtnetlink adapter against a real kernel, in a network namespace made for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_configured_as_planned_twice_and_the_main_table_untouched() -> None:
    argv = ["unshare", "-Urnmpf", "--kill-child", sys.executable, "-m", "tests.process.netns_links"]
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=repository)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["unknown"], seen["device"]) == (None, "vec1")
    before, once, twice = seen["lacks"]
    assert len(before) == 5
    assert (once, twice) == ([], [])
    assert seen["tables"] == [str(seen["is_own_table"])], "the stale rule is gone, ours is there once"
    assert seen["reply"] == "10.0.100.1 dev vec1"
    assert seen["reply_near"] == "link dev vec1"
    assert seen["own_traffic"] == "10.0.0.1 dev eth0"
    assert seen["own_traffic_to_service_subnet"] == "10.0.0.1 dev eth0"
