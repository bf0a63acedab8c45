"""The frame that asks a machine for its address, and which frames are an answer to it."""

import pytest

from lab.hardware.arp import is_reply, probe_frame

MAC, ADDRESS = "02:00:0a:00:00:14", "10.0.0.20"
US, THEM = bytes.fromhex("025000ffff01"), bytes.fromhex("02000a000014")
REPLY = US + THEM + bytes.fromhex("0806000108000604") + b"\0\x02" + THEM + bytes([10, 0, 0, 20]) + US + bytes(4)


def test_the_question_is_a_probe_that_teaches_no_address() -> None:
    frame = probe_frame(MAC, ADDRESS)
    assert frame[:12] == THEM + US
    assert frame[12:22] == bytes.fromhex("0806000108000604") + b"\0\x01"
    assert frame[22:42] == US + bytes(4) + bytes(6) + bytes([10, 0, 0, 20]), "the sender's address is 0.0.0.0"


@pytest.mark.parametrize(
    ("frame", "is_one"),
    [
        (REPLY, True),
        (REPLY + bytes(18), True),
        (REPLY[:41], False),
        (REPLY[:20] + b"\0\x01" + REPLY[22:], False),
        (THEM + REPLY[6:], False),
        (REPLY[:31] + b"\x15" + REPLY[32:], False),
        (REPLY[:12] + b"\x08\0" + REPLY[14:], False),
    ],
    ids=["reply", "padded", "short", "a question", "to somebody else", "about another address", "no ARP"],
)
def test_what_is_an_answer(frame: bytes, is_one: bool) -> None:  # noqa: FBT001
    assert is_reply(frame, ADDRESS) is is_one
