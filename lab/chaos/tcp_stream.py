"""One direction of a TCP connection, put in order from captured frames. Pure.

For: `nfs_wire` reads records from what comes out. Guarantees: bytes come out once, in order, also when segments are
repeated, overlap or arrive out of order; a gap that stays is reported as lost and reading goes on behind it. A stream
that was picked up in its middle may begin with a repetition of old bytes: what lies between those and the first new
ones was sent before the capture began, and is skipped without counting as lost.
Does not: check checksums (captured before they are filled in) or look at acknowledgements.
Source: RFC 9293 (header format, sequence numbers modulo 2**32); RFC 791 (total length, header length).
"""

import socket
import struct
from dataclasses import dataclass, field

ETHERNET = 14
IPV4 = 0x0800
TCP = 6
SYN = 0x02
SPACE = 1 << 32
HELD_SEGMENTS = 256  # kept behind a gap before the gap counts as lost
UNSURE_SEGMENTS = 256  # after a pick-up without SYN, one hole within as many is the end of repetitions, not a loss
UNSURE_HELD = 8


@dataclass(frozen=True, kw_only=True)
class TcpSegment:
    """A TCP segment of a captured Ethernet frame."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    sequence: int
    is_syn: bool
    payload: bytes


def parse_frame(frame: bytes) -> TcpSegment | None:
    """The TCP segment in an Ethernet frame; None for anything else, fragments included."""
    if len(frame) < ETHERNET + 40 or struct.unpack_from("!H", frame, 12)[0] != IPV4:
        return None
    ip = frame[ETHERNET:]
    header, total = (ip[0] & 15) * 4, struct.unpack_from("!H", ip, 2)[0]
    fragment = struct.unpack_from("!H", ip, 6)[0] & 0x3FFF
    if ip[9] != TCP or fragment or total < header + 20 or len(ip) < total:
        return None
    source_port, destination_port, sequence, _, offset, flags = struct.unpack_from("!HHIIBB", ip, header)
    return TcpSegment(
        source=socket.inet_ntoa(ip[12:16]),
        source_port=source_port,
        destination=socket.inet_ntoa(ip[16:20]),
        destination_port=destination_port,
        sequence=sequence,
        is_syn=bool(flags & SYN),
        payload=ip[header + (offset >> 4) * 4 : total],
    )


@dataclass
class TcpStream:
    """Feed segments of one direction, get bytes in order. `gaps` counts stretches that never came."""

    gaps: int = 0
    _unsure: int = 0  # segments within which a hole does not count
    _next: int | None = None
    _held: dict[int, bytes] = field(default_factory=dict)

    def feed(self, segment: TcpSegment) -> tuple[bytes, bool]:
        """(bytes that are in order now, True when something is missing before them)."""
        if segment.is_syn:
            self._next, self._held, self._unsure = (segment.sequence + 1) % SPACE, {}, 0
            return b"", False
        if not segment.payload:
            return b"", False
        if self._next is None:
            self._next, self._unsure = segment.sequence, UNSURE_SEGMENTS
        kept = self._held.get(segment.sequence, b"")
        if len(segment.payload) > len(kept):
            self._held[segment.sequence] = segment.payload
        is_broken = False
        if len(self._held) > (UNSURE_HELD if self._unsure else HELD_SEGMENTS):
            self.gaps += 0 if self._unsure else 1
            self._unsure = 0
            self._next = min(self._held, key=lambda at: _ahead(self._next or 0, at))
            is_broken = True
        self._unsure = max(0, self._unsure - 1)
        return self._in_order(), is_broken

    def _in_order(self) -> bytes:
        found = bytearray()
        while (at := self._beginning()) is not None:
            piece = self._held.pop(at)
            fresh = piece[_ahead(at, self._next or 0) :]
            found += fresh
            self._next = ((self._next or 0) + len(fresh)) % SPACE
        return bytes(found)

    def _beginning(self) -> int | None:
        """A held segment that begins at or before the next byte wanted."""
        return next((at for at in self._held if _ahead(at, self._next or 0) >= 0), None)


def _ahead(start: int, end: int) -> int:
    """How far `end` is ahead of `start`; negative when it is behind."""
    return (end - start + SPACE // 2) % SPACE - SPACE // 2
