"""What agent and fence say to each other: one JSON message each way over a sequential packet socket.

For: fence.py and fence_client.py, so that both mean the same. Guarantees: standard library only; a message that is not
one is a ValueError at the reader, never half of one. Does not: carry anything but deadlines and what they are for.
Deadlines are absolute, on CLOCK_BOOTTIME, which is one clock for the whole machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bootstrap.base.timing import LeaseTiming

SOCKET_NAME = "fence.sock"
GRANTED_NAME = "granted"  # while it exists, systemd may start the service (ami/install.sh, AssertPathExists)
STATE_NAME = "fence.json"
LONGEST_MESSAGE_BYTES = 16384

Verb = Literal["hold", "lost", "let-go", "look"]


@dataclass(frozen=True, kw_only=True)
class FenceRequest:
    """hold: guard `generation` until `deadline_s`; `mounts` are all places where the data can be written.
    lost: strike now. let-go: everything is stopped and unmounted. look: only answer, `is_clear` also for `mounts`."""

    verb: Verb
    generation: int = 0
    nonce: str = ""
    deadline_s: float = 0.0
    mounts: tuple[str, ...] = ()
    timing: LeaseTiming = LeaseTiming()  # noqa: RUF009 (it is frozen)


@dataclass(frozen=True, kw_only=True)
class FenceAnswer:
    """`deadline_s` None: nothing is guarded. `is_clear`: no process of the service, no mount of the data."""

    is_accepted: bool
    sentence: str
    generation: int = 0
    nonce: str = ""
    deadline_s: float | None = None
    is_over: bool = False
    is_clear: bool = False
    watchdog: str = ""  # for people: the device and its time-out


def encode(message: FenceRequest | FenceAnswer) -> bytes:
    """One packet."""
    return json.dumps(asdict(message)).encode()


def decode_request(packet: bytes) -> FenceRequest:
    """Raises ValueError."""
    tree = _tree(packet)
    try:
        tree["mounts"] = tuple(tree["mounts"])
        tree["timing"] = LeaseTiming(**tree["timing"])
        return FenceRequest(**tree)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a request: {error}") from None


def decode_answer(packet: bytes) -> FenceAnswer:
    """Raises ValueError."""
    try:
        return FenceAnswer(**_tree(packet))
    except TypeError as error:
        raise ValueError(f"not an answer: {error}") from None


def _tree(packet: bytes) -> dict[str, Any]:
    tree = json.loads(packet)
    if not isinstance(tree, dict):
        raise ValueError("not an object")
    return tree
