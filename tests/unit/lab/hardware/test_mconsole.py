"""The management console's datagrams."""

import struct

import pytest

from lab.hardware.mconsole import MAGIC, decode_answer, encode_request


def test_a_request_is_magic_version_length_and_512_bytes_of_text() -> None:
    datagram = encode_request("remove vec1")
    assert struct.unpack_from("=III", datagram) == (MAGIC, 2, 11)
    assert datagram[12:23] == b"remove vec1"
    assert len(datagram) == 12 + 512


def test_a_request_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="512 bytes, at most 511"):
        encode_request("x" * 512)


@pytest.mark.parametrize(
    ("error", "more", "text", "expected"),
    [
        (0, 0, b"OK\0", (False, False, "OK")),
        (0, 1, b"first", (False, True, "first")),
        (-1, 0, b"Device or resource busy", (True, False, "Device or resource busy")),
    ],
)
def test_an_answer_tells_failure_continuation_and_text(
    error: int, more: int, text: bytes, expected: tuple[bool, bool, str]
) -> None:
    assert decode_answer(struct.pack("=iII", error, more, len(text)) + text.ljust(512, b"\0")) == expected


def test_a_short_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        decode_answer(b"1234")
