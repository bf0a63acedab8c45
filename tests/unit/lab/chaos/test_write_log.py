"""The write log: on frames captured in the lab (two machines writing one file), and on made-up frames for corners."""

import json
import socket
import struct
from pathlib import Path

import pytest

from lab.chaos.checker import check, stretches
from lab.chaos.history import Generation, History, ServerWrite
from lab.chaos.nfs_wire import NFS_PORT, Records, WriteLog, WriteSeen, write_in_call
from lab.chaos.tcp_stream import SYN, TcpStream, parse_frame

CAPTURED = [
    (bytes.fromhex(line["frame"]), float(line["at_s"]))
    for line in map(json.loads, (Path(__file__).parents[3] / "data" / "nfs_frames.jsonl").read_text().splitlines())
]
OLD, NEW = "10.0.0.5", "10.0.1.5"


def feed(frames: list[tuple[bytes, float]]) -> list[WriteSeen]:
    log = WriteLog()
    return [write for frame, at_s in frames for write in log.feed(frame, at_s)]


def test_captured_writes_are_found_with_client_and_file() -> None:
    found = feed(CAPTURED)
    assert [write.client for write in found] == [OLD] * 5 + [NEW] * 2
    assert len({write.handle for write in found}) == 1
    assert [write.size for write in found] == [1080, 1188, 1242, 1296, 1350, 1924, 1978]
    assert not any(write.is_lease_record for write in found)


def test_two_machines_that_write_in_turns_are_seen_as_overlap() -> None:
    """The whole way from captured bytes to the verdict; one more frame of the old machine makes the difference."""
    again = next(frame for frame, _ in CAPTURED if parse_frame(frame).source == OLD)  # type: ignore[union-attr]

    began_s = {client: min(write.at_s for write in feed(CAPTURED) if write.client == client) for client in (OLD, NEW)}
    generations = tuple(
        Generation(number=number, holder=client, seen_s=began_s[client], offered_s=began_s[client])
        for number, client in enumerate((OLD, NEW))
    )

    def verdict(frames: list[tuple[bytes, float]]) -> set[str]:
        writes = tuple(ServerWrite(at_s=write.at_s, machine=write.client) for write in feed(frames))
        history = History(
            acknowledged={"w": frozenset({1})}, stored={"w": {1: 1}}, writes=writes, generations=generations,
            faults_end_s=0.0, reachable_s=0.0, told_s=0.0,
        )  # fmt: skip
        return {violation.rule for violation in check(history)}

    segment = parse_frame(again)
    assert segment is not None
    late = ethernet(call(), sequence=5, client=OLD, port=segment.source_port + 1)
    assert verdict(CAPTURED) == set()
    assert verdict([*CAPTURED, (late, CAPTURED[-1][1] + 1.0)]) == {"overlap", "late-write"}
    assert len(stretches(ServerWrite(at_s=w.at_s, machine=w.client) for w in feed(CAPTURED))) == 2


def test_segments_repeated_or_out_of_order_give_each_write_once() -> None:
    assert feed([both for pair in CAPTURED for both in (pair, pair)]) == feed(CAPTURED)
    swapped = list(CAPTURED)
    swapped[2], swapped[3] = (swapped[3][0], swapped[2][1]), (swapped[2][0], swapped[3][1])
    assert [write.size for write in feed(swapped)] == [write.size for write in feed(CAPTURED)]


def test_a_frame_that_was_never_captured_is_counted_and_reading_goes_on() -> None:
    log = WriteLog()
    frames = [ethernet(call(bytes([number % 256]) * 8), sequence=number * CALL) for number in range(400)]
    syn = ethernet(b"", sequence=-1, flags=SYN)
    found = [write for frame in [syn, *frames[:3], *frames[4:]] for write in log.feed(frame, 0.0)]
    assert log.gaps == 1
    assert len(found) == 399


def test_a_stream_picked_up_at_a_repetition_of_old_bytes_has_lost_nothing() -> None:
    """Seen on real machines: the first captured frame was sent again, long after what followed it."""
    log = WriteLog()
    frames = [ethernet(call(bytes([number % 256]) * 8), sequence=number * CALL) for number in range(900)]
    found = [write for frame in [frames[3], *frames[100:]] for write in log.feed(frame, 0.0)]
    assert log.gaps == 0
    assert len(found) == 801
    later = [write for frame in [ethernet(call(), sequence=905 * CALL + n * CALL) for n in range(300)]
             for write in log.feed(frame, 0.0)]  # fmt: skip
    assert (log.gaps, len(later)) == (1, 300)


