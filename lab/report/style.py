"""The report's style sheet: one column, both colour schemes, readable on a telephone and on paper."""

CSS = """
:root { color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #16181d; --soft: #5b616e; --line: #dfe1e6; --track: #f0f1f3;
  --ok: #2563a8; --wait: #8a919e; --late: #b45f06; --failed: #b3261e; --gap: #f6d5d2;
  --good: #17663a; --write: #4d8a6a; }
@media (prefers-color-scheme: dark) { :root {
  --page: #121418; --card: #1a1d23; --ink: #e8eaee; --soft: #a2a9b6; --line: #32363f; --track: #23272f;
  --ok: #6aa5e8; --wait: #7d8594; --late: #e5a04a; --failed: #f08a80; --gap: #552a2a;
  --good: #6fca97; --write: #5fae86; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .25rem 0 .75rem; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 0; }
h3 { font-size: .8rem; font-weight: 600; color: var(--soft); margin: 1.25rem 0 .35rem; }
p { margin: .5rem 0; max-width: 46rem; }
code, .mono { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .875em; overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .75rem 1rem; background: var(--track); border-radius: 6px; overflow-x: auto; }
.soft { color: var(--soft); }
.id { white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--failed); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem; margin: 1.25rem 0; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem 1.5rem;
  margin: 1.25rem 0; }
.numbers b { display: block; font-size: 1.5rem; line-height: 1.2; font-weight: 600; }
.title { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; justify-content: space-between; }
.title span { font-weight: 600; }
.row { display: grid; grid-template-columns: 11rem 1fr 8rem; gap: 0 .75rem; align-items: center; font-size: .875rem;
  min-height: 1.5rem; }
.row > :last-child { text-align: right; white-space: nowrap; }
.track { position: relative; height: .8rem; background: var(--track); border-radius: 3px; overflow: hidden; }
.bar { position: absolute; top: 0; bottom: 0; min-width: 3px; border-radius: 2px; background: var(--ok); }
.bar.machine { background: var(--wait); } .bar.outage { background: var(--failed); }
.bar.late { background: var(--late); } .bar.failed { background: var(--failed); }
.bar.skipped { background: none; border: 1px dashed var(--soft); }
.word-late { color: var(--late); } .word-failed { color: var(--failed); } .word-skipped { color: var(--soft); }
.writes { height: 3.5rem; border-bottom: 1px solid var(--line); background: none; border-radius: 0; overflow: visible; }
.writes svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.writes .rate { fill: var(--write); } .writes .gap { fill: var(--gap); }
.event { position: absolute; top: 0; bottom: 0; border-left: 2px solid var(--ink); }
.detail { font-size: .8rem; color: var(--soft); margin: 0 0 .25rem; padding-left: .75rem; max-width: none; }
.axis { position: relative; height: 1.25rem; color: var(--soft); font-size: .75rem; }
.axis span { position: absolute; white-space: nowrap; transform: translateX(-50%); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); white-space: nowrap; width: 1%; }
tr:first-child > * { border-top: 0; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 40rem) {
  body { padding: 1rem .75rem 3rem; } section { padding: 1rem; } h1 { font-size: 1.4rem; }
  .row { grid-template-columns: 1fr auto; padding: .2rem 0; }
  .row > .track, .row > .axis { grid-column: 1 / -1; grid-row: 2; }
  .row.empty > :not(.axis) { display: none; }
  th { white-space: normal; width: 30%; } }
@media print { section { break-inside: avoid; } }
"""
