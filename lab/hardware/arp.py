"""Asks a machine for its hardware address, as EC2's status check does: does its kernel still answer the network?

For: `lab.hardware.uml`. Guarantees: the question goes into the machine's own cable, so that a cut of its conversations
or of its zone changes nothing; the machine learns no address from it (RFC 5227, an ARP probe). Does not: tell a frozen
machine from one whose interface is down.
Source: EC2 user guide "Types of status checks" (EC2 sends an address resolution protocol request to the interface).
"""

import socket
import struct
import time

_OURS = bytes.fromhex("025000ffff01")
_ARP, _EVERYTHING = 0x0806, 0x0003  # at the port of a bridge only what asks for everything hears anything
_HEAD = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)  # Ethernet, IPv4, request
_REPLY = 2


def probe_frame(mac: str, address: str) -> bytes:
    """The Ethernet frame that asks the machine with this MAC whether it has `address`."""
    theirs = bytes.fromhex(mac.replace(":", ""))
    nobody = bytes(4)
    return theirs + _OURS + struct.pack("!H", _ARP) + _HEAD + _OURS + nobody + bytes(6) + socket.inet_aton(address)


def is_reply(frame: bytes, address: str) -> bool:
    """True for a frame in which somebody says to us that he has `address`."""
    return (
        len(frame) >= 42
        and frame[:6] == _OURS
        and frame[12:14] == struct.pack("!H", _ARP)
        and frame[20:22] == struct.pack("!H", _REPLY)
        and frame[28:32] == socket.inet_aton(address)
    )


def answers(cable: str, mac: str, address: str, limit_s: float) -> bool:
    """True when the machine at the other end of `cable` answers within `limit_s`. Raises OSError without the cable."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING)) as wire:
        wire.bind((cable, _EVERYTHING))
        wire.settimeout(limit_s)
        wire.send(probe_frame(mac, address))
        end_s = time.monotonic() + limit_s
        while (left_s := end_s - time.monotonic()) > 0:
            wire.settimeout(left_s)
            try:
                if is_reply(wire.recv(2048), address):
                    return True
            except TimeoutError:
                break
    return False
