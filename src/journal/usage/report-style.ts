/** The style of the printed report: A4 with dark text on white; on a screen, either colour scheme and any width. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ground: #ffffff; --text: #171c24; --muted: #565f6d; --line: #c9d0d8; --wash: #f0f2f5;
  --good: #0b7048; --bad: #b3261e; --bad-wash: #fbdedb; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --text: #e4e8ee; --muted: #9da8b6; --line: #2a333f; --wash: #1c242e; --good: #4cc38a;
    --bad: #ff8a80; --bad-wash: #43201e; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 70rem; background: var(--ground); color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word; -webkit-text-size-adjust: 100%; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; line-height: 1.3; }
p { margin: .3rem 0; max-width: 48rem; }
.muted, dt { color: var(--muted); }
.reservations { margin: 1rem 0; padding: .6rem .9rem; border-left: 4px solid var(--bad); background: var(--bad-wash); }
.reservations ul { margin: .3rem 0 0; padding-left: 1.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .6rem 0; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .82rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: baseline; }
thead th { border-bottom: 1.5px solid var(--text); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
.short { white-space: nowrap; }
@media screen { tbody th { position: sticky; left: 0; background: var(--ground); } }
.sum td, .sum th { border-top: 1.5px solid var(--text); font-weight: 600; background: var(--wash); }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; font-weight: 400; }
td.name, th.name { overflow-wrap: anywhere; min-width: 4.5rem; }
thead th.name { overflow-wrap: normal; }
thead th.number { white-space: normal; }
.hash { overflow-wrap: anywhere; min-width: 12rem; }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
@page { size: A4; margin: 14mm 12mm 16mm;
  @bottom-left { content: "Usage report"; font: 8pt sans-serif; color: #565f6d; }
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt sans-serif; color: #565f6d; } }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 9pt; }
  .table { overflow: visible; }
  table { font-size: 7.2pt; }
  th, td { padding: .7mm 1mm; }
  thead { display: table-header-group; }
  tr, dl, .reservations { break-inside: avoid; }
  h2, thead, .muted { break-after: avoid; }
  .sheet { break-before: page; }
  .hash { min-width: 0; }
  td.name, th.name { min-width: 13mm; }
}
`;
