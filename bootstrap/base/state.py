"""The state that an instance reports: its shape, its text, where it is shown, and which of two states may stand in the
state parameter.

For: the agent, which writes it to a file and to the state parameter; the operator's command and the lab, which read it.
Guarantees: pure; the text is never longer than the parameter holds; a text of an older or newer version is read as far
as it is understood. Does not: read or write anything, or take part in any decision about the service.
Source: Systems Manager API reference PutParameter (a standard parameter holds 4 KiB).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from bootstrap.base.codec import DecodeError, decode, encode
from bootstrap.base.values import Limits, OptionalPath, Port

LARGEST_TEXT_BYTES = 4096

Phase = Literal["new", "booting", "ready", "unhealthy", "stopping", "stopped", "failed"]  # "new": the stack's own value
ARRIVING: tuple[Phase, ...] = ("booting", "ready")
Outcome = Literal["ok", "failed", "skipped", "late"]


@dataclass(frozen=True, kw_only=True)
class StateServerSettings:
    """How the agent shows its state over HTTP. The service file takes fields and defaults from here."""

    port: Annotated[
        Port,
        Limits(
            says="Where the agent answers /ready, /state, /metrics and /; `ports` says who may reach it, if anybody"
        ),
    ] = 9480
    token_file: Annotated[
        OptionalPath,
        Limits(says="A file of the image whose text callers must bring as a bearer token; /live and /ready need none"),
    ] = ""
    tls_file: Annotated[
        OptionalPath, Limits(says="A PEM file of the image with certificate, chain and private key; without it no TLS")
    ] = ""


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One phase of a run: seconds since the agent started, and how it ended."""

    name: str
    start_s: float
    duration_s: float
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class FileSystemState:
    """The file system of the data. Its sizes are those of the last look at its marker, None before; `options` are those
    in force now, "" where it is not mounted."""

    id: str
    options: str
    total_bytes: int | None = None
    used_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What an instance says of itself. `connection` is what clients connect to (a DNS name), `generation` that of the
    lease (0 before it is held), `reason` the stable word of a failure."""

    phase: Phase = "new"
    sentence: str = ""
    instance_id: str = ""
    zone: str = ""
    image_id: str = ""
    image_version: str = ""
    network_interface_id: str = ""
    address: str = ""
    connection: str = ""
    generation: int = 0
    reason: str = ""
    updated_at: str = ""  # wall time, for people
    timeline: tuple[TimelineEntry, ...] = ()


def render_state(state: State, limit: int = LARGEST_TEXT_BYTES) -> str:
    """The state as one JSON document of at most `limit` bytes: the details of the timeline are dropped first, then the
    end of the sentence."""
    text = encode(state)
    if len(text) > limit:
        state = replace(state, timeline=tuple(replace(entry, detail="") for entry in state.timeline))
        text = encode(state)
    excess = len(text) - limit  # the text is ASCII, so characters are bytes
    if excess > 0:
        kept = max(0, len(state.sentence) - excess - len("..."))  # a character is at least one byte
        text = encode(replace(state, sentence=state.sentence[:kept] + "..."))
    return text


def parse_state(text: str) -> State | None:
    """The state in `text`, None where it is not one."""
    try:
        return decode(State, text, unknown_keys="ignore")
    except DecodeError:
        return None


def may_replace(present: State | None, leaving: State) -> bool:
    """Whether the state of an instance that is leaving may replace the one that is there: not that of a successor."""
    return present is None or present.instance_id == leaving.instance_id or present.phase not in ARRIVING


def is_displaced(present: State | None, mine: State) -> bool:
    """Whether `mine`, of an instance that serves, was written over by an instance that holds no newer lease."""
    if mine.phase != "ready" or present is None:
        return mine.phase == "ready"
    return present.instance_id != mine.instance_id and present.generation <= mine.generation
