"""The report as one HTML page, for a stranger.

For: `build/demo/report.html`. Guarantees: self-contained (no script, nothing loaded), well-formed as XML after the
doctype, both colour schemes, narrow screens; whole file or none. Does not: compute anything but sums for display.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from lab.report.chart import boot_chart, chart
from lab.report.model import Report, Scene, one_line, sentence
from lab.report.report_json import write_whole
from lab.report.style import CSS


def render(report: Report) -> str:
    """The page."""
    title = escape(f"{report.service}: recovery report")
    parts = [_top(report), *(_scene(scene) for scene in report.scenes), _proof(report), _repeat(report)]
    if report.events:
        parts.append(_log(report))
    page = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )
    return "\n".join(one_line(line) for line in page.split("\n"))


def write_html(report: Report, path: Path) -> None:
    """Write the page to `path`, whose directory is made where missing. Raises OSError."""
    write_whole(path, render(report))


def _top(report: Report) -> str:
    healings = [scene for scene in report.scenes if scene.zone_from]
    healed = sum(scene.healed for scene in report.scenes)
    if report.findings:
        head = '<h1 class="bad">Not proven: something went wrong.</h1>'
        head += "<ul>" + "".join(f"<li>{escape(finding)}</li>" for finding in report.findings) + "</ul>"
    else:
        head = "<h1>The service came back every time, and nothing it had acknowledged was lost.</h1>"
    longest = f"{max(scene.outage_s for scene in healings):.1f} s" if healings else "none"
    numbers = (
        (f"{healed} of {len(report.scenes)}", "scenes went well"),
        (longest, "longest outage seen by clients"),
        (f"{report.acknowledged:,}", "acknowledged writes"),
        (f"{report.lost:,}", "of them lost"),
    )
    cells = "".join(f'<div><b>{escape(value)}</b><span class="soft">{label}</span></div>' for value, label in numbers)
    return (
        f'<header><p class="soft">{escape(report.service)} as <code>{escape(report.record_name)}</code>, '
        f"{escape(report.started_at)}, {report.duration_s:.0f} s in all</p>{head}"
        "<p>Real Linux machines on one computer played an AWS region: the deployed template made the network "
        "interfaces, the file system, the name and the group; each scene below did something to the running instance "
        f'while clients went on writing to it by name.</p><div class="numbers">{cells}</div></header>'
    )


def _scene(scene: Scene) -> str:
    state = f"back after {scene.outage_s:.1f} s" if scene.zone_from else f"up after {scene.outage_s:.1f} s"
    if not scene.zone_to:
        state = f"done in {scene.end_s - scene.event_s:.1f} s"
    badge = f'<span class="good">✓ {state}</span>' if scene.healed else '<span class="bad">✕ did not come back</span>'
    name = scene.name.replace("-", " ")
    facts = [
        ("zone", _change(scene.zone_from, scene.zone_to)),
        ("machine", _change(scene.instance_from, scene.instance_to)),
        ("image", _change(scene.ami_from, scene.ami_to)),
        ("address", _held(scene)),
        ("lease", _generation(scene)),
    ]
    return (
        f'<section><div class="title"><h2>{escape(name[:1].upper() + name[1:])}</h2>{badge}</div>'
        f"<p>{_unbroken(escape(sentence(scene)))}</p>{_table((k, v) for k, v in facts if v)}"
        f"<h3>Seconds since it happened</h3>{chart(scene)}{_boot(scene)}</section>"
    )


def _boot(scene: Scene) -> str:
    if scene.agent_start_s is not None or not scene.phases:
        return ""
    return f"<h3>The new machine's boot, seconds since its agent started</h3>{boot_chart(scene)}"


def _change(old: str, new: str) -> str:
    if not new:
        return ""
    if not old:
        return _id(new)
    if old == new:
        return f"{_id(new)} as before"
    return f"{_id(old)} → {_id(new)}"


def _id(text: str) -> str:
    return f'<code class="id">{escape(text)}</code>'


def _held(scene: Scene) -> str:
    if not scene.address:
        return ""
    by = f", network interface <code>{escape(scene.network_interface)}</code>" if scene.network_interface else ""
    if scene.record_value == scene.address:
        return f"<code>{escape(scene.address)}</code>{by}; the name points at it"
    value = escape(scene.record_value or "nothing")
    return f'<code>{escape(scene.address)}</code>{by}; <span class="bad">the name points at {value}</span>'


def _generation(scene: Scene) -> str:
    if not scene.generation_to:
        return ""
    before = f"after {scene.generation_from}" if scene.generation_from else "the first"
    return f"generation {scene.generation_to}, {before}"


def _proof(report: Report) -> str:
    same = '<span class="good">✓ the same</span>' if report.same_template else '<span class="bad">✕ not the same</span>'
    rows = [
        ("synthesized", f"<code>{escape(report.template_sha256 or 'unknown')}</code>"),
        ("deployed", f"<code>{escape(report.deployed_sha256 or 'unknown')}</code>"),
    ]
    return (
        f'<section><div class="title"><h2>What was deployed</h2>{same}</div>'
        "<p>SHA-256 of the template that <code>cdk synth</code> wrote and of the one that the lab's CloudFormation was "
        f"given.</p>{_table(rows)}</section>"
    )


def _repeat(report: Report) -> str:
    commands = escape("\n".join(report.commands))
    rows = [("this computer", escape(report.machine))] if report.machine else []
    rows += [(escape(name), escape(version)) for name, version in report.versions.items()]
    cached = f"A client behind a caching resolver may see a move up to {report.record_ttl_s} s later"
    return (
        f"<section><h2>Repeat it</h2><pre><code>{commands}</code></pre>{_table(rows)}"
        "<h3>How it is measured</h3><p>An outage is the longest time between one acknowledged write and the next, over "
        "all clients together, that something done in a scene caused. A write is acknowledged when the client has "
        "received HTTP 204; it is lost when the service, asked at the end, no longer has it. The clients ask for the "
        f"name before every write. {cached} (the record's TTL). A phase that is late passed its own deadline without "
        "holding up the start. Times are those of this computer, not of AWS.</p></section>"
    )


def _unbroken(text: str) -> str:
    return re.sub(r"(\d) s\b", "\\1&#160;s", text)


def _log(report: Report) -> str:
    rows = [(f"{event.at_s:.1f} s", escape(event.sentence)) for event in report.events]
    return (
        f"<section><details><summary>Everything that happened ({len(rows)})</summary>{_table(rows)}</details></section>"
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{body}</table>" if body else ""
