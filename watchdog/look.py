"""Lambda function in the VPC: asks the state port of an instance, once.

For: watch, which invokes it. Guarantees: it takes `timeout_s` at most per step of the connection, and any HTTP answer
is an answer, because whoever answers is alive. Does not: reach AWS (it has no way there), judge, or check a
certificate, which cannot hold for an address.
"""

from __future__ import annotations

import http.client
import ssl
from typing import Any


def on_event(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`event`: `address`, `port`, `is_tls`, `timeout_s`. Returns `answered` and `how`, a phrase."""
    address, port, timeout_s = event["address"], int(event["port"]), float(event["timeout_s"])
    if event["is_tls"]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address, port, timeout=timeout_s, context=context
        )
    else:
        connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request("GET", "/live")
        return {"answered": True, "how": f"status {connection.getresponse().status}"}
    except (OSError, http.client.HTTPException) as error:
        return {"answered": False, "how": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()
