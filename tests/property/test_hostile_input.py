"""Whatever a reader is given, it answers with a good value or with its own error, which says what to do.

Each reader gets thousands of spoiled texts, half of them from a fixed seed and half from one that is drawn, and every
file of tests/corpus/READER. A text that was once read wrongly is kept there.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.base.codec import decode, encode
from bootstrap.base.document import parse_tree, parse_user_data, render_user_data
from bootstrap.base.errors import AgentError, BadBootDocument, SurroundingsError
from bootstrap.base.site import at_site
from bootstrap.base.state import State, TimelineEntry, may_replace, parse_state
from bootstrap.base.takeovers import Takeover, parse_takeovers, render_takeover
from bootstrap.base.timing import LeaseTiming, findings
from bootstrap.cloud.imds import FORMS, Answer, MetadataService
from bootstrap.cloud.notices import scheduled_events
from bootstrap.fence.protocol import FenceAnswer, FenceRequest, decode_answer, decode_request
from bootstrap.fence.rules import FenceMemory
from bootstrap.fence.run_files import FenceState, RunFiles
from bootstrap.lease.rules.record import new_record, parse_record, render_record
from bootstrap.run.kinds import KINDS
from bootstrap.show.server import reply
from bootstrap.show.view import View
from rollout.errors import PreconditionError
from rollout.history import Promotion, read_history
from services.findings import ServiceFileError
from services.load import read_service
from tests.kit.clock import FakeClock
from tests.kit.documents import document_tree
from tests.kit.lease import TIMING, applicant
from tests.kit.mutations import mutated

CORPUS = Path(__file__).parents[1] / "corpus"
MUTATIONS = 5_000  # per reader and seed
SERVICE = b"""\
name: monitor
region: us-east-1
zones: [us-east-1a, us-east-1b]
instance: {type: t3.small, ami: ami-0123456789abcdef0}
dns: {zone: example.internal, record: monitor.example.internal, ttl_s: 10}
file_system:
  directories:
    - {source: lib, target: /var/lib/monitor, mode: "0750"}
service:
  units: [monitor.service]
  start_timeout_s: 60.5
  health:
    checks: [{kind: http, url: "http://127.0.0.1:8080/"}]
ports:
  - port: 8080
    allow_from: [10.0.0.0/16]
addresses: {us-east-1a: 10.0.100.12}
lease: {renew_deadline_s: 45}
"""
REQUEST = FenceRequest(verb="hold", generation=7, nonce="n", deadline_s=45.5, mounts=("/var/lib/demo",))
MEMORY = FenceMemory(generation=7, deadline_s=45.5)
ENTRY = TimelineEntry(name="mount", start_s=0.5, duration_s=1.5, outcome="ok")
STATE = State(phase="ready", sentence="serves", instance_id="i-1", generation=7, timeline=(ENTRY,))
DOCUMENT = parse_tree(document_tree(), KINDS)
SITE = {key: document_tree()[key] for key in ("group", "zones", "connection")}
VIEW = View(service="monitor", role="holder", is_ready=True, is_healthy=True, state=STATE)
TOOK_OVER = Takeover(
    generation=7,
    at="2026-01-01T00:00:00Z",
    instance_id="i-1",
    zone="us-east-1a",
    image_id="ami-1",
    image_version="1",
    ready_after_s=2.5,
    phases=(ENTRY,),
)
PROMOTION = Promotion(at="2026-01-01T00:00:00+00:00", from_version=1, to_version=2, image_id="ami-1")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """`read` gets a text; it returns a value, None for "none", or raises one of `errors`."""

    good: bytes
    read: Callable[[bytes, Path], Any]
    errors: tuple[type[Exception], ...] = ()
    is_good: Callable[[Any], bool] = lambda _: True


def read_run_files(text: bytes, directory: Path) -> Any:
    (directory / "fence.json").write_bytes(text)
    return RunFiles(directory).restore()


def read_rollouts(text: bytes, _: Path) -> Any:
    answer = {"Parameter": {"Value": text.decode(errors="replace")}}
    ssm = SimpleNamespace(get_parameter=lambda **_: answer, exceptions=SimpleNamespace(ParameterNotFound=KeyError))
    clients: Any = SimpleNamespace(ssm=ssm)
    return read_history(clients, "monitor")


def read_metadata(text: bytes, _: Path) -> Any:
    """The metadata service gives this text for everything, or for everything but the token."""
    body = text.decode(errors="replace")

    def transport(method: str, _path: str, _headers: dict[str, str], _timeout_s: float) -> Answer:
        return Answer(status=200, body="token" if method == "PUT" and len(body) % 2 else body)

    clock = FakeClock()
    service = MetadataService(clock, transport)
    return [service.read(path, clock.deadline(1)) for path in FORMS]


def is_possible(timing: LeaseTiming) -> bool:
    return all(0 < value_s <= 7200 for value_s in asdict(timing).values())


class Says:
    """A metadata service with one answer."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self, _path: str, _deadline: object) -> str:
        return self._text


