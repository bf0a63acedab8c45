"""The channel `webhook`: a message as JSON to a URL, signed so that the receiver knows who sent it.

For: tell.outbox. Guarantees: the answer's status is there within `TIMEOUT_S` per read, and its body is not read; a
status that is not 2xx is an error, and so is a redirect. The signature is that of Standard Webhooks, so libraries for
receivers exist. Does not: repeat (the outbox does), or log the secret.
Source: Standard Webhooks specification (https://github.com/standard-webhooks/standard-webhooks), "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import requests

from bootstrap.base.errors import AgentError
from bootstrap.tell.message import Message

TIMEOUT_S = 10.0
PREFIX = "whsec_"


class NotSent(AgentError):
    """A channel did not take the message."""


class Webhook:
    """One URL. `secret` returns the shared secret (`whsec_` and base64); it is asked for once, and "" signs nothing."""

    def __init__(self, url: str, secret: Callable[[], str]) -> None:
        self.name = f"webhook {urlsplit(url).hostname}"
        self._url = url
        self._secret = secret
        self._key: bytes | None = None

    def send(self, message: Message, message_id: str) -> None:
        """Raises AgentError."""
        if self._key is None:
            self._key = key_of(self._secret())
        body = json.dumps({"type": message.kind, "timestamp": message.at, "data": _data(message)}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "soloist", "webhook-id": message_id}
        at = str(int(time.time()))
        headers["webhook-timestamp"] = at
        if self._key:
            headers["webhook-signature"] = signature(self._key, message_id, at, body)
        try:
            with requests.post(
                self._url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            raise NotSent(f"{self.name}: {type(error).__name__}") from None  # the URL in its text may hold a secret
        if not 200 <= status < 300:
            raise NotSent(f"{self.name}: status {status}")


def signature(key: bytes, message_id: str, at: str, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def key_of(secret: str) -> bytes:
    """The bytes of `secret`. Raises NotSent, which does not show it."""
    text = secret.strip()
    if not text:
        return b""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < 24:
        raise NotSent(
            "the webhook's secret is not whsec_ and at least 24 bytes in base64",
            remedy="Write one into its parameter: echo whsec_$(openssl rand -base64 32)",
        )
    return key


def _data(message: Message) -> dict[str, str]:
    return {"subject": message.subject, "text": message.text, **message.attributes}
