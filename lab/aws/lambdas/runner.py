"""Runs one handler once, in a process group of its own that is gone when the handler has ended.

For: `invocations`. Guarantees: the code's module has `INIT_LIMIT_S` more to load, and the handler has its own limit, in
real seconds; whatever the handler does, nothing of it outlives `run`; output and answer are bounded. Does not: know
AWS resources or credentials; the environment is given.
Sources: Lambda developer guide "Understanding the Lambda execution environment lifecycle" (an initialization of 10 s,
that does not count as the function's time; one that takes longer is tried again within the function's own timeout),
"Troubleshoot invocation issues in Lambda" (Sandbox.Timedout, Runtime.ExitError).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

INIT_LIMIT_S = 10.0
_KEPT_OUTPUT_BYTES = 256 * 1024
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG")
_CHILD = Path(__file__).with_name("child.py")
_END_LIMIT_S = 10.0  # a killed process is reaped


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to run. `context` are the attributes that the handler's second argument has."""

    code: str
    handler: str
    event: Any
    context: Mapping[str, str]
    variables: Mapping[str, str]
    limit_s: float


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of it: the handler's result as JSON, or an error object as Lambda makes it. `output`: what it wrote."""

    result: str = "null"
    error: Mapping[str, Any] | None = None
    is_late: bool = False
    output: str = ""


@dataclass
class Runner:
    """Runs handlers, several at once. After `stop` whatever runs is killed and nothing more starts. Thread-safe."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[int] = field(default_factory=set)  # process groups
    _stopped: bool = False

    def run(self, job: Job) -> Ran:
        """Never raises for what the code does."""
        request_id = job.context["aws_request_id"]
        with tempfile.TemporaryDirectory(prefix="soloist-lambda-") as directory, tempfile.TemporaryFile() as output:
            Path(directory, "index.py").write_text(job.code)
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    child = self._start(job, directory, theirs, output)
                if child is None:
                    return Ran(error=_error(request_id, "Runtime.ExitError", "the lab is being stopped"))
                try:
                    return _outcome(job, ours, child, output)
                finally:
                    self._end(child)

    def _start(
        self, job: Job, directory: str, theirs: socket.socket, output: BinaryIO
    ) -> subprocess.Popen[bytes] | None:
        told = {
            "directory": directory,
            "handler": job.handler,
            "event": job.event,
            "context": dict(job.context),
            "limit_s": job.limit_s,
        }
        own = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
        with tempfile.TemporaryFile() as document:
            document.write(json.dumps(told).encode())
            document.seek(0)
            with self._lock:
                if self._stopped:
                    return None
                child = subprocess.Popen(
                    [sys.executable, "-I", str(_CHILD), str(theirs.fileno())],
                    stdin=document,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=own | dict(job.variables),
                    cwd=directory,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
                self._running.add(child.pid)
        return child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(_END_LIMIT_S)
        with self._lock:
            self._running.discard(child.pid)

    def stop(self) -> None:
        """Kill what runs; their `run` calls then return."""
        with self._lock:
            self._stopped = True
            for group in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


def _outcome(job: Job, ours: socket.socket, child: subprocess.Popen[bytes], output: BinaryIO) -> Ran:
    request_id = job.context["aws_request_id"]
    lines = _Lines(ours)
    try:
        first = lines.next(INIT_LIMIT_S + job.limit_s)
        last = first if first is None or first else lines.next(job.limit_s)
    except TimeoutError:
        text = f"{request_id} Task timed out after {job.limit_s:.2f} seconds"
        error = _error(request_id, "Sandbox.Timedout", text.partition(" ")[2])
        return Ran(error=error, is_late=True, output=f"{_written(output)}{text}\n")
    if last is None:
        status = child.wait(_END_LIMIT_S)
        text = f"Runtime exited with error: {f'exit status {status}' if status >= 0 else f'signal: {-status}'}"
        return Ran(error=_error(request_id, "Runtime.ExitError", text), output=f"{_written(output)}{text}\n")
    if "error" in last:
        return Ran(error={**last["error"], "requestId": request_id}, output=_written(output))
    return Ran(result=last["result"], output=_written(output))


def _error(request_id: str, kind: str, text: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {text}"}


def _written(output: BinaryIO) -> str:
    """The end of what the process has written."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _KEPT_OUTPUT_BYTES))
    return output.read().decode("utf-8", "replace")


class _Lines:
    """JSON documents of a socket, one a line."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._rest = b""

    def next(self, limit_s: float) -> dict[str, Any] | None:
        """The next one, or None where the other end is closed. Raises TimeoutError."""
        end_s = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            self._source.settimeout(max(0.001, end_s - time.monotonic()))
            try:
                chunk = self._source.recv(65536)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found
