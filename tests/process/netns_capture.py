"""Runs in a network namespace of its own: what the capture of `lab.chaos` keeps of known traffic, as JSON on stdout."""

import json
import socket
import subprocess
import sys

from lab.base.waiting import wait_for
from lab.chaos.capture import Capture
from lab.chaos.tcp_stream import parse_frame

PAYLOADS = [b"first", b"x" * 60_000, b"last"]


def main() -> int:
    """One TCP connection over loopback with `PAYLOADS`, and datagrams that must not be kept."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    kept = []
    capture = Capture("lo", lambda frame, _at_s: kept.append(parse_frame(frame)))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = listener.accept()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for payload in PAYLOADS:
        datagrams.sendto(b"noise", ("127.0.0.1", port))
        client.sendall(payload)
        server.recv(len(payload), socket.MSG_WAITALL)

    def arrived() -> bool:
        return sum(len(one.payload) for one in kept if one and one.destination_port == port) >= sum(map(len, PAYLOADS))

    wait_for(arrived, "the frames", deadline_s=10.0)
    capture.close()
    segments = [one for one in kept if one is not None]
    to_server = [one for one in segments if one.destination_port == port]
    seen = {
        "strange": len(kept) - len(segments),
        "syns": [one.is_syn for one in to_server].count(True),
        "bare": sum(1 for one in segments if not one.payload and not one.is_syn),
        "is_whole": b"".join(one.payload for one in to_server) == b"".join(PAYLOADS),
        "lost": capture.frames_lost,
    }
    print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
