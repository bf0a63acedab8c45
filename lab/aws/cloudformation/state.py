"""What the lab keeps of CloudFormation: running operations, template hashes, answers of custom resources.

For: the modules of this room; the HTTP server puts answers on the desk. Guarantees: thread-safe. Does not: hold stacks;
those are moto's.
"""

import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from lab.aws.core.cloud import Room

_FINISH_S = 10.0


class ResponseDesk:
    """Where handlers leave their answers, each under a token of its own. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, Any] | None] = {}

    def open(self) -> str:
        """A new token for a ResponseURL."""
        token = uuid.uuid4().hex
        with self._lock:
            self._answers[token] = None
        return token

    def put(self, token: str, body: bytes) -> bool:
        """Take an answer; False for an unknown token or a body that is not a JSON object."""
        try:
            answer = json.loads(body)
        except ValueError:
            return False
        with self._lock:
            if token not in self._answers or not isinstance(answer, dict):
                return False
            self._answers[token] = answer
            return True

    def close(self, token: str) -> dict[str, Any] | None:
        """The answer, or None; the token is void afterwards."""
        with self._lock:
            return self._answers.pop(token, None)


@dataclass
class CloudFormation(Room):
    desk: ResponseDesk = field(default_factory=ResponseDesk)
    template_hashes: dict[str, str] = field(default_factory=dict)  # stack name to SHA-256 of what was received
    operations: list[threading.Thread] = field(default_factory=list)

    def finish(self) -> None:
        """Wait for every operation to end, at most 10 s each."""
        for thread in self.operations:
            thread.join(_FINISH_S)