SCHEDULED_REBOOT = {"NotBefore": "21 Jan 2019 09:00:43 GMT", "Code": "system-reboot", "State": "active"}
READERS = {
    "service-file": Reader(
        good=SERVICE,
        read=lambda text, _: read_service(text, source="x.yaml"),
        errors=(ServiceFileError,),
        is_good=lambda file: 0 < file.boot_s <= 172_800 and all(0 < port.port < 65536 for port in file.ports),
    ),
    "boot-document": Reader(
        good=render_user_data(json.dumps(document_tree())).encode(),
        read=lambda text, _: parse_user_data(text.decode(errors="replace"), KINDS),
        errors=(BadBootDocument,),
        is_good=lambda document: document.zones and findings(document.lease.timing) == [],
    ),
    "site": Reader(
        good=json.dumps(SITE).encode(),
        read=lambda text, _: at_site(DOCUMENT, text.decode(errors="replace"), KINDS),
        errors=(BadBootDocument,),
        is_good=lambda document: document.zones and document.service == DOCUMENT.service,
    ),
    "notice": Reader(
        good=json.dumps([SCHEDULED_REBOOT]).encode(),
        read=lambda text, _: scheduled_events(Says(text.decode(errors="replace")), FakeClock().deadline(5)),  # type: ignore[arg-type]
        errors=(SurroundingsError,),
        is_good=lambda sentence: len(sentence) < 800 and sentence.isprintable(),
    ),
    "lease-record": Reader(
        good=render_record(new_record(applicant(), TIMING, generation=7, nonce="n")).encode(),
        read=lambda text, _: parse_record(text.decode(errors="replace"), 7),
        is_good=lambda found: found.generation == 7 and 0 < found.lease_duration_s <= 7200 and found.renewals >= 0,
    ),
    "fence-request": Reader(
        good=encode(REQUEST).encode(),
        read=lambda text, _: decode_request(text),
        errors=(ValueError,),
        is_good=lambda request: is_possible(request.timing) and 0 <= request.deadline_s <= 1e9,
    ),
    "fence-answer": Reader(
        good=encode(FenceAnswer(is_accepted=True, sentence="guarded", deadline_s=45.5)).encode(),
        read=lambda text, _: decode_answer(text),
        errors=(ValueError,),
    ),
    "fence-state": Reader(
        good=encode(FenceState(request=REQUEST, memory=MEMORY)).encode(),
        read=read_run_files,
        errors=(ValueError,),
        is_good=lambda found: is_possible(found[0].timing) and found[1].generation >= 0,
    ),
    "state-request": Reader(
        good=b"GET /state?a HTTP/1.1\r\nHost: 10.0.100.10:9480\r\nAuthorization: Bearer token\r\n\r\n",
        read=lambda text, _: reply(text, "token", lambda: VIEW),
        is_good=lambda response: response == b"" or (response.startswith(b"HTTP/1.0 ") and len(response) < 4000),
    ),
    "state": Reader(
        good=encode(STATE).encode(),
        read=lambda text, _: parse_state(text.decode(errors="replace")),
        is_good=lambda state: (
            may_replace(state, STATE) in (True, False) and decode(State, encode(state), unknown_keys="refuse") == state
        ),
    ),
    "takeovers": Reader(
        good="\n".join([render_takeover(TOOK_OVER)] * 2).encode(),
        read=lambda text, _: parse_takeovers(text.decode("ascii", errors="replace")),
        is_good=lambda found: all(parse_takeovers(render_takeover(each))[0].generation >= 0 for each in found),
    ),
    "rollouts": Reader(
        good=json.dumps([asdict(PROMOTION)] * 2).encode(),
        read=read_rollouts,
        errors=(PreconditionError,),
        is_good=lambda history: all(entry.from_version > 0 and entry.to_version > 0 for entry in history),
    ),
    "metadata": Reader(
        good=b"i-0123456789abcdef0",
        read=read_metadata,
        errors=(SurroundingsError,),
        is_good=lambda answers: all(form.fullmatch(a.strip()) for form, a in zip(FORMS.values(), answers, strict=True)),
    ),
}


def judge(reader: Reader, text: bytes, directory: Path) -> str:
    """What is wrong with how `text` was read; "" when nothing is."""
    try:
        value = reader.read(text, directory)
    except reader.errors as error:
        return complaint(error)
    except Exception as error:  # whatever it is, it is not the reader's own
        return f"{type(error).__name__}: {error}"
    return "" if value is None or reader.is_good(value) else f"accepted as {value!r}"


def complaint(error: Exception) -> str:
    said = str(error)
    if isinstance(error, ServiceFileError):
        unhelpful = [each for each in error.findings if not (each.path and each.problem and each.remedy)]
        return f"unhelpful: {unhelpful}" if unhelpful or "Input should" in said or "pydantic" in said else ""
    if isinstance(error, AgentError) and not error.remedy:
        return "it has no remedy"
    return "" if said.isprintable() and len(said) < 20_000 else f"no line that people can read: {said!r:.500}"


def spoiled(good: bytes, seed: int) -> Iterator[bytes]:
    draw = random.Random(seed)
    for _ in range(MUTATIONS):
        yield mutated(good, draw)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_with_a_good_value_or_with_its_own_error(name: str, tmp_path: Path) -> None:
    reader, drawn = READERS[name], random.SystemRandom().randrange(2**32)
    if name != "metadata":  # which gives one text for answers of five forms
        assert reader.is_good(reader.read(reader.good, tmp_path)), "the text that is spoiled is a good one"
    kept = sorted((CORPUS / name).iterdir())
    assert kept, "every reader has at least one text that was read wrongly once"
    for file in kept:
        assert judge(reader, file.read_bytes(), tmp_path) == "", file.name
    for seed in (1, drawn):
        for text in spoiled(reader.good, seed):
            wrong = judge(reader, text, tmp_path)
            assert wrong == "", f"seed {seed}: {wrong}; keep it in {CORPUS / name}: {text!r:.3000}"
