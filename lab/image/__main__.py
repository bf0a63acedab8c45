"""`python -m lab.image build`: build all images of the lab, saying what is done and how long it took."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from lab.base.errors import LabError
from lab.image.recipe import PACKAGINGS
from lab.image.store import CHECKOUT, ImageStore

VERSIONS = ("1", "2")


def build_all(store: ImageStore, service: str) -> dict[str, Path]:
    """Every image a lab run of `service` needs, by role."""
    images = {"server": store.server(), "client": store.client()}
    for version in VERSIONS:
        images[f"{service} version {version}"] = store.instance(service=service, version=version)
    return images


def main() -> int:
    """Parse the command line, build, and print what there is."""
    parser = argparse.ArgumentParser(prog="python -m lab.image", description="Builds the disks of the lab's machines.")
    parser.add_argument("command", choices=["build"])
    parser.add_argument("--service", default="influxdb", choices=sorted(PACKAGINGS))
    parser.add_argument("--cache", type=Path, default=CHECKOUT / "build" / "cache")
    arguments = parser.parse_args()
    started = time.monotonic()

    def progress(sentence: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {sentence}", flush=True)

    try:
        images = build_all(ImageStore(arguments.cache, progress=progress), arguments.service)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_code
    for name, path in images.items():
        print(f"{name}: {path.name}, {path.stat().st_blocks * 512 // (1024 * 1024)} MiB on disk")
    progress("All images are there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
