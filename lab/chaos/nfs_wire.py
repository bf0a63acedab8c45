"""WRITE operations in the bytes that a client sends to an NFSv4.1 server. Pure.

For: `capture` feeds it what arrives at the file server, so that "which machine wrote when" is known without asking
the machines. Guarantees: a WRITE in a COMPOUND of the Linux client is found whatever the segmentation; after a gap
reading resumes at the next thing that is the beginning of a call; a connection made again is begun anew.
Does not: look at replies (a WRITE that arrived counts, performed or not), nor inside encrypted connections.
Sources: RFC 5531 sections 9 and 11 (call message, record marking), RFC 8881 sections 16.2, 18.19, 18.32, 18.46.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.chaos.tcp_stream import TcpSegment, TcpStream, parse_frame

NFS_PORT = 2049
NFS_PROGRAM, NFS_VERSION, COMPOUND = 100003, 4, 1
CALL, RPC_VERSION = 0, 2
PUTFH, WRITE, SEQUENCE, SAVEFH, PUTROOTFH = 22, 38, 53, 32, 24
LAST_FRAGMENT = 1 << 31
LONGEST_RECORD = 4 << 20
CALL_HEAD = struct.Struct("!IIIIII")  # xid, call, RPC version, program, version, procedure


@dataclass(frozen=True, kw_only=True)
class WriteSeen:
    """A WRITE call: when it was captured, from which address, to which file (handle), and how its data begin."""

    at_s: float
    client: str
    handle: bytes
    size: int
    beginning: bytes

    @property
    def is_lease_record(self) -> bool:
        """True for the agent's own lease records, which every instance may write into its own file.

        Told by content: a lease record is one JSON object with a generation; the service's data never begin like that.
        """
        return self.beginning.lstrip().startswith(b"{") and b'"generation"' in self.beginning

    @property
    def lease_record(self) -> Mapping[str, Any]:
        """The record's content; empty where it is none or cut off."""
        try:
            record = json.loads(self.beginning) if self.is_lease_record else {}
        except ValueError:
            return {}
        return record if isinstance(record, dict) else {}


BEGINNING = 2048


class Cursor:
    """Reads XDR. Raises IndexError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self) -> int:
        return int(struct.unpack("!I", self.skip(4))[0])

    def skip(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise IndexError(f"{size} bytes at {self._at} of {len(self._data)}")
        found, self._at = self._data[self._at : end], end
        return found

    def opaque(self) -> bytes:
        """Bytes with their length before and padding to four after them."""
        size = self.number()
        found = self.skip(size)
        self.skip(-size % 4)
        return found


def write_in_call(record: bytes, *, at_s: float, client: str) -> WriteSeen | None:
    """The WRITE in one RPC record; None for any other call, and for what is no call at all."""
    try:
        return _write(Cursor(record), at_s, client)
    except IndexError:
        return None


def _write(cursor: Cursor, at_s: float, client: str) -> WriteSeen | None:
    head = CALL_HEAD.unpack(cursor.skip(CALL_HEAD.size))
    if head[1:] != (CALL, RPC_VERSION, NFS_PROGRAM, NFS_VERSION, COMPOUND):
        return None
    for _ in ("credential", "verifier"):
        cursor.number()
        cursor.opaque()
    cursor.opaque()  # tag
    cursor.number()  # minor version
    handle = b""
    for _ in range(cursor.number()):
        operation = cursor.number()
        if operation == SEQUENCE:
            cursor.skip(16 + 4 * 4)
        elif operation == PUTFH:
            handle = cursor.opaque()
        elif operation == WRITE:
            cursor.skip(16 + 8 + 4)  # state id, offset, stability
            data = cursor.opaque()
            return WriteSeen(at_s=at_s, client=client, handle=handle, size=len(data), beginning=data[:BEGINNING])
        elif operation not in (SAVEFH, PUTROOTFH):
            return None  # the Linux client puts nothing else before a WRITE
    return None


@dataclass
class Records:
    """RPC records out of a byte stream (RFC 5531 section 11)."""

    _buffer: bytearray = field(default_factory=bytearray)
    _fragments: bytearray = field(default_factory=bytearray)
    _is_lost: bool = False  # the beginning of the buffer is in the middle of something

    def feed(self, data: bytes, *, is_broken: bool = False) -> Iterator[bytes]:
        """Complete records. `is_broken`: bytes before `data` are missing."""
        if is_broken:
            self._buffer, self._fragments, self._is_lost = bytearray(), bytearray(), True
        if self._is_lost:
            if not begins_a_call(data):
                return
            self._is_lost = False
        self._buffer += data
        while len(self._buffer) >= 4:
            mark = struct.unpack_from("!I", self._buffer)[0]
            size = mark & (LAST_FRAGMENT - 1)
            if size > LONGEST_RECORD:
                self._buffer, self._is_lost = bytearray(), True
                return
            if len(self._buffer) < 4 + size:
                return
            self._fragments += self._buffer[4 : 4 + size]
            del self._buffer[: 4 + size]
            if mark & LAST_FRAGMENT:
                record, self._fragments = bytes(self._fragments), bytearray()
                yield record


def begins_a_call(data: bytes) -> bool:
    """True when `data` begins with the record mark and the head of an NFS call."""
    if len(data) < 4 + CALL_HEAD.size:
        return False
    mark = struct.unpack_from("!I", data)[0]
    head = CALL_HEAD.unpack_from(data, 4)
    return (mark & ~LAST_FRAGMENT) <= LONGEST_RECORD and head[1:5] == (CALL, RPC_VERSION, NFS_PROGRAM, NFS_VERSION)


class WriteLog:
    """Frames in, WRITEs out; one per server (or per port of it). Not safe for several threads at once."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, int, str], tuple[TcpStream, Records]] = {}

    @property
    def gaps(self) -> int:
        """Stretches of any connection that were never captured."""
        return sum(stream.gaps for stream, _ in self._streams.values())

    def feed(self, frame: bytes, at_s: float) -> list[WriteSeen]:
        """The WRITEs that are complete with this frame."""
        segment = parse_frame(frame)
        if segment is None or segment.destination_port != NFS_PORT:
            return []
        stream, records = self._of(segment)
        data, is_broken = stream.feed(segment)
        found = []
        for record in records.feed(data, is_broken=is_broken) if data else ():
            write = write_in_call(record, at_s=at_s, client=segment.source)
            if write is not None:
                found.append(write)
        return found

    def _of(self, segment: TcpSegment) -> tuple[TcpStream, Records]:
        key = (segment.source, segment.source_port, segment.destination)
        if segment.is_syn or key not in self._streams:
            old = self._streams.get(key)
            # The Linux client uses its port again when it reconnects; lost gaps stay counted.
            self._streams[key] = (TcpStream(gaps=old[0].gaps if old else 0), Records())
        return self._streams[key]
