"""`python -m lab.image build`: build every image of the lab.

For: `make images`. Guarantees: each step is printed with its second; unchanged images come from the cache; an error of
the lab is one line. Does not: start a machine.
"""

import argparse
import sys
import time
from pathlib import Path

from lab.base.checkout import CACHE
from lab.base.errors import LabError
from lab.image.images import SERVICE, build_images
from lab.image.recipe import PACKAGINGS
from lab.image.store import ImageStore


def main() -> int:
    """Parse the command line, build, and print what there is. Exit codes: docs/runbook.md."""
    parser = argparse.ArgumentParser(prog="python -m lab.image", description="Build the disks of the lab's machines.")
    parser.add_argument("command", choices=["build"])
    parser.add_argument("--service", default=SERVICE, choices=sorted(PACKAGINGS))
    parser.add_argument("--cache", type=Path, default=CACHE)
    arguments = parser.parse_args()
    started = time.monotonic()

    def progress(sentence: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {sentence}", flush=True)

    try:
        images = build_images(ImageStore(arguments.cache, progress=progress), arguments.service)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_code
    for name, path in images.by_role().items():
        print(f"{name}: {path.name}, {path.stat().st_blocks * 512 // (1024 * 1024)} MiB on disk")
    progress("All images are ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
