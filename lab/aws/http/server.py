"""The HTTP side of the control plane: moto's WSGI application behind the lab's own doors.

For: `ControlPlane`. Guarantees: calls are served one at a time under the cloud's lock, but for a few
that call others (`_UNLOCKED`), so moto's dictionaries are never changed while they are read; faults
apply before or after moto; an exception in moto or in the lab is kept with its traceback and answered as an error that
SDKs do not retry.
Does not: check signatures. Source for error documents: AWS query, EC2, REST-XML and JSON 1.1 protocols.
"""

import io
import json
import os
import socket
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from lab.aws.calls import admission
from lab.aws.calls.recording import recording
from lab.aws.calls.request import ApiRequest
from lab.aws.cloudformation.custom_resources import RESPONSE_PATH
from lab.aws.cloudformation.state import CloudFormation
from lab.aws.core.cloud import Cloud
from lab.aws.faults.codes import Refusal
from lab.aws.faults.endpoint import FAULTS_PATH, answer_faults
from lab.aws.faults.faults import ApiCall, Fault, Faults, refusal, strike

_Environ = dict[str, Any]
_StartResponse = Callable[..., Any]

_UNLOCKED = ("cloudformation", "s3", "lambda:Invoke", "ec2:GetConsoleOutput")  # they take it where they need it


class ConnectionLost(ConnectionError):
    """A fault closes the connection without an answer. werkzeug treats a ConnectionError as a lost client."""


class Handler(MotoRequestHandler):  # type: ignore[misc]
    """HTTP/1.1 without logging; can close a connection without an answer."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing here: the call log has every request."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:  # noqa: ARG002
        """Close the connection: the client went away, or a fault asks for it."""
        self.close_connection = True


@lru_cache
def _moto() -> Any:
    """moto's application, one per process, because building its routes takes longer than a test.

    The service of a host is cached, because moto lists its own directory on disk to find it.
    """
    application = DomainDispatcherApplication(create_backend_app)
    application.get_backend_for_host = lru_cache(application.get_backend_for_host)
    return application


class Application:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._moto = _moto()

    def __call__(self, environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            text = f"Content-Length must be a number of bytes: {length}"
            return _answer(start_response, "400 BAD REQUEST", "text/plain", text.encode())
        body = environ["wsgi.input"].read(int(length)) if int(length) else b""
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ.get("PATH_INFO", "")
        if path.startswith(RESPONSE_PATH):
            known = CloudFormation.of(self._cloud).desk.put(path.removeprefix(RESPONSE_PATH), body)
            return _answer(start_response, "200 OK" if known else "404 NOT FOUND", "text/plain", b"")
        if path.startswith(FAULTS_PATH):
            status, document = answer_faults(Faults.of(self._cloud), environ["REQUEST_METHOD"], path, body)
            return _answer(start_response, status, "application/json", json.dumps(document).encode())
        method, url, headers = _line_and_headers(environ)
        with recording(self._cloud, method, url, headers, body) as answer:
            return answer.overhear(self._attend(environ, answer.listen(start_response), answer.request, url, body))

    def _attend(
        self, environ: _Environ, start_response: _StartResponse, request: ApiRequest, url: str, body: bytes
    ) -> Iterable[bytes]:
        call = admission.identify(self._cloud, request, url, body)
        refused = admission.refused(self._cloud, request, call)
        if refused is not None:
            return _refuse(environ, start_response, call.service, refused)
        fault = strike(self._cloud, call)
        if fault is not None:
            answer = self._suffer(fault, call, environ, start_response)
            if answer is not None:
                return answer
        return self._serve(environ, start_response, call)

    def _suffer(
        self, fault: Fault, call: ApiCall, environ: _Environ, start_response: _StartResponse
    ) -> Iterable[bytes] | None:
        if fault.delay_s:
            fault.over.wait(fault.delay_s)
        if fault.lose_answer:
            self._serve(environ, lambda *_: None, call)
        if fault.lose_answer or fault.drop:
            raise ConnectionLost
        refused = refusal(fault, call)
        return None if refused is None else _refuse(environ, start_response, call.service, refused)

    def _serve(self, environ: _Environ, start_response: _StartResponse, call: ApiCall) -> Iterable[bytes]:
        service = call.service
        try:
            if service in _UNLOCKED or f"{service}:{call.action}" in _UNLOCKED:
                return list(self._moto(environ, start_response))
            with self._cloud.call():
                return list(self._moto(environ, start_response))
        except NotImplementedError as error:
            self._cloud.note_error(f"{service}: {error}")
            return _refuse(environ, start_response, service, Refusal("NotModelledByTheLab", 400, str(error)))
        except Exception as error:
            self._cloud.note_error(traceback.format_exc())
            self._cloud.event("error", service, f"{type(error).__name__}: {error}")
            text = f"the lab failed: {type(error).__name__}: {error}; see control_plane.errors"
            return _refuse(environ, start_response, service, Refusal("LabFailure", 400, text))


def _line_and_headers(environ: _Environ) -> tuple[str, str, dict[str, str]]:
    query, path = environ.get("QUERY_STRING", ""), quote(environ.get("PATH_INFO", "/"))
    url = f"http://{environ.get('HTTP_HOST', 'localhost')}{path}{'?' * bool(query)}{query}"
    headers = {name[5:].replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}
    return environ["REQUEST_METHOD"], url, headers | {"Content-Type": environ.get("CONTENT_TYPE", "")}


def _answer(start_response: _StartResponse, status: str, content_type: str, body: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def _refuse(environ: _Environ, start_response: _StartResponse, service: str, refused: Refusal) -> list[bytes]:
    """An error document in the protocol of the service."""
    is_json = bool(environ.get("HTTP_X_AMZ_TARGET"))
    headers, body = admission.error_document(service, refused.code, refused.message, is_json=is_json)
    status_line = f"{refused.status} {'ERROR' if refused.status >= 500 else 'BAD REQUEST'}"
    start_response(status_line, [*headers.items(), ("Content-Length", str(len(body)))])
    return [body]


class HttpServer:
    """The listening socket and its threads. Port 0 picks a free one. Raises OSError naming a port that is taken."""

    def __init__(self, application: Application, address: str, port: int) -> None:
        try:
            # Bound here, because werkzeug ends the whole program where a port is taken.
            listener = socket.create_server((address, port), backlog=128)
        except OSError as error:
            raise OSError(error.errno, f"{address} port {port}: {os.strerror(error.errno or 0)}") from error
        self.port: int = listener.getsockname()[1]
        self._server: Any = make_server(
            address, port, application, threaded=True, request_handler=Handler, fd=listener.fileno()
        )
        listener.close()  # werkzeug works on a duplicate
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=lambda: self._server.serve_forever(poll_interval=0.05), name="control-plane-http", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; threads finish the answers under way."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10.0)
