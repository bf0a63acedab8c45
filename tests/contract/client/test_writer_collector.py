"""A writer against a small stand-in for InfluxDB on loopback, its reports through the collector into the ledger."""

import json
import socket
import socketserver
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from lab.base.waiting import wait_for
from lab.client import writer as writer_module
from lab.client.check import CheckFailed, compare, count_stored
from lab.client.collector import Collector
from lab.client.ledger import Ledger
from lab.client.writer import Reports, Writer


class InfluxStandIn(socketserver.ThreadingTCPServer):
    """Answers writes and the check's query; `behaviour` decides what a write gets."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Influx)
        self.behaviour = "store"
        self.databases: set[str] = set()
        self.points: dict[tuple[str, int], int] = {}  # (writer, time stamp) -> number: as InfluxDB identifies a point


class _Influx(socketserver.StreamRequestHandler):
    timeout = 5
    server: InfluxStandIn

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split()
        length = 0
        while line := self.rfile.readline().decode().strip().lower():
            if line.startswith("content-length:"):
                length = int(line.partition(":")[2])
        body = self.rfile.read(length).decode()
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/write":
            self.write(query["db"], body)
        elif method == "POST":
            self.server.databases.add(query["q"].removeprefix('CREATE DATABASE "').removesuffix('"'))
            self.answer("200 OK", "{}")
        else:
            self.answer("200 OK", json.dumps({"results": [{"series": self.series()}]}))

    def write(self, database: str, body: str) -> None:
        if database not in self.server.databases:
            self.answer("404 Not Found", '{"error":"database not found: \\"lab\\""}')
            return
        tags, fields, stamp = body.split()
        name = tags.removeprefix("probe,writer=")
        if self.server.behaviour != "lose":
            self.server.points[name, int(stamp)] = int(fields.removeprefix("seq=").removesuffix("i"))
        if self.server.behaviour == "refuse":
            self.answer("503 Service Unavailable", "busy")
        elif self.server.behaviour == "only take":
            self.answer("202 Accepted", "")
        elif self.server.behaviour != "hang up":
            self.answer("204 No Content", "")

    def series(self) -> list[dict[str, object]]:
        writers = sorted({name for name, _ in self.server.points})
        return [
            {"tags": {"writer": name}, "columns": ["time", "seq"],
             "values": [[stamp, seq] for (who, stamp), seq in self.server.points.items() if who == name]}
            for name in writers
        ]  # fmt: skip

    def answer(self, status: str, body: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


@pytest.fixture
def influx() -> Iterator[InfluxStandIn]:
    with InfluxStandIn() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector(Ledger(), address="127.0.0.1") as running:
        running.open()
        yield running
        running.close()


def port(server: InfluxStandIn) -> int:
    return int(server.server_address[1])


def writer(influx: InfluxStandIn, name: str = "w1", first: int = 1) -> Writer:
    return Writer(name, ("localhost", port(influx)), "lab", Reports(("127.0.0.1", 1)), first)


def test_a_point_is_acknowledged_only_by_204(influx: InfluxStandIn) -> None:
    agent = writer(influx)
    refused = agent.write_once()
    assert (refused["outcome"], refused["seq"]) == ("refused", 1)
    assert influx.databases == {"lab"}, "the missing database was not created"
    outcomes = []
    for behaviour in ("store", "refuse", "hang up", "store", "only take"):
        influx.behaviour = behaviour
        outcomes.append(agent.write_once())
    assert [report["outcome"] for report in outcomes] == [
        "acknowledged", "refused", "unknown", "acknowledged", "refused"
    ]  # fmt: skip
    assert [report["seq"] for report in outcomes] == [2, 3, 4, 5, 6]
    assert {report["address"] for report in outcomes} == {"127.0.0.1"}
    assert outcomes[1]["detail"] == "503 busy"


def test_many_points_in_one_millisecond_stay_many(influx: InfluxStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    influx.databases.add("lab")
    looks = iter([100.0, 100.0, 99.0, 100.0])  # of the writer alone: other threads of this process have their own
    monkeypatch.setattr(writer_module, "time", SimpleNamespace(time=lambda: next(looks), monotonic=time.monotonic))
    agent = writer(influx)
    assert [agent.write_once()["outcome"] for _ in range(4)] == ["acknowledged"] * 4
    monkeypatch.undo()
    assert sorted(influx.points.values()) == [1, 2, 3, 4]


def test_nothing_listening_and_no_such_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = Writer("w1", ("localhost", unused.getsockname()[1]), "lab", Reports(("127.0.0.1", 1)), 1)
        assert closed.write_once()["outcome"] == "unreachable"

    def no_address(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    report = closed.write_once()
    assert (report["outcome"], report["detail"]) == ("unresolved", "[Errno -2] Name or service not known")


def test_a_service_that_does_not_answer_is_unknown_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        agent = Writer("w1", ("localhost", silent.getsockname()[1]), "lab", Reports(("127.0.0.1", 1)), 1)
        report = agent.write_once()
    assert report["outcome"] == "unknown"
    assert 200 <= report["duration_ms"] < 2000


def wait_for_attempts(ledger: Ledger, attempts: int) -> None:
    wait_for(lambda: ledger.snapshot(0.0).attempts >= attempts, f"{attempts} reports", deadline_s=10.0, poll_s=0.02)


@pytest.fixture
def delivering() -> Iterator[Callable[[int], Reports]]:
    """Reports that a thread hands to the collector at a port; the thread ends with the test."""
    begun: list[tuple[Reports, threading.Thread]] = []

    def begin(port: int) -> Reports:
        reports = Reports(("127.0.0.1", port))
        begun.append((reports, threading.Thread(target=reports.deliver, daemon=True)))
        begun[-1][1].start()
        return reports

    yield begin
    for reports, thread in begun:
        reports.close()
        thread.join(10)
        assert not thread.is_alive()


def test_reports_reach_the_ledger_and_the_check_sees_a_lost_point(
    influx: InfluxStandIn, collector: Collector, delivering: Callable[[int], Reports]
) -> None:
    influx.databases.add("lab")
    reports = delivering(collector.port)
    agents = [Writer(name, ("localhost", port(influx)), "lab", reports, 1) for name in ("w1", "w2")]
    for behaviour in ("store", "hang up", "lose", "store"):
        influx.behaviour = behaviour
        for agent in agents:
            agent.write_once()
    wait_for_attempts(collector._ledger, 8)
    verdict = compare(collector._ledger.acknowledged(), count_stored("127.0.0.1", port=port(influx)))
    assert (verdict.acknowledged, verdict.lost, verdict.unacknowledged) == (6, (("w1", 3), ("w2", 3)), 2)


def test_reports_survive_a_collector_that_comes_back(
    influx: InfluxStandIn, delivering: Callable[[int], Reports]
) -> None:
    influx.databases.add("lab")
    ledger = Ledger()
    with Collector(ledger, address="127.0.0.1") as first:
        first.open()
        reports = delivering(first.port)
        agent = Writer("w1", ("localhost", port(influx)), "lab", reports, 1)
        agent.write_once()
        wait_for_attempts(ledger, 1)
        first.close()
    agent.write_once()
    with Collector(ledger, address="127.0.0.1", port=first.port) as second:
        second.open()
        agent.write_once()
        wait_for_attempts(ledger, 3)
        second.close()
    assert ledger.acknowledged() == {"w1": frozenset({1, 2, 3})}


def test_lines_that_are_no_reports_are_counted_and_skipped(collector: Collector) -> None:
    good = {"writer": "w1", "seq": 1, "outcome": "acknowledged", "ago_s": 0.0, "address": "10.0.0.1"}
    with socket.create_connection(("127.0.0.1", collector.port), timeout=5) as link:
        link.sendall(b'rubbish\n[]\n{"seq": 1}\n\xff\xfe\n' + json.dumps(good).encode() + b"\n")
        wait_for_attempts(collector._ledger, 1)
    assert collector.rejected == 4


def test_a_service_that_cannot_be_asked_is_an_error(influx: InfluxStandIn) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        with pytest.raises(CheckFailed, match=f"service at 127.0.0.1 port {closed} cannot be asked"):
            count_stored("127.0.0.1", port=closed, timeout_s=5)
