"""One instance of netns_proxy.py: a state server of the agent on port 9480, and a small service on port 8888.

Reads orders from stdin, one a line: `say holder`, `say newcomer`, `say stopping`, `start NAME`, `stop`. Writes what
happens to stdout as JSON lines, with the monotonic clock that all processes of a machine share.
"""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bootstrap.base.clock import SystemClock
from bootstrap.base.state import State, StateServerSettings
from bootstrap.show.server import StateServer
from bootstrap.show.view import View

VIEWS = {
    "holder": View(service="demo", role="holder", is_ready=True, is_healthy=True, state=State(phase="ready")),
    "newcomer": View(service="demo", role="newcomer", is_ready=False, is_healthy=False, state=State(phase="booting")),
    "stopping": View(
        service="demo", role="former-holder", is_ready=False, is_healthy=False, state=State(phase="stopping")
    ),
}
writing = threading.Lock()


def say(what: str) -> None:
    with writing:
        print(json.dumps({"what": what, "at_s": time.monotonic()}), flush=True)


class Service(ThreadingHTTPServer):
    """Says its name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(("", 8888), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Nothing: the proxy may close what it has open here at any time."""

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        say("request")
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: stdout has the events."""


def main() -> None:
    print("in its namespace", flush=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    shown = VIEWS["newcomer"]

    def view() -> View:
        say(f"asked: {200 if shown.is_ready else 503}")
        return shown

    StateServer(StateServerSettings(port=9480), SystemClock(), view).start()
    service: Service | None = None
    for order in sys.stdin:
        verb, _, name = order.strip().partition(" ")
        if verb == "say":
            shown = VIEWS[name]
        elif verb == "start":
            service = Service(name)
        elif service is not None:
            service.end()
        say(f"did {order.strip()}")


if __name__ == "__main__":
    main()
