"""What a terminal shows during a run: one screen that is redrawn, or, without a terminal, one line per event.

For: the demo plays its scenes inside `with Display(...)`. Guarantees: one thread redraws at a fixed rate; the terminal
is restored at the end, also after an error, with all events so far above the prompt; without a terminal every event is
printed once, with its second. Does not: decide or measure anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lab.report.model import Snapshot, one_line
from lab.report.screen import screen

PERIOD_S = 1 / 6


class Display:
    """Shows what `snapshot()` says, every `PERIOD_S`, until closed. Use as a context manager."""

    def __init__(self, snapshot: Callable[[], Snapshot], *, console: Console | None = None) -> None:
        """`snapshot` is called from the display's own thread; an error in it is shown, not raised."""
        self._snapshot = snapshot
        self._console = console or Console(highlight=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._printed = 0
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back and leave the story on it. Safe to repeat."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(5.0)
        if self._live is not None:
            self._live.stop()
        try:
            self.tell(self._snapshot())
        except Exception as failure:  # the run's own error, if any, must not be covered by this one
            self._console.print(Text(f"the last screen cannot be drawn: {failure}"))

    def tell(self, snapshot: Snapshot) -> None:
        """Print the events that have not been printed yet, one line each."""
        for event in snapshot.events[self._printed :]:
            self._console.print(Text(f"{event.at_s:7.1f} s  {one_line(event.sentence)}"), soft_wrap=True)
        self._printed = len(snapshot.events)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            try:
                snapshot = self._snapshot()
            except Exception as failure:  # whatever the lab is going through, the display goes on
                self._show_failure(failure)
                continue
            if self._live is None:
                self.tell(snapshot)
            else:
                width, height = self._console.size
                unicode = self._console.encoding.startswith("utf")
                self._live.update(screen(snapshot, width, height, unicode=unicode), refresh=True)

    def _show_failure(self, failure: Exception) -> None:
        if self._live is not None:
            self._live.update(Text(f"the screen cannot be drawn: {failure}"), refresh=True)
