"""The metadata service on a socket: HTTP/1.1 for many machines, each recognised by its source address.

For: the lab listens on 169.254.169.254 port 80 inside its own network namespace. Guarantees: a bounded number of
connections, each idle for at most `IDLE_S`. Does not: decide answers, which `lab.edges.metadata` does, or use
X-Forwarded-For to find the caller.
"""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from lab.base.addresses import METADATA_ADDRESS
from lab.base.bounded_server import BoundedServer
from lab.edges.metadata import Answer, InstanceMetadata, MetadataService, Request

IDLE_S = 10.0
MAX_BODY = 4096

Lookup = Callable[[str], InstanceMetadata | None]


class MetadataServer(BoundedServer):
    """Serves `service` to the instances that `lookup` finds by source address; `open()` starts, `close()` ends it."""

    def __init__(
        self,
        lookup: Lookup,
        service: MetadataService,
        *,
        address: str = METADATA_ADDRESS,
        port: int = 80,
        connections: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`lookup` and `clock` (epoch seconds) are called from many threads. Raises OSError when it cannot bind."""
        super().__init__((address, port), _Connection, connections)
        self._lookup = lookup
        self._service = service
        self._clock = clock

    def answer(self, request: Request, source_address: str) -> Answer:
        """The answer to a request that came from `source_address`, now."""
        return self._service.respond(request, self._lookup(source_address), self._clock())


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = IDLE_S
    wbufsize = 65536  # head and body in one segment: two would wait for the peer's delayed acknowledgement
    server: MetadataServer

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
        else:
            self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=self.path, headers=headers)
        answer = self.server.answer(request, str(self.client_address[0]))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr for defects."""
