"""Is this the report of a whole demo run? Prints its figures, or says what is wrong and ends in 1.

For: `.ci/run`, after `make demo`. Reads the file only, so that an exit code of 0 alone is not believed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SCENES = ["deploy", "first boot", "crash", "upgrade", "rollback"]


def wrong(report: dict[str, Any]) -> list[str]:
    """What is not as a whole run's report should be, as sentences."""
    names = [scene["name"] for scene in report["scenes"]]
    unhealed = [scene["name"] for scene in report["scenes"] if not scene["healed"]]
    checks = [
        (names == SCENES, f"the scenes are {names}, not {SCENES}"),
        (not unhealed, f"not healed: {unhealed}"),
        (report["lost"] == 0, f"{report['lost']} of {report['acknowledged']} writes lost"),
        (report["acknowledged"] > 0, "no write was acknowledged"),
        (report["deployed_sha256"] == report["template_sha256"], "deployed is not what was synthesized"),
    ]
    return [*report["findings"], *(sentence for is_so, sentence in checks if not is_so)]


def main(path: str) -> int:
    """Check the report at `path`."""
    try:
        report = json.loads(Path(path).read_text())
        findings = wrong(report)
    except (OSError, ValueError, LookupError, TypeError) as error:
        findings = [f"no readable report: {type(error).__name__}: {error}"]
    for finding in findings:
        print(f"ci: {path}: {finding}", file=sys.stderr)
    if not findings:
        print(f"ci: {path}: {report['acknowledged']} writes, none lost, {report['duration_s']:.0f} s in all")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
