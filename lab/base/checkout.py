"""Where this checkout is, what the lab reads from it and where the lab writes.

For: every room of the lab and the tests. Guarantees: absolute paths, the same from any working directory.
Does not: create anything.
"""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SERVICE_FILES = CHECKOUT / "services"
BUILD = CHECKOUT / "build"  # reports of runs; not in version control
CACHE = BUILD / "cache"  # images and the answer which kernel boots here
