"""What each path says.

For: the server. Guarantees: pure; an answer is bounded, because a view is; `/ready` is 200 for the holder of the lease
whose service is healthy, and for nobody else, so a load balancer or a proxy that follows it never sends a client to a
newcomer. Does not: read requests.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

from bootstrap.base.codec import encode
from bootstrap.show.metrics import CONTENT_TYPE, exposition
from bootstrap.show.page import page
from bootstrap.show.view import DOCUMENT_VERSION, HistoryDocument, View, state_document

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
LONGEST_QUERY = 100  # characters
OK_OR_NOT = {True: HTTPStatus.OK, False: HTTPStatus.SERVICE_UNAVAILABLE}
OPEN = ("/live", "/ready")  # also without the token, for load balancers, which have none


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


def answer(path: str, authorization: str, token: str, view: Callable[[], View]) -> Answer:
    """The answer to GET `path`. `token`: what callers must bring, "" where they need nothing."""
    name, _, query = path.partition("?")
    write = _ANSWERS.get(name)
    if write is None:
        known = " ".join(_ANSWERS)
        return _text(HTTPStatus.NOT_FOUND, f"{name[:80]!a} is not here; these are: {known}")
    if token and name not in OPEN and not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        return _text(HTTPStatus.UNAUTHORIZED, "the header Authorization: Bearer TOKEN is missing or wrong")
    if name == "/history":
        return _history(view(), query)
    return write(view())


def _text(status: HTTPStatus, sentence: str) -> Answer:
    return Answer(status=status, body=f"{sentence}\n".encode())


def _live(view: View) -> Answer:
    return _text(HTTPStatus.OK, f"the agent of {view.service} runs: {view.role}")


def _ready(view: View) -> Answer:
    sentence = f"{view.role}, {view.state.phase}: {view.state.sentence}"
    return _text(OK_OR_NOT[view.is_ready], f"ready: {sentence}" if view.is_ready else f"not ready: {sentence}")


def _health(view: View) -> Answer:
    return _text(OK_OR_NOT[view.is_healthy], f"{view.service}: {view.state.sentence}")


def _state(view: View) -> Answer:
    return Answer(status=HTTPStatus.OK, body=f"{encode(state_document(view))}\n".encode(), content_type=JSON)


def _history(view: View, query: str = "") -> Answer:
    """All, or with `limit=N` the newest N of both."""
    given = parse_qs(query[:LONGEST_QUERY]).get("limit", [])
    if given and not (given[-1].isascii() and given[-1].isdecimal() and int(given[-1]) > 0):
        return _text(HTTPStatus.BAD_REQUEST, "limit is a whole number from 1 on, as in /history?limit=5")
    most = int(given[-1]) if given else None
    document = HistoryDocument(
        version=DOCUMENT_VERSION,
        service=view.service,
        holders=view.holders[:most],
        takeovers=view.takeovers[:most],
    )
    return Answer(status=HTTPStatus.OK, body=f"{encode(document)}\n".encode(), content_type=JSON)


def _metrics(view: View) -> Answer:
    return Answer(status=HTTPStatus.OK, body=exposition(view), content_type=CONTENT_TYPE)


def _page(view: View) -> Answer:
    return Answer(status=HTTPStatus.OK, body=page(view).encode(), content_type=HTML)


_ANSWERS: dict[str, Callable[[View], Answer]] = {
    "/": _page,
    "/live": _live,
    "/ready": _ready,
    "/health": _health,
    "/state": _state,
    "/history": _history,
    "/metrics": _metrics,
}
