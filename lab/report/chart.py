"""The picture of one scene: acknowledged writes, outage, machine start and boot phases on one time axis.

For: `lab.report.report_html`. Guarantees: well-formed markup, every bar has its name and its seconds as text, colour is
never the only sign. Does not: decide what is good; outcomes are the agent's words.
"""

from __future__ import annotations

from html import escape

from lab.report.model import Phase, Scene

_MARKS = {"ok": "", "failed": "✕ ", "late": "! ", "skipped": "- "}
LEAD_S = 3.0  # how much of the time before the event is shown
TAIL_S = 3.0  # and after the last thing of interest


def chart(scene: Scene) -> str:
    """The scene's rows, from the top: writes per second, outage, machine start, phases, axis."""
    axis = _scene_axis(scene)
    rows = []
    if scene.per_second:
        rows.append(_row("acknowledged writes per second", _writes(scene, axis), f"up to {max(scene.per_second)} / s"))
    if scene.outage_start_s is not None:
        rows.append(_bar_row("service away" if scene.zone_from else "until the first write", "outage",
                             axis, scene.outage_start_s, scene.outage_s, f"{scene.outage_s:.1f} s"))  # fmt: skip
    if scene.agent_start_s is not None:
        wait_s = scene.agent_start_s - scene.event_s
        if wait_s > 0:
            rows.append(_bar_row("until the agent starts", "machine", axis, scene.event_s, wait_s, f"{wait_s:.1f} s"))
        rows += [_phase_row(phase, axis, scene.agent_start_s) for phase in scene.phases]
    return "\n".join([*rows, axis.row()])


def boot_chart(scene: Scene) -> str:
    """The phases alone, from the agent's start, for a scene where that moment is not known."""
    axis = _Axis(0.0, 0.0, max((phase.start_s + phase.duration_s for phase in scene.phases), default=0.0))
    return "\n".join([*(_phase_row(phase, axis, 0.0) for phase in scene.phases), axis.row()])


def _scene_axis(scene: Scene) -> _Axis:
    ends_s = [scene.event_s + 1.0, (scene.outage_start_s or scene.event_s) + scene.outage_s]
    if scene.agent_start_s is not None:
        ends_s += [scene.agent_start_s + phase.start_s + phase.duration_s for phase in scene.phases]
    begins_s = [scene.event_s - LEAD_S]
    if scene.outage_start_s is not None:
        begins_s.append(scene.outage_start_s)
    until_s = min(max(scene.end_s, *ends_s), max(ends_s) + TAIL_S)
    return _Axis(scene.event_s, max(scene.start_s, min(begins_s)), until_s)


class _Axis:
    """Maps seconds of the run to per cent of the width; counts from `zero_s`."""

    def __init__(self, zero_s: float, from_s: float, until_s: float) -> None:
        self.zero_s = zero_s
        self.from_s = from_s
        self.until_s = max(from_s + 1.0, until_s)

    def at(self, seconds: float) -> float:
        share = (seconds - self.from_s) / (self.until_s - self.from_s)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def row(self) -> str:
        length_s = self.until_s - self.zero_s
        step_s = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120) if length_s / step <= 7), 300)
        marks = [(self.at(self.zero_s + n * step_s), f"{n * step_s} s") for n in range(int(length_s / step_s) + 1)]
        ticks = "".join(f'<span style="left:{left}%">{text}</span>' for left, text in marks)
        return f'<div class="row empty"><span></span><div class="axis">{ticks}</div><span></span></div>'


def _writes(scene: Scene, axis: _Axis) -> str:
    top = max(scene.per_second, default=0) or 1
    parts = []
    if scene.outage_start_s is not None:
        left = axis.at(scene.outage_start_s)
        width = round(axis.at(scene.outage_start_s + scene.outage_s) - left, 2)
        parts.append(f'<rect class="gap" x="{left}" y="0" width="{width}" height="100"/>')
    for second, count in enumerate(scene.per_second):
        left, right = axis.at(scene.start_s + second), axis.at(scene.start_s + second + 1)
        if count and right > left:
            height = round(100 * count / top, 1)
            parts.append(
                f'<rect class="rate" x="{left}" y="{round(100 - height, 1)}" '
                f'width="{round(0.85 * (right - left), 2)}" height="{height}"/>'
            )
    label = escape(f"acknowledged writes per second in scene {scene.name}", quote=True)
    svg = (
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
    return f'<div class="track writes">{svg}<div class="event" style="left:{axis.at(axis.zero_s)}%"></div></div>'


def _phase_row(phase: Phase, axis: _Axis, agent_start_s: float) -> str:
    word = escape(phase.outcome)
    known = phase.outcome if phase.outcome in _MARKS else "failed"
    value = f'{phase.duration_s:.2f} s <span class="word-{known}">{_MARKS.get(phase.outcome, "? ")}{word}</span>'
    row = _bar_row(phase.name, known, axis, agent_start_s + phase.start_s, phase.duration_s, value, phase.detail)
    return row + (f'<p class="detail">{escape(phase.detail)}</p>' if phase.detail and phase.outcome != "ok" else "")


def _bar_row(name: str, kind: str, axis: _Axis, start_s: float, duration_s: float, value: str, detail: str = "") -> str:
    left = min(axis.at(start_s), 99.5)
    width = round(axis.at(start_s + duration_s) - left, 2)
    hint = escape(f"{name}: {detail}" if detail else name, quote=True)
    bar = f'<div class="bar {kind}" style="left:{left}%;width:{max(width, 0)}%" title="{hint}"></div>'
    return _row(name, f'<div class="track">{bar}</div>', value)


def _row(name: str, middle: str, value: str) -> str:
    return f'<div class="row"><span>{escape(name)}</span>{middle}<span>{value}</span></div>'
