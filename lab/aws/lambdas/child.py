"""The process in which one handler runs once. It is started as a file, and imports nothing of the lab.

For: `runner`, which sends one JSON document on standard input and reads JSON lines from the socket whose number is the
only argument: `{}` when the handler is about to start, then `{"result"}` or `{"error"}`. Guarantees: the handler can
import the standard library, its own module and what Lambda's Python runtime ships, and nothing else of this machine.
Does not: watch the time; the runner does.
Sources: Lambda developer guide "Define Lambda function handler in Python" (JSON in and out), "Using the Lambda context
object to retrieve Python function information", "Building Lambda functions with Python" (the runtime has the SDK),
"Lambda quotas" (6 MB of answer); aws/aws-lambda-python-runtime-interface-client (the names of the errors).
"""

import importlib
import importlib.abc
import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

# The SDK with what it needs. Anything else would have to be packaged with the code, which inline code cannot be.
SHIPPED = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
MAXIMUM_ANSWER_BYTES = 6_291_556


class OnlyShipped(importlib.abc.MetaPathFinder):
    """Refuses the import of what this machine has and Lambda has not."""

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        """None leaves the module to the other finders."""
        top = fullname.partition(".")[0]
        if top not in sys.stdlib_module_names | SHIPPED | {"index"}:
            raise ModuleNotFoundError(f"No module named '{top}'", name=top)


def _handler(directory: str, named: str) -> Callable[[Any, Any], Any]:
    """The function. Raises LookupError with the runtime's own words where there is none."""
    sys.path.insert(0, directory)
    module, _, name = named.rpartition(".")
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise LookupError("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    found: Callable[[Any, Any], Any] | None = getattr(loaded, name, None)
    if found is None:
        raise LookupError("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    return found


def _context(told: dict[str, Any]) -> SimpleNamespace:
    end_s = time.monotonic() + told["limit_s"]
    context = SimpleNamespace(**told["context"])
    context.get_remaining_time_in_millis = lambda: max(0, int((end_s - time.monotonic()) * 1000))
    return context


def _said(error: BaseException) -> dict[str, Any]:
    lines = traceback.format_tb(error.__traceback__)[1:]  # without our own
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}


def _outcome(told: dict[str, Any], started: Callable[[], None]) -> dict[str, Any]:
    sys.meta_path.insert(0, OnlyShipped())
    try:
        handler = _handler(told["directory"], told["handler"])
    except LookupError as error:
        kind, text = error.args
        return _error(kind, text)
    except Exception as error:
        return {"error": _said(error)}
    started()
    try:
        result = handler(told["event"], _context(told))
    except Exception as error:
        return {"error": _said(error)}
    try:
        text = json.dumps(result)
    except (TypeError, ValueError) as error:
        return _error("Runtime.MarshalError", f"Unable to marshal response: {error}")
    if len(text.encode()) > MAXIMUM_ANSWER_BYTES:
        too_large = f"Response payload size exceeded maximum allowed payload size ({MAXIMUM_ANSWER_BYTES} bytes)."
        return _error("Function.ResponseSizeTooLarge", too_large)
    return {"result": text}


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"error": {"errorMessage": text, "errorType": kind}}


def main() -> None:
    """Run the handler once, and say what came of it."""
    told = json.load(sys.stdin)
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        outcome = _outcome(told, lambda: parent.sendall(b"{}\n"))
        error = outcome.get("error")
        if error is not None:
            print(f"[ERROR] {error['errorType']}: {error['errorMessage']}")
            print(*error.get("stackTrace", ()), sep="", end="", flush=True)
        sys.stdout.flush()
        parent.sendall(json.dumps(outcome).encode() + b"\n")


if __name__ == "__main__":
    main()
