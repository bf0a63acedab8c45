"""How every application with machines runs: prepare outside, play inside the namespace, end in an exit code.

For: `lab.demo`, `lab.chaos` and the tests that start machines. Guarantees: nothing is built before this computer is
known to allow namespaces; Ctrl-C and SIGTERM end every machine; an error of the lab is one line on standard error.
Does not: decide what is played. Exit codes: docs/exit-codes.md.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

from lab.base.checkout import CACHE
from lab.base.errors import LabError
from lab.hardware import namespace
from lab.hardware.probe import Kernel, probe_kernel
from lab.image.images import Images, build_images
from lab.image.store import ImageStore

INTERRUPTED = 130


def run(name: str, argv: Sequence[str], play: Callable[[Kernel, Images], int]) -> int:
    """Call `play` inside a namespace and return its exit code, or the one of the error that ended it.

    `name` begins each message; `argv` are the module and the arguments that start this program again inside.
    """
    try:
        if not namespace.inside():
            namespace.check()
        kernel, images = prepare(lambda sentence: _print_outside(f"{name}: {sentence}"))
        if not namespace.inside():
            namespace.enter([sys.executable, "-m", *argv])
        signal.signal(signal.SIGTERM, _interrupt)
        return play(kernel, images)
    except LabError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: stopped by Ctrl-C or SIGTERM; every machine has been ended", file=sys.stderr)
        return INTERRUPTED


def prepare(progress: Callable[[str], None] = lambda _sentence: None) -> tuple[Kernel, Images]:
    """A kernel that boots here and all disk images, from the cache where nothing changed. Raises LabError."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return probe_kernel(CACHE), build_images(ImageStore(CACHE, progress=progress))


def _print_outside(sentence: str) -> None:
    """The steps were printed before the program started itself again inside."""
    if not namespace.inside():
        print(sentence, flush=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
