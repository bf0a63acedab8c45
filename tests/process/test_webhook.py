"""A webhook's receiver: signed messages, redirects that are not followed, refusals, and secrets that nobody sees."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bootstrap.tell.webhook import NotSent, Webhook, key_of, signature
from tests.kit.messages import BEGINNING

# The example of the specification (https://www.standardwebhooks.com, "Verify"), from which libraries are tested, too.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=hidden"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_signature_is_that_of_the_specification() -> None:
    signed = signature(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_signed_and_a_receiver_can_tell(receiver: Receiver) -> None:
    Webhook(receiver.url, lambda: SECRET + "\n").send(BEGINNING, "i-1-5")
    ((headers, body),) = receiver.got
    assert headers["webhook-id"] == "i-1-5"
    assert headers["webhook-signature"] == signature(key_of(SECRET), "i-1-5", headers["webhook-timestamp"], body)
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("degraded", BEGINNING.at)
    assert told["data"] == {"subject": BEGINNING.subject, "text": BEGINNING.text, **BEGINNING.attributes}


def test_without_a_secret_it_is_not_signed(receiver: Receiver) -> None:
    Webhook(receiver.url, lambda: "").send(BEGINNING, "i-1-5")
    assert "webhook-signature" not in receiver.got[0][0]


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
def test_every_other_status_is_an_error_and_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(NotSent, match=f"webhook 127.0.0.1: status {status}$"):
        Webhook(receiver.url, lambda: SECRET).send(BEGINNING, "i-1-5")
    assert len(receiver.got) == 1


def test_nobody_there_is_an_error_that_shows_no_secret(receiver: Receiver) -> None:
    receiver.server.shutdown()
    receiver.server.server_close()
    with pytest.raises(NotSent) as refused:
        Webhook(receiver.url, lambda: SECRET).send(BEGINNING, "i-1-5")
    assert str(refused.value) == "webhook 127.0.0.1: ConnectionError"
    receiver.server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=receiver.server.serve_forever, daemon=True).start()


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "no base64!", SECRET + "x"])
def test_a_secret_that_is_none_is_an_error_that_does_not_show_it(receiver: Receiver, secret: str) -> None:
    with pytest.raises(NotSent, match="at least 24 bytes in base64") as refused:
        Webhook(receiver.url, lambda: secret).send(BEGINNING, "i-1-5")
    assert secret == "whsec_" or secret not in str(refused.value)
    assert receiver.got == []
