"""Moto's own server on loopback.

For: tests that need an AWS over HTTP without the lab's control plane. Guarantees: what `moto.server.ThreadedMotoServer`
serves; it ends at once, where that one takes half a second.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

POLL_S = 0.05  # between two looks of a server whether it is to end


@contextmanager
def moto_server() -> Iterator[str]:
    """Its URL."""
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
