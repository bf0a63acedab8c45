"""The page for a person: who holds, since when, is it healthy and why not, and what the boot took.

For: `/`, read on a phone at night. Guarantees: one document without scripts and without anything to load; every text
is escaped; it reloads itself. Does not: show more than `/state` and `/history`.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from bootstrap.base.state import FileSystemState, TimelineEntry
from bootstrap.base.takeovers import Takeover
from bootstrap.show.view import PastHolder, View

RELOAD_S = 10
HOLDERS_SHOWN = 20
TAKEOVERS_SHOWN = 10

_STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --quiet: #66707a; --line: #d0d7de; --bar: #3b7dd8; }
@media (prefers-color-scheme: dark) {
  :root { --good: #4ac26b; --bad: #ff7b72; --quiet: #9aa4ae; --line: #3d444d; --bar: #6ea8fe; }
}
body { font: 16px/1.45 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .quiet { color: var(--quiet); }
.word { font-size: 1.9rem; font-weight: 700; margin: .2rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
.phase { display: grid; grid-template-columns: 10rem 1fr 4rem; gap: .5rem; align-items: center; margin: .15rem 0; }
.phase span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.track { position: relative; height: .8rem; background: var(--line); border-radius: .2rem; overflow: hidden; }
.bar { position: absolute; top: 0; bottom: 0; min-width: 2px; background: var(--bar); }
.bar.failed { background: var(--bad); }
details { margin: .3rem 0; } summary { overflow-wrap: anywhere; cursor: pointer; }
.holders { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; white-space: nowrap; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 400; }
"""


def page(view: View) -> str:
    """The HTML document."""
    state = view.state
    word, colour = _word(view)
    facts = {
        "Role": _role(view),
        "Address": state.address,
        "Name": state.connection,
        "Zone": state.zone,
        "Instance": state.instance_id,
        "Image": " ".join(filter(None, (state.image_id, state.image_version and f"(version {state.image_version})"))),
        "Interface": f"{state.network_interface_id} {view.network_interface_mac}".strip(),
        "Lease": _lease(view),
        "File system": _file_system(view.file_system),
        "Reason": state.reason,
    }
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(view.service)}: {word}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="refresh" content="{RELOAD_S}"><style>{_STYLE}</style></head><body>',
        f'<h1>{escape(view.service)}</h1><p class="word {colour}">{word}</p><p>{escape(state.sentence)}</p>',
        "<dl>",
        *(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items() if text),
        "</dl>",
        *_boot(state.timeline),
        *_takeovers(view.takeovers),
        *_holders(view.holders),
        f'<p class="quiet">Said at {escape(state.updated_at)}. The page reloads every {RELOAD_S} s. '
        'More: <a href="/state">state</a>, <a href="/history">history</a>, <a href="/metrics">metrics</a>.</p>',
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _word(view: View) -> tuple[str, str]:
    if view.is_ready:
        return ("ready, with a trouble", "bad") if view.state.reason else ("ready", "good")
    if view.state.phase == "ready":
        return ("not ready" if view.role != "holder" else "unhealthy"), "bad"
    return view.state.phase, "quiet" if view.state.phase in ("new", "booting", "stopping", "stopped") else "bad"


def _role(view: View) -> str:
    generation = f" of generation {view.state.generation}" if view.state.generation else ""
    since = f", ready for {_span(view.serves_for_s)}" if view.serves_for_s is not None else ""
    return f"{view.role}{generation}{since}"


def _lease(view: View) -> str:
    if view.age_s is None or view.left_s is None:
        return ""
    return f"renewed {view.age_s:.0f} s ago; without a renewal the fence ends the service in {view.left_s:.0f} s"


def _file_system(seen: FileSystemState | None) -> str:
    if seen is None:
        return ""
    used = f", {seen.used_bytes / 2**30:.1f} GiB in use" if seen.used_bytes is not None else ""
    return f"{seen.id}{used}{'' if seen.options else ', not mounted'}"


def _span(seconds: float) -> str:
    """`seconds` in the two largest units that say something."""
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def _boot(timeline: tuple[TimelineEntry, ...]) -> Iterable[str]:
    if not timeline:
        return
    yield f"<h2>The last boot: {_whole_s(timeline):.1f} s</h2>"
    yield from _phases(timeline)


def _whole_s(timeline: tuple[TimelineEntry, ...]) -> float:
    return max([entry.start_s + entry.duration_s for entry in timeline] + [0.001])


def _phases(timeline: tuple[TimelineEntry, ...]) -> Iterable[str]:
    """A picture: each phase is a bar where it was."""
    whole_s = _whole_s(timeline)
    for entry in timeline:
        left, width = 100 * entry.start_s / whole_s, 100 * entry.duration_s / whole_s
        yield (
            f'<div class="phase"><span>{escape(entry.name)}</span><span class="track" title="{escape(entry.detail)}">'
            f'<span class="bar {escape(entry.outcome)}" style="left:{left:.1f}%;width:{width:.1f}%"></span></span>'
            f"<span>{entry.duration_s:.2f} s</span></div>"
        )


def _takeovers(takeovers: tuple[Takeover, ...]) -> Iterable[str]:
    if not takeovers:
        return
    yield "<h2>Takeovers</h2>"
    for each in takeovers[:TAKEOVERS_SHOWN]:
        former = f"{each.predecessor_id} in {each.predecessor_zone}" if each.predecessor_id else "nobody"
        after = f"ready after {each.ready_after_s:.1f} s" + (f" ({each.ground})" if each.ground else "")
        head = f"{each.at}: {each.instance_id} in {each.zone} from {former}, {after}"
        yield f"<details><summary>{escape(head)}</summary><p>{escape(each.why)}</p>"
        yield from _phases(each.phases)
        yield "</details>"


def _holders(holders: tuple[PastHolder, ...]) -> Iterable[str]:
    if not holders:
        return
    yield '<h2>Holders of the lease</h2><div class="holders"><table><tr>'
    yield "".join(f"<th>{name}</th>" for name in ("Generation", "Instance", "Zone", "Version", "Took over", "Renewed"))
    yield "</tr>"
    for holder in holders[:HOLDERS_SHOWN]:
        told = f"{holder.renewed_at}, released" if holder.is_released else holder.renewed_at
        cells = (str(holder.generation), holder.instance_id, holder.zone, holder.image_version, holder.ground, told)
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    yield "</table></div>"
