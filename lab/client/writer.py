"""Several writers that send numbered points to the service by its name, as monitoring agents do, and report the result.

For: runs inside the client machine, as one file on Debian's own Python, with the standard library only. Guarantees: a
point counts as acknowledged only after HTTP 204; every attempt is reported once, with one outcome; a writer never uses
a number twice, so a point in doubt stays in doubt; every wait has a time-out.
Does not: retry a point, keep a connection, or judge.

The name is resolved anew for every write through `getaddrinfo`, as Telegraf, collectd or a shell script with curl do on
a machine without a caching resolver: glibc keeps nothing. Agents behind a cache see a moved record up to its TTL later.

Outcomes: acknowledged (204), refused (another HTTP status), unknown (sent, no answer: may or may not be stored),
unreachable (never connected), unresolved (no address for the name).
"""

import argparse
import collections
import json
import os
import socket
import threading
import time
from typing import Any

PORT, DATABASE = 8086, "lab"
WRITERS = 4
PERIOD_S = 0.4  # from one point of a writer to its next; every 0.05 s the service takes all the time an instance has
CONNECT_S = 0.5
ANSWER_S = 2.0
REPORT_S = 3.0
BATCH_S = 0.05
RESENT = 1000  # reports sent again after a reconnect: the last ones may not have arrived
KEPT = 50000  # reports kept while the collector cannot be reached, oldest dropped first and counted


class Reports:
    """Hands reports to the collector over one TCP connection, reconnecting until `close`; `add` never waits."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._waiting: collections.deque[dict[str, Any]] = collections.deque()
        self._sent: collections.deque[dict[str, Any]] = collections.deque(maxlen=RESENT)
        self._changed = threading.Condition()
        self._dropped = 0
        self._closed = threading.Event()

    def add(self, report: dict[str, Any]) -> None:
        """Queue one report; `at_s` is this machine's monotonic clock."""
        with self._changed:
            self._waiting.append(report)
            if len(self._waiting) > KEPT:
                self._waiting.popleft()
                self._dropped += 1
            self._changed.notify()

    def close(self) -> None:
        """End `deliver` within a second; reports that still wait are dropped."""
        self._closed.set()

    def deliver(self) -> None:
        """Connect, send what waits, begin again after every error, until `close`."""
        while not self._closed.is_set():
            try:
                with socket.create_connection(self._address, timeout=REPORT_S) as connection:
                    # Give a cut connection up soon instead of trusting it with reports for minutes.
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(REPORT_S * 1000))
                    with self._changed:
                        self._waiting.extendleft(reversed(self._sent))
                        self._sent.clear()
                    self._deliver(connection)
            except OSError:
                self._closed.wait(0.3)

    def _deliver(self, connection: socket.socket) -> None:
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting, timeout=1.0)
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), 200))]
                self._sent.extend(batch)  # before sending: what fails half-way is sent again
                dropped = self._dropped
            now_s = time.monotonic()
            lines = [dict(report, ago_s=round(now_s - report["at_s"], 4)) for report in batch]
            lines.append({"dropped": dropped})  # also the sign of life that finds a dead connection
            connection.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
            time.sleep(BATCH_S)


class Writer:
    """One agent: `name` is the point's tag, numbers start at `first`."""

    def __init__(self, name: str, service: tuple[str, int], database: str, reports: Reports, first: int) -> None:
        self._name = name
        self._service = service
        self._database = database
        self._reports = reports
        self._seq = first - 1
        self._stamp_ms = 0

    def write_for_ever(self, period_s: float, offset_s: float) -> None:
        """Write every `period_s`; a late write is not made up for, so the rate is bounded."""
        next_s = time.monotonic() + offset_s
        while True:
            now_s = time.monotonic()
            if now_s < next_s:
                time.sleep(next_s - now_s)
            next_s = max(next_s + period_s, time.monotonic())
            self.write_once()

    def write_once(self) -> dict[str, Any]:
        """Send the next point and report what became of it."""
        self._seq += 1
        # InfluxDB knows a point by tags and time: one time stamp per number, also when the clock is set back.
        self._stamp_ms = max(self._stamp_ms + 1, int(time.time() * 1000))
        begin_s = time.monotonic()
        address, outcome, detail = self._attempt()
        end_s = time.monotonic()
        report = {
            "writer": self._name,
            "seq": self._seq,
            "address": address,
            "outcome": outcome,
            "detail": detail,
            "duration_ms": round((end_s - begin_s) * 1000, 1),
            "at_s": end_s,
        }
        self._reports.add(report)
        return report

    def _attempt(self) -> tuple[str, str, str]:
        name, port = self._service
        try:
            address = str(socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            return "", "unresolved", str(error)
        try:
            link = socket.create_connection((address, port), timeout=CONNECT_S)
        except OSError as error:
            return address, "unreachable", str(error)
        with link:
            body = f"probe,writer={self._name} seq={self._seq}i {self._stamp_ms}\n"
            try:
                status, text = self._post(link, f"/write?db={self._database}&precision=ms", body)
            except OSError as error:
                return address, "unknown", f"{type(error).__name__}: {error}"
        if status == 404 and "database" in text:
            self._create_database(address)
        return address, "acknowledged" if status == 204 else "refused", "" if status == 204 else f"{status} {text}"

    def _create_database(self, address: str) -> None:
        try:
            with socket.create_connection((address, self._service[1]), timeout=CONNECT_S) as link:
                self._post(link, f"/query?q=CREATE+DATABASE+%22{self._database}%22", "")
        except OSError as error:
            print(f"database {self._database} not created, the next refused write tries again: {error}", flush=True)

    def _post(self, link: socket.socket, path: str, body: str) -> tuple[int, str]:
        # By hand: http.client would cost several times as much processor time as the rest of a write.
        head = f"POST {path} HTTP/1.1\r\nHost: {self._service[0]}\r\nConnection: close\r\n"
        link.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = b""
        end_s = time.monotonic() + ANSWER_S
        while b"\r\n\r\n" not in answer or not answer.startswith(b"HTTP/1.1 204"):
            link.settimeout(max(0.001, end_s - time.monotonic()))
            piece = link.recv(4096)
            answer += piece
            if not piece or len(answer) > 65536:
                break
        head_end, _, rest = answer.partition(b"\r\n\r\n")
        words = head_end.split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
            raise OSError(f"no HTTP answer but {answer[:40]!r}")
        return int(words[1]), rest[:200].decode(errors="replace").strip()


def main() -> None:
    """Start the writers and deliver their reports until killed."""
    parser = argparse.ArgumentParser(description="write numbered points to an InfluxDB by name, report every attempt")
    parser.add_argument("--service", required=True, help="DNS name of the service")
    parser.add_argument("--collector", required=True, metavar="ADDRESS:PORT", help="where reports go")
    args = parser.parse_args()
    # glibc waits 5 s for a lost answer by default; an agent of this rate would stand still.
    os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:2")
    host, _, port = args.collector.rpartition(":")
    reports = Reports((host, int(port)))
    for number in range(1, WRITERS + 1):
        writer = Writer(f"w{number}", (args.service, PORT), DATABASE, reports, first=1)
        offset_s = PERIOD_S * (number - 1) / WRITERS
        threading.Thread(target=writer.write_for_ever, args=(PERIOD_S, offset_s), daemon=True).start()
    reports.deliver()


if __name__ == "__main__":
    main()
