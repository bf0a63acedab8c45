"""Run inside a network namespace of its own: `unshare -Urnmpf python -m tests.process.netns_proxy`. Prints JSON.

Two instances, each in a namespace of its own with the address of its zone (netns_proxy_instance.py), Debian's haproxy
with docs/haproxy.cfg as it is, and a client that asks through it all the time. One instance hands over to the other, as
the agent does; then the other one is killed, and the first one serves again.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.base.waiting import wait_for

CONFIGURATION = Path(__file__).parents[2] / "docs" / "haproxy.cfg"
URL = "http://127.0.0.1:8888/"
EVERY_S = 0.02
LIMIT_S = 30.0
STAYS = 60  # requests, after an instance has said "not ready"; more than a second of them


class Instance:
    """One instance: a process that does what it is told and writes down what it was asked."""

    def __init__(self, number: int) -> None:
        self.events: list[dict[str, Any]] = []
        argv = ["unshare", "--net", sys.executable, "-m", "tests.process.netns_proxy_instance"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout is not None
        self._await(lambda: bool(self.process.stdout and self.process.stdout.readline()), "its namespace")
        pid, network = str(self.process.pid), f"10.0.{100 + number}"
        for line in (
            f"ip link add zone{number} type veth peer name eth0 netns {pid}",
            f"ip addr add {network}.1/24 dev zone{number}",
            f"ip link set zone{number} up",
            f"nsenter -t {pid} -n ip addr add {network}.10/24 dev eth0",
            f"nsenter -t {pid} -n ip link set eth0 up",
        ):
            subprocess.run(line.split(), check=True)
        threading.Thread(target=self._read, daemon=True).start()

    def tell(self, word: str) -> float:
        """Have it do `word`; when it has."""
        assert self.process.stdin is not None
        seen = len(self.events)
        self.process.stdin.write(word + "\n")
        done = self._await(
            lambda: next((one for one in self.events[seen:] if one["what"] == f"did {word}"), None), word
        )
        return float(done["at_s"])

    def first(self, what: str, after_s: float) -> float:
        """When it first did `what` after that moment."""

        def found() -> Any:
            return next((one for one in list(self.events) if one["what"] == what and one["at_s"] > after_s), None)

        return float(self._await(found, what)["at_s"])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    @staticmethod
    def _await(look: Callable[[], Any], what: str) -> Any:
        return wait_for(look, what, deadline_s=LIMIT_S)


class Client:
    """Asks all the time; each answer is the name of the instance, or why there is none."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float, str]] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.wait(EVERY_S):
            began_s = time.monotonic()
            answer = ask()
            self.asked.append((began_s, time.monotonic(), answer))

    def goes_on(self, requests: int) -> None:
        """Wait until it has asked so often more."""
        wanted = len(self.asked) + requests
        wait_for(lambda: len(self.asked) >= wanted, f"{requests} requests", deadline_s=LIMIT_S)

    def until_served_by(self, name: str) -> None:
        wait_for(lambda: self.asked[-1:] and self.asked[-1][2] == name, f"an answer of {name}", deadline_s=LIMIT_S)

    def end(self) -> None:
        self._ends.set()
        self._thread.join(LIMIT_S)


def ask() -> str:
    try:
        with urllib.request.urlopen(URL, timeout=LIMIT_S) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    subprocess.run(["mount", "-t", "proc", "none", "/proc"], check=True)  # nsenter looks there
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    first, second = Instance(0), Instance(1)
    first.tell("start first")
    first.tell("say holder")
    second.tell("say newcomer")
    proxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", str(CONFIGURATION)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: ask() == "first", "the proxy", deadline_s=LIMIT_S)
        client = Client()
        client.until_served_by("first")
        times = {"not_ready": first.tell("say stopping")}
        times["told_not_ready"] = first.first("asked: 503", times["not_ready"])
        client.goes_on(STAYS)  # so does the service: a request that came here would be answered, and be seen
        times["stopped"] = first.tell("stop")
        second.tell("start second")
        times["ready"] = second.tell("say holder")
        times["told_ready"] = second.first("asked: 200", times["ready"])
        client.until_served_by("second")
        client.goes_on(STAYS)
        times["killed"] = time.monotonic()
        second.process.kill()
        second.process.wait()
        wait_for(lambda: client.asked[-1][2].startswith("status 503"), "the proxy to notice", deadline_s=LIMIT_S)
        first.tell("start first again")
        times["ready_again"] = first.tell("say holder")
        times["told_ready_again"] = first.first("asked: 200", times["ready_again"])
        client.until_served_by("first again")
        client.goes_on(STAYS)
        client.end()
    finally:
        proxy.kill()
        for instance in (first, second):
            instance.process.kill()
    reached = [one["at_s"] for one in first.events if one["what"] == "request"]
    print(json.dumps({**times, "asked": client.asked, "reached_first": reached}))


if __name__ == "__main__":
    main()
