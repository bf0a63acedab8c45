"""The health check `http`: healthy when a URL answers one status and, where asked for, certain headers and a body.

For: bootstrap.machine.health. Guarantees: the answer is judged before the time-out ends, however slowly the server
sends: at that moment the connection is cut. The body is read only where the check expects one, and never more than
`LARGEST_BODY`. A pattern knows `*` alone, so no pattern and no answer makes a match slow. Does not: follow redirects,
or use a proxy or credentials of the environment. Certificates are checked only with `verify_tls`: most probes ask
whether the service answers on its own machine, and the certificate carries the public name (`tls_name`).
Source: requests documentation, "Body Content Workflow" and "SSL Cert Verification".
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated, Literal

import requests
import urllib3

from bootstrap.base.check import Check, RunCommand
from bootstrap.base.clock import Deadline
from bootstrap.base.values import HeaderLine, HttpStatus, Limits, OptionalHost, OptionalPath, Url, Wildcards
from bootstrap.machine.http_transport import Connections, innermost

HEADERS = {"User-Agent": "soloist", "Connection": "close"}
LARGEST_BODY = 65_536  # bytes, unpacked
SHOWN = 80  # characters of a body that is not the expected one

# Most certificates are not checked on purpose (see above); without this line every such probe would print a warning.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


@dataclass(frozen=True, kw_only=True)
class HttpCheck(Check):
    """Healthy when `url` answers `expect_status`, every header of `expect_headers` (`Name: value`), and a body that
    holds `expect_body`; in both `*` stands for anything. `headers` are sent. With `verify_tls` the certificate must be
    valid, by the authorities of `ca_file` if given, for `tls_name` instead of the URL's host if given."""

    kind: Literal["http"] = "http"
    url: Url
    headers: tuple[HeaderLine, ...] = ()
    expect_status: HttpStatus = 200
    expect_headers: tuple[HeaderLine, ...] = ()
    expect_body: Wildcards = ""
    verify_tls: Annotated[bool, Limits(says="Whether the certificate must be valid")] = False
    ca_file: OptionalPath = ""
    tls_name: OptionalHost = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.verify_tls or self.tls_name) and not self.url.startswith("https:"):
            raise ValueError("verify_tls and tls_name belong to a URL that begins with https:")
        if self.ca_file and not self.verify_tls:
            raise ValueError("ca_file has no effect without verify_tls: true")

    def failure(self, limit: Deadline, _run: RunCommand, /) -> str:
        connections = Connections(self.tls_name)
        timer = threading.Timer(limit.seconds, connections.cut)
        timer.daemon = True
        timer.start()
        try:
            problem = self._asked(connections, limit.seconds)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:  # OSError: no such ca_file
            problem = "TimeoutError: timed out" if connections.are_cut else innermost(error)
        finally:
            timer.cancel()
            connections.close()
        return f"GET {self.url}: {problem}" if problem else ""

    def _asked(self, connections: Connections, timeout_s: float) -> str:
        # Not by a session: it would read the body of a redirect, however long, and look for a proxy in the environment.
        headers = HEADERS | dict(_split(line) for line in self.headers)
        request = requests.Request("GET", self.url, headers=headers).prepare()
        verify = (self.ca_file or True) if self.verify_tls else False
        with connections.send(request, stream=True, timeout=timeout_s, verify=verify) as answer:
            if answer.status_code != self.expect_status:
                return f"status {answer.status_code}, not {self.expect_status}"
            for name, pattern in map(_split, self.expect_headers):
                value = answer.headers.get(name)
                if value is None:
                    return f"no header {name}"
                if not fits(pattern, value):
                    return f"header {name} is {value[:SHOWN]!r}, not {pattern!r}"
            body = _body(answer.raw) if self.expect_body else ""
        if fits(f"*{self.expect_body}*", body):
            return ""
        return f"the first {LARGEST_BODY // 1024} KiB do not hold {self.expect_body!r} but begin with {body[:SHOWN]!r}"


def fits(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, in which each `*` stands for anything, also nothing."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *between, last = others
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _body(raw: urllib3.BaseHTTPResponse) -> str:
    body = b""
    while len(body) < LARGEST_BODY and (more := raw.read(LARGEST_BODY - len(body), decode_content=True)):
        body += more
    return body.decode(errors="replace")


KIND = HttpCheck
