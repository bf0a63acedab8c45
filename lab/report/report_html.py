"""The report as one HTML page, for a stranger.

For: `build/demo/report.html`. Guarantees: self-contained (no script, nothing loaded), well-formed as XML after the
doctype, every text escaped, both colour schemes, narrow screens; whole file or none. Does not: compute anything but
sums for display. The page itself is templates/report.html.
"""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bootstrap.base.files import replace_file
from lab.report.chart import outage_chart, phases_chart
from lab.report.model import Report, one_line, sentence, took

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(report: Report) -> str:
    versions = [*([("this computer", report.machine)] if report.machine else []), *report.versions.items()]
    page = _PAGES.get_template("report.html").render(report=report, numbers=_numbers(report), versions=versions)
    return "\n".join(one_line(line) for line in page.strip().split("\n")) + "\n"


def write_html(report: Report, path: Path) -> None:
    """Write the page to `path`, whose directory is made where missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, render(report))


def _numbers(report: Report) -> list[tuple[str, str]]:
    outages_s = [scene.outage_s for scene in report.scenes if scene.zone_from]
    return [
        (f"{sum(scene.healed for scene in report.scenes)} of {len(report.scenes)}", "scenes went well"),
        (f"{max(outages_s):.1f} s" if outages_s else "none", "longest outage that clients saw"),
        (f"{report.acknowledged:,}", "acknowledged writes"),
        (f"{report.lost:,}", "of them lost"),
    ]


def _unbroken(text: str) -> Markup:
    """Escaped, and no line break between a figure and its unit."""
    return Markup(re.sub(r"(\d) s\b", "\\1&#160;s", str(escape(text))))


_PAGES.filters |= {
    "outage_chart": outage_chart,
    "phases_chart": phases_chart,
    "result": took,
    "sentence": sentence,
    "unbroken": _unbroken,
}
