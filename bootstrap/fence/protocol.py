"""What agent and fence say to each other: one JSON message each way over a sequential packet socket.

For: the fence's process and the agent's client, so that both mean the same. Guarantees: a message that is not one is a
ValueError at the reader, never half of a message and never another error, whatever its bytes are.
Does not: carry anything but deadlines and what they are for. Deadlines are absolute, on CLOCK_BOOTTIME, which is one
clock for the whole machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from bootstrap.base.codec import decode, encode
from bootstrap.base.timing import LeaseTiming
from bootstrap.base.values import Generation, Limits

SOCKET_NAME = "fence.sock"
GRANTED_NAME = "granted"  # while it exists, systemd may start the service (ami/install.sh, AssertPathExists)
STATE_NAME = "fence.json"
LONGEST_MESSAGE_BYTES = 16384

# A machine runs for years at the most, and no service has that many places.
BootTime = Annotated[float, Limits(says="Seconds since the machine started", least=0, most=1e9)]
Mounts = Annotated[
    tuple[Annotated[str, Limits(says="An absolute path", pattern="^/.*$", longest=4096)], ...],
    Limits(says="At most 100 places", longest=100),
]

Verb = Literal["hold", "lost", "let-go", "look"]


@dataclass(frozen=True, kw_only=True)
class FenceRequest:
    """hold: guard `generation` until `deadline_s`; `mounts` are all places where the data can be written.
    lost: strike now. let-go: everything is stopped and unmounted. look: only answer, `is_clear` also for `mounts`."""

    verb: Verb
    generation: Generation = 0
    nonce: str = ""
    deadline_s: BootTime = 0.0
    mounts: Mounts = ()
    timing: LeaseTiming = LeaseTiming()  # noqa: RUF009 (it is frozen)


@dataclass(frozen=True, kw_only=True)
class FenceAnswer:
    """`deadline_s` None: nothing is guarded. `is_clear`: no process of the service, no mount of the data.
    `is_stopping`: the fence was told to end, and does so once nothing is guarded."""

    is_accepted: bool
    sentence: str
    generation: Generation = 0
    nonce: str = ""
    deadline_s: BootTime | None = None
    is_over: bool = False
    is_clear: bool = False
    is_stopping: bool = False
    watchdog: str = ""  # for people: the device and its time-out


def decode_request(packet: bytes) -> FenceRequest:
    """Raises ValueError with everything that is wrong with `packet`."""
    return decode(FenceRequest, packet, unknown_keys="refuse", largest=LONGEST_MESSAGE_BYTES)


def decode_answer(packet: bytes) -> FenceAnswer:
    """Raises ValueError with everything that is wrong with `packet`."""
    return decode(FenceAnswer, packet, unknown_keys="refuse", largest=LONGEST_MESSAGE_BYTES)


def packet_of(message: FenceRequest | FenceAnswer) -> bytes:
    """One packet. Raises ValueError for a message that no reader would take: a number that is not finite, or a text
    that is too long."""
    packet = encode(message).encode()
    if len(packet) > LONGEST_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(packet)} bytes is longer than {LONGEST_MESSAGE_BYTES}")
    return packet
