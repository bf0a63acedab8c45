"""The two pictures of a scene as numbers: the outage among the acknowledged writes, and the phases of the boot.

For: templates/report.html draws them. Guarantees: all positions are per cent of the width; every bar has its name and
its seconds as text, so colour is never the only sign. Does not: decide what is good; outcomes are the agent's words.
"""

from dataclasses import dataclass

from lab.report.model import Phase, Scene

_MARKS = {"ok": "", "failed": "✕ ", "late": "! ", "skipped": "- "}
MARGIN_S = 3.0  # shown before the event and after the outage


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar, `left` and `width` in per cent. `kind` chooses the colour; `word` is the outcome for people."""

    name: str
    kind: str
    left: float
    width: float
    value: str
    word: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The acknowledged writes of one second; `height` is per cent of the busiest one's."""

    left: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Everything to draw on one axis: rates per second, the event, bars from the top, and ticks (position, text)."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    event: float = 0.0
    rates: tuple[Rate, ...] = ()
    top_rate: int = 0

    @property
    def label(self) -> str:
        """What the picture of the rates shows, for whoever cannot see it."""
        away = self.bars[0]
        return f"acknowledged writes per second, up to {self.top_rate}; {away.name}: {away.value}"


def outage_chart(scene: Scene) -> Chart:
    """Writes per second and the outage, in seconds since the event. Only for a scene that has an outage."""
    start_s = scene.event_s if scene.outage_start_s is None else scene.outage_start_s
    end_s = max(start_s + scene.outage_s, scene.event_s + 1.0)
    from_s = max(scene.start_s, min(start_s, scene.event_s - MARGIN_S))
    axis = _Axis(scene.event_s, from_s, min(max(scene.end_s, end_s), end_s + MARGIN_S))
    name = "service away" if scene.zone_from else "until the first write"
    away = axis.bar(name, "outage" if scene.zone_from else "part", start_s, scene.outage_s, f"{scene.outage_s:.1f} s")
    parts = (
        axis.bar(part.name, "part", scene.event_s + part.start_s, part.duration_s, f"{part.duration_s:.1f} s")
        for part in scene.parts
    )
    return Chart(
        bars=(away, *parts),
        ticks=axis.ticks(),
        event=axis.at(scene.event_s),
        rates=_rates(scene, axis),
        top_rate=max(scene.per_second, default=0),
    )


def phases_chart(scene: Scene) -> Chart:
    """The phases, in seconds since the first one began."""
    axis = _Axis(0.0, 0.0, max((phase.start_s + phase.duration_s for phase in scene.phases), default=0.0))
    return Chart(bars=tuple(_phase(axis, phase) for phase in scene.phases), ticks=axis.ticks())


class _Axis:
    """Maps seconds to per cent of the width; ticks count from `zero_s`."""

    def __init__(self, zero_s: float, from_s: float, until_s: float) -> None:
        self.zero_s = zero_s
        self.from_s = from_s
        self.until_s = max(from_s + 1.0, until_s)

    def at(self, seconds: float) -> float:
        share = (seconds - self.from_s) / (self.until_s - self.from_s)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def bar(self, name: str, kind: str, start_s: float, duration_s: float, value: str, **words: str) -> Bar:
        left = min(self.at(start_s), 99.5)
        width = max(0.0, round(self.at(start_s + duration_s) - left, 2))
        return Bar(name=name, kind=kind, left=left, width=width, value=value, **words)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        length_s = self.until_s - self.zero_s
        step_s = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120) if length_s / step <= 7), 300)
        return tuple((self.at(self.zero_s + n * step_s), f"{n * step_s} s") for n in range(int(length_s / step_s) + 1))


def _rates(scene: Scene, axis: _Axis) -> tuple[Rate, ...]:
    top = max(scene.per_second, default=0) or 1
    edges = [axis.at(scene.start_s + second) for second in range(len(scene.per_second) + 1)]
    return tuple(
        Rate(left=left, width=round(0.85 * (right - left), 2), height=round(100 * count / top, 1))
        for left, right, count in zip(edges, edges[1:], scene.per_second, strict=False)
        if right > left
    )


def _phase(axis: _Axis, phase: Phase) -> Bar:
    kind = phase.outcome if phase.outcome in _MARKS else "failed"
    word = f"{_MARKS.get(phase.outcome, '? ')}{phase.outcome}"
    value = f"{phase.duration_s:.2f} s"
    return axis.bar(phase.name, kind, phase.start_s, phase.duration_s, value, word=word, detail=phase.detail)
