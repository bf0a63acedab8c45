"""The picture of one scene as numbers: acknowledged writes, outage, machine start and boot phases on one time axis.

For: templates/report.html draws it. Guarantees: all positions are per cent of the width; every bar has its name and its
seconds as text, so colour is never the only sign. Does not: decide what is good; outcomes are the agent's words.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.report.model import Phase, Scene

_MARKS = {"ok": "", "failed": "✕ ", "late": "! ", "skipped": "- "}
LEAD_S = 3.0  # how much of the time before the event is shown
TAIL_S = 3.0  # and after the last thing of interest


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of the axis, in per cent; `height` in per cent of the row."""

    left: float
    width: float
    height: float = 100.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row with one bar. `kind` chooses the colour, `word` is the outcome for people."""

    name: str
    kind: str
    left: float
    width: float
    value: str
    word: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Everything to draw: rates per second, the gap in them, bars from top to bottom, and ticks (position, text)."""

    event: float
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    rates: tuple[Span, ...] = ()
    top: int = 0
    gap: Span | None = None


def chart(scene: Scene) -> Chart:
    """The whole scene, in seconds since its event."""
    axis = _scene_axis(scene)
    bars = []
    if scene.outage_start_s is not None:
        name = "service away" if scene.zone_from else "until the first write"
        bars.append(_bar(axis, name, "outage", scene.outage_start_s, scene.outage_s))
    if scene.agent_start_s is not None:
        wait_s = scene.agent_start_s - scene.event_s
        if wait_s > 0:
            bars.append(_bar(axis, "until the agent starts", "machine", scene.event_s, wait_s))
        bars += [_phase(axis, phase, scene.agent_start_s) for phase in scene.phases]
    return Chart(
        event=axis.at(axis.zero_s),
        bars=tuple(bars),
        ticks=axis.ticks(),
        rates=_rates(scene, axis),
        top=max(scene.per_second, default=0),
        gap=None if scene.outage_start_s is None else axis.span(scene.outage_start_s, scene.outage_s),
    )


def boot_chart(scene: Scene) -> Chart:
    """The phases alone, from the agent's start, for a scene where that moment is not known."""
    axis = _Axis(0.0, 0.0, max((phase.start_s + phase.duration_s for phase in scene.phases), default=0.0))
    return Chart(event=0.0, bars=tuple(_phase(axis, phase, 0.0) for phase in scene.phases), ticks=axis.ticks())


class _Axis:
    """Maps seconds of the run to per cent of the width; counts from `zero_s`."""

    def __init__(self, zero_s: float, from_s: float, until_s: float) -> None:
        self.zero_s = zero_s
        self.from_s = from_s
        self.until_s = max(from_s + 1.0, until_s)

    def at(self, seconds: float) -> float:
        share = (seconds - self.from_s) / (self.until_s - self.from_s)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def span(self, start_s: float, duration_s: float) -> Span:
        left = self.at(start_s)
        return Span(left=left, width=round(self.at(start_s + duration_s) - left, 2))

    def ticks(self) -> tuple[tuple[float, str], ...]:
        length_s = self.until_s - self.zero_s
        step_s = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120) if length_s / step <= 7), 300)
        return tuple((self.at(self.zero_s + n * step_s), f"{n * step_s} s") for n in range(int(length_s / step_s) + 1))


def _scene_axis(scene: Scene) -> _Axis:
    ends_s = [scene.event_s + 1.0, (scene.outage_start_s or scene.event_s) + scene.outage_s]
    if scene.agent_start_s is not None:
        ends_s += [scene.agent_start_s + phase.start_s + phase.duration_s for phase in scene.phases]
    begins_s = [scene.event_s - LEAD_S]
    if scene.outage_start_s is not None:
        begins_s.append(scene.outage_start_s)
    until_s = min(max(scene.end_s, *ends_s), max(ends_s) + TAIL_S)
    return _Axis(scene.event_s, max(scene.start_s, min(begins_s)), until_s)


def _rates(scene: Scene, axis: _Axis) -> tuple[Span, ...]:
    top = max(scene.per_second, default=0) or 1
    seconds = [(axis.span(scene.start_s + second, 1.0), count) for second, count in enumerate(scene.per_second)]
    return tuple(
        Span(left=whole.left, width=round(0.85 * whole.width, 2), height=round(100 * count / top, 1))
        for whole, count in seconds
        if whole.width > 0
    )


def _phase(axis: _Axis, phase: Phase, agent_start_s: float) -> Bar:
    known = phase.outcome if phase.outcome in _MARKS else "failed"
    word = f"{_MARKS.get(phase.outcome, '? ')}{phase.outcome}"
    return _bar(axis, phase.name, known, agent_start_s + phase.start_s, phase.duration_s, word, phase.detail, digits=2)


def _bar(
    axis: _Axis, name: str, kind: str, start_s: float, duration_s: float, word: str = "", detail: str = "", *,
    digits: int = 1,
) -> Bar:  # fmt: skip
    left = min(axis.at(start_s), 99.5)
    width = max(0.0, round(axis.at(start_s + duration_s) - left, 2))
    value = f"{duration_s:.{digits}f} s"
    return Bar(name=name, kind=kind, left=left, width=width, value=value, word=word, detail=detail)
