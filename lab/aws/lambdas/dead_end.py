"""An address of this host at which connections neither open nor fail: the API, for a function without a way to it.

For: functions in a VPC. Guarantees: a connection attempt hangs until the caller gives up, as packets do that a subnet
without NAT gateway or endpoint drops. Does not: filter what else a function connects to.
Source: Lambda developer guide "Enable internet access for VPC-connected Lambda functions".
"""

import socket
import threading


class DeadEnd:
    """Opened when it is first asked for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._url = ""

    @property
    def url(self) -> str:
        """What a function has for the API's address."""
        with self._lock:
            if not self._url:
                self._url = self._open()
            return self._url

    def _open(self) -> str:
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = listener.getsockname()
        self._sockets.append(listener)
        for _ in range(4):  # Linux drops what comes once the queue, which nobody empties, is full
            waiting = socket.socket()
            waiting.settimeout(0)
            waiting.connect_ex(address)
            self._sockets.append(waiting)
        return f"http://127.0.0.1:{address[1]}"

    def close(self) -> None:
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets, self._url = [], ""
