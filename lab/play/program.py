"""How every application with machines runs: prepare outside, play inside the namespace, end in an exit code.

For: `lab.demo`, `lab.chaos` and the tests that start machines. Guarantees: nothing is built before this computer is
known to allow namespaces; Ctrl-C and SIGTERM end every machine; an error of the lab is one line on standard error.
Does not: decide what is played. Exit codes: docs/runbook.md.
"""

import signal
import sys
from collections.abc import Callable, Sequence

from lab.base.checkout import CACHE
from lab.base.errors import LabError
from lab.hardware import namespace
from lab.hardware.probe import Kernel, probe_kernel
from lab.image.images import SERVICE, Images, build_images
from lab.image.store import ImageStore

INTERRUPTED = 130


def run(name: str, argv: Sequence[str], play: Callable[[Kernel, Images], int]) -> int:
    """Call `play` inside a namespace and return its exit code, or the one of the error that ended it.

    `name` begins each message; `argv` are the module and the arguments that start this program again inside.
    """
    try:
        if namespace.inside():  # the steps were printed before this program started itself again
            kernel, images = prepare()
        else:
            namespace.check()
            kernel, images = prepare(lambda sentence: print(f"{name}: {sentence}", flush=True))
            namespace.enter([sys.executable, "-m", *argv])
        signal.signal(signal.SIGTERM, _interrupt)
        return play(kernel, images)
    except LabError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print(f"{name}: stopped by {str(interrupt) or 'Ctrl-C'}; every machine has been ended", file=sys.stderr)
        return INTERRUPTED


def prepare(progress: Callable[[str], None] = lambda _sentence: None, service: str = SERVICE) -> tuple[Kernel, Images]:
    """A kernel that boots here and all disk images, from the cache where nothing changed. Raises LabError."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return probe_kernel(CACHE), build_images(ImageStore(CACHE, progress=progress), service)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt("SIGTERM")