# ------------------------------------------------------------------ made-up frames
def opaque(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data + b"\0" * (-len(data) % 4)


def call(data: bytes = b"8 bytes.", *, handle: bytes = b"file", before: bytes = b"", operation: int = 38) -> bytes:
    operations = (
        struct.pack("!I", 53) + b"s" * 16 + b"\0" * 16
        + struct.pack("!I", 22) + opaque(handle) + before
        + struct.pack("!I", operation) + b"i" * 16 + b"\0" * 12 + opaque(data)
    )  # fmt: skip
    count = 3 + bool(before)
    body = (
        struct.pack("!IIIIII", 7, 0, 2, 100003, 4, 1)
        + struct.pack("!I", 1) + opaque(b"credential") + struct.pack("!I", 0) + opaque(b"")
        + opaque(b"tag") + struct.pack("!II", 1, count) + operations
    )  # fmt: skip
    return struct.pack("!I", 1 << 31 | len(body)) + body


CALL = len(call())


def ethernet(payload: bytes, *, sequence: int, client: str = OLD, port: int = 700, flags: int = 0x18) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", port, NFS_PORT, sequence & 0xFFFFFFFF, 0, 5 << 4, flags, 0, 0, 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    return b"\0" * 12 + b"\x08\0" + ip + socket.inet_aton(client) + socket.inet_aton("10.0.0.4") + tcp


def test_a_write_in_many_small_segments_and_several_in_one_are_found() -> None:
    stream = call() + call(b"second one")
    pieces = [ethernet(stream[at : at + 7], sequence=at) for at in range(0, len(stream), 7)]
    assert [write.size for write in feed([(piece, 0.0) for piece in pieces])] == [8, 10]
    assert [write.size for write in feed([(ethernet(stream, sequence=0), 0.0)])] == [8, 10]


def test_sequence_numbers_wrap_around() -> None:
    start = 2**32 - CALL // 2
    frames = [ethernet(call(), sequence=start), ethernet(call(b"behind"), sequence=start + CALL)]
    assert [write.size for write in feed([(frame, 0.0) for frame in frames])] == [8, 6]


def test_a_connection_made_again_on_the_same_port_is_read_from_its_beginning() -> None:
    frames = [
        ethernet(call()[:60], sequence=100),  # cut in the middle of a call
        ethernet(b"", sequence=5_000_000, flags=SYN),
        ethernet(call(b"after"), sequence=5_000_001),
    ]
    assert [write.beginning for write in feed([(frame, 0.0) for frame in frames])] == [b"after"]


def test_frames_padded_by_ethernet_and_other_traffic_do_no_harm() -> None:
    frames = [ethernet(call(), sequence=0) + b"\0" * 9, b"\0" * 60, ethernet(call(), sequence=0, client=NEW)[:-3]]
    assert len(feed([(frame, 0.0) for frame in frames])) == 1
    assert parse_frame(b"\xff" * 13) is None


@pytest.mark.parametrize(
    ("record", "is_found"),
    [
        (call()[4:], True),
        (call(before=struct.pack("!I", 32))[4:], True),
        (call(operation=25)[4:], False),  # READ
        (call()[4:60], False),
        (b"", False),
        (b"\0" * 200, False),
    ],
)
def test_only_a_whole_write_call_counts(record: bytes, is_found: bool) -> None:  # noqa: FBT001
    assert (write_in_call(record, at_s=0.0, client=OLD) is not None) == is_found


@pytest.mark.parametrize(
    ("data", "is_lease"),
    [
        (b'{"generation":7,"instance_id":"i-1"}\n', True),
        (b'{"seq":1}', False),
        (b'\x01{"generation":7}', False),
        (b'probe,writer="generation"', False),
    ],
)
def test_lease_records_are_told_from_data(data: bytes, is_lease: bool) -> None:  # noqa: FBT001
    (found,) = feed([(ethernet(call(data), sequence=0), 0.0)])
    assert found.is_lease_record == is_lease


def test_a_record_in_several_fragments_is_put_together() -> None:
    body = call()[4:]
    parts = struct.pack("!I", 10) + body[:10] + struct.pack("!I", 1 << 31 | len(body) - 10) + body[10:]
    assert list(Records().feed(parts)) == [body]


def test_a_stream_that_begins_in_the_middle_is_read_from_its_first_segment() -> None:
    stream = TcpStream()
    segment = parse_frame(ethernet(b"abc", sequence=9))
    assert segment is not None
    assert stream.feed(segment) == (b"abc", False)
