"""Reads the frames that arrive at the file server, with the kernel's own time stamps.

For: `watch` keeps the write log of a run. Guarantees: only frames that reach the machine are captured, because the
socket is at the machine's end of the cable, behind every cut; frames that the ring had no room for are counted. Needs
CAP_NET_RAW in the network namespace, which the lab's namespace has without root. Does not: decode; `nfs_wire` does.
Source: the kernel's Documentation/networking/packet_mmap.rst (TPACKET_V2 ring) and filter.rst, packet(7), socket(7).
"""

import ctypes
import mmap
import select
import socket
import struct
import threading
import time
from collections.abc import Callable

PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, TPACKET_V2 = 5, 6, 10, 1
SOL_PACKET, ETH_P_IP = 263, 0x0800
FRAME = 1 << 17  # segmentation offload makes frames of up to 64 KiB, headers come on top
FRAMES = 512
BLOCK = 1 << 20
USER, KERNEL = 1, 0
HEADER = struct.Struct("=IIIHHII")  # status, length, captured length, mac, net, seconds, nanoseconds
SO_ATTACH_FILTER = 26
OUTGOING = 4
PACKET_TYPE_AT = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
IP_AT, TCP, SYN = 14, 6, 0x02  # where the IPv4 header begins; protocol; flag
KEEP, REFUSE = 15, 16
# What does not count must take no place in the ring: (code, jump if true, jump if false, operand), jumps from the next.
ARRIVING_DATA = (
    (0x20, 0, 0, PACKET_TYPE_AT),
    (0x15, REFUSE - 2, 0, OUTGOING),  # sent by the machine itself
    (0x30, 0, 0, IP_AT + 9),
    (0x15, 0, REFUSE - 4, TCP),
    (0xB1, 0, 0, IP_AT),  # X = length of the IPv4 header
    (0x50, 0, 0, IP_AT + 13),
    (0x45, KEEP - 7, 0, SYN),
    (0x50, 0, 0, IP_AT + 12),
    (0x74, 0, 0, 4),
    (0x64, 0, 0, 2),  # A = length of the TCP header
    (0x0C, 0, 0, 0),
    (0x07, 0, 0, 0),  # X = length of both
    (0x28, 0, 0, IP_AT + 2),  # A = length of the packet
    (0x1C, 0, 0, 0),
    (0x15, REFUSE - 15, KEEP - 15, 0),  # only an acknowledgement
    (0x06, 0, 0, 0xFFFFFFFF),
    (0x06, 0, 0, 0),
)
POLL_S = 0.2


class Capture:
    """All SYNs and TCP segments with data that arrive at `device`, handed to `take(frame, at_s)` from a thread.

    `at_s` is on the lab's monotonic clock. Raises OSError where the device or the right is missing.
    """

    def __init__(self, device: str, take: Callable[[bytes, float], None]) -> None:
        self.device = device
        self.frames_lost = 0
        self._take = take
        self._at = 0
        # Without a protocol it receives nothing until it is bound; with one, everything from every device until then.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            _attach(self._socket, ARRIVING_DATA)
            self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
            request = struct.pack("=IIII", BLOCK, FRAMES * FRAME // BLOCK, FRAME, FRAMES)
            self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
            self._ring = mmap.mmap(self._socket.fileno(), FRAMES * FRAME)
            self._socket.bind((device, ETH_P_IP))
        except OSError:
            self._socket.close()
            raise
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"capture {device}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hand over what is there, then end."""
        self._closing.set()
        self._thread.join(5.0)
        self._ring.close()
        self._socket.close()

    def _read(self) -> None:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        while not self._closing.is_set():
            poller.poll(POLL_S * 1000)
            self._drain()
            self._count_lost()

    def _drain(self) -> None:
        while True:
            start = self._at * FRAME
            status, _, captured, mac, _, seconds, nanoseconds = HEADER.unpack_from(self._ring, start)
            if not status & USER:
                return
            frame = self._ring[start + mac : start + mac + captured]
            self._take(frame, seconds + nanoseconds / 1e9 - time.time() + time.monotonic())
            struct.pack_into("=I", self._ring, start, KERNEL)
            self._at = (self._at + 1) % FRAMES

    def _count_lost(self) -> None:
        try:
            answer = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        except OSError:  # the device is gone, and with it the socket's state
            return
        self.frames_lost += struct.unpack("=II", answer)[1]


def _attach(target: socket.socket, program: tuple[tuple[int, int, int, int], ...]) -> None:
    """Have the kernel keep only frames that `program` (classic BPF) accepts."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    place = ctypes.create_string_buffer(code, len(code))
    target.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(place)))
