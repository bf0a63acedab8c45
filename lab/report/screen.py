"""Draws the running lab as one screen of text. Pure.

For: `lab.report.live` shows it in place. Guarantees: exactly the number of lines asked for, none wider than asked for,
so nothing wraps or jumps; words tell the state, and colour only repeats them. Does not: touch the terminal.
"""

from rich.cells import cell_len
from rich.text import Text

from lab.report.model import InterfaceRow, MachineRow, Snapshot, one_line

AWAY_S = 1.0  # a longer time without an acknowledged write is shown as an outage
MACHINE_ROWS = 4
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = ".:-=+*%#"
_SCENE_SIGNS = {"done": "✓", "failed": "✕", "now": "▶", "": "·"}
_PLAIN_SCENE_SIGNS = {"done": "+", "failed": "x", "now": ">", "": "."}
_SCENE_STYLE = {"done": "green", "failed": "bold red", "now": "bold", "": "dim"}
_LIFECYCLE_STYLE = {"InService": "green", "Terminated": "dim", "": "dim"}


def screen(snapshot: Snapshot, width: int, height: int, *, unicode: bool = True) -> Text:
    """The screen of `height` lines of at most `width` cells."""
    lines = [
        _header(snapshot, width),
        Text(f" {one_line(snapshot.doing)}"),
        _scenes(snapshot, unicode=unicode),
        *_machines(snapshot.machines),
        Text(),
        *_interfaces(snapshot),
        Text(),
        *_writes(snapshot, width, unicode=unicode),
        Text(),
    ]
    room = height - len(lines) - 1
    if room > 0:
        lines.append(_heading("what happened"))
        shown = snapshot.events[-room:]
        lines += [Text(f" {event.at_s:6.1f} s  {one_line(event.sentence)}") for event in shown]
    lines = [*lines, *[Text()] * height][:height]
    for line in lines:
        line.truncate(width, overflow="ellipsis" if unicode else "crop")
    return Text("\n", no_wrap=True, end="").join(lines)


def _header(snapshot: Snapshot, width: int) -> Text:
    left, right = f" soloist lab   {snapshot.scene}", f"{snapshot.now_s:7.1f} s "
    room = max(0, width - cell_len(left) - cell_len(right))
    return Text(left + " " * room + right, style="bold reverse")


def _scenes(snapshot: Snapshot, *, unicode: bool) -> Text:
    """All scenes of the run on one line, each with its state as a sign; empty where no plan is known."""
    signs = _SCENE_SIGNS if unicode else _PLAIN_SCENE_SIGNS
    line = Text()
    for name, state in snapshot.scenes:
        line.append(f" {signs[state]} {name} ", style=_SCENE_STYLE[state])
    return line


def _heading(text: str) -> Text:
    return Text(f" {text}", style="bold")


def _machines(machines: tuple[MachineRow, ...]) -> list[Text]:
    titles = ("machine", "zone", "image", "state", "in the group", "age")
    lines = [_columns(titles, "bold")]
    # The newest are the interesting ones; a fixed number of rows keeps everything below in its place.
    shown = sorted(machines, key=lambda row: row.age_s)[:MACHINE_ROWS]
    for row in reversed(shown):
        style = _LIFECYCLE_STYLE.get(row.lifecycle, "yellow")
        cells = (row.instance_id, row.zone, row.image_version, row.state, row.lifecycle or "-", f"{row.age_s:.0f} s")
        lines.append(_columns(cells, style))
    return lines + [Text()] * (MACHINE_ROWS - len(shown))


def _columns(cells: tuple[str, ...], style: str) -> Text:
    machine, zone, image, state, group, age = cells
    return Text(f" {machine:<19.19}  {zone:<10.10}  {image:<5.5} {state:<13.13} {group:<18.18} {age:>6.6}", style=style)


def _interfaces(snapshot: Snapshot) -> list[Text]:
    target = snapshot.record_value or "nothing yet"
    lines = [_heading(f"{snapshot.record_name or 'name'} -> {target}")]
    return lines + [_interface(row, snapshot.record_value) for row in snapshot.interfaces]


def _interface(row: InterfaceRow, record_value: str) -> Text:
    holder = f"on {row.attached_to}" if row.attached_to else "free"
    named = row.address == record_value
    style = "green" if named and row.attached_to else "red" if named else ""
    mark = ">" if named else " "
    return Text(f"{mark}{row.zone:<11.11} {row.id:<21.21} {row.address:<15.15}  {holder}", style=style)


def _writes(snapshot: Snapshot, width: int, *, unicode: bool) -> list[Text]:
    rate = snapshot.per_second[-1] if snapshot.per_second else 0
    head = _heading(f"acknowledged writes   {snapshot.acknowledged:,} in all   {rate} / s   ")
    if snapshot.gap_s is None:
        head.append("not answering yet", style="yellow")
    elif snapshot.gap_s >= AWAY_S:
        head.append(f"AWAY for {snapshot.gap_s:.1f} s", style="bold red")
    else:
        head.append("answering", style="green")
    return [head, _sparkline(snapshot.per_second[-(width - 2) :], unicode=unicode)]


def _sparkline(counts: tuple[int, ...], *, unicode: bool) -> Text:
    bars = _BARS if unicode else _PLAIN_BARS
    top = max(counts, default=0) or 1
    line = Text(" ")
    for count in counts:
        if count:
            line.append(bars[min(len(bars) - 1, count * len(bars) // (top + 1))], style="green")
        else:
            line.append("_", style="red")
    return line
