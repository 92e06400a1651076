"""The look of a drill's page: one stylesheet, with every colour a variable that the drawings use too."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --raised: #f6f7f9; --ink: #16191d; --muted: #56606b; --line: #d5dae0; --faint: #e9ecf0;
  --lost: #c47a00; --other: #1f6fd0; --elsewhere: #7d8791; --bad: #b3123d; --bad-pale: #f6d3dc;
  --before: #8a949f; --fault: #7a3fc4; --restoring: #0b7a6f; --after: #8a949f; --on-fill: #ffffff;
  --pass: #12692f; --pass-pale: #e2f3e7; --fail: #a80f33; --fail-pale: #fbe3e8;
  --doubt: #8a5a00; --doubt-pale: #fdf1d8;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --raised: #1d2126; --ink: #e8ebee; --muted: #a3adb8; --line: #3b434c; --faint: #282e35;
    --lost: #f2b441; --other: #68a8ff; --elsewhere: #97a1ab; --bad: #ff7592; --bad-pale: #5a1f2e;
    --before: #7f8a95; --fault: #b08cf0; --restoring: #45c2b4; --after: #7f8a95; --on-fill: #101316;
    --pass: #74d693; --pass-pale: #15301f; --fail: #ff8ba3; --fail-pale: #3a1720;
    --doubt: #f2c45a; --doubt-pale: #33290f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 8px; }
section { margin-top: 36px; }
p { margin: 6px 0; overflow-wrap: anywhere; }
p.sub, p.hint { color: var(--muted); margin: 0 0 16px; }
p.hint { font-size: 13px; margin: 6px 0 0; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px;
  display: flex; flex-direction: column; flex: 1 1 140px; }
.card .name, .card .note { color: var(--muted); font-size: 13px; }
.card .value { font-size: 24px; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.card.pass { background: var(--pass-pale); border-color: var(--pass); }
.card.fail { background: var(--fail-pale); border-color: var(--fail); }
.card.doubt { background: var(--doubt-pale); border-color: var(--doubt); }
.card.doubt .value { color: var(--doubt); }
.card.pass .value, td.pass { color: var(--pass); }
.card.fail .value, td.fail { color: var(--fail); font-weight: 650; }
.why { margin: 16px 0 0; padding: 10px 14px 10px 32px; border-left: 4px solid var(--fail);
  background: var(--fail-pale); border-radius: 0 8px 8px 0; }
.why li { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 500; }
th, td { padding: 4px 18px 4px 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
td { overflow-wrap: break-word; }
td.long { min-width: 9em; }
th.figure, td.figure { text-align: right; white-space: nowrap; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px;
  margin: 4px 0 14px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 8px; padding: 0; list-style: none;
  font-size: 13px; color: var(--muted); }
.legend i { display: inline-block; width: 14px; height: 12px; margin-right: 6px; vertical-align: -1px;
  border-radius: 2px; }
.legend i.predicted { border: 1.5px solid var(--muted); }
.legend i.failed { border: 1.5px solid var(--bad);
  background: repeating-linear-gradient(135deg, var(--bad) 0 1.5px, var(--bad-pale) 1.5px 5px); }
.legend i.solid { height: 0; border-top: 2px solid var(--ink); vertical-align: 4px; width: 22px; }
.legend i.dashed { height: 2px; vertical-align: 4px; width: 22px; border-radius: 0;
  background: repeating-linear-gradient(90deg, var(--fault) 0 6px, transparent 6px 8px); }
.legend i.number { width: auto; height: auto; padding: 0 5px; border: 1px solid var(--muted);
  border-radius: 7px; font: 11px/14px inherit; font-style: normal; vertical-align: 0; color: var(--ink); }
svg { display: none; width: 100%; height: auto; }
svg text { font-family: inherit !important; }
svg .hint { fill: transparent; }
svg .hint:hover { fill: var(--ink); fill-opacity: 0.1; }
svg.for-narrow { display: block; max-width: 560px; }
@media (min-width: 561px) {
  svg.for-narrow { display: none; }
  svg.for-medium { display: block; }
}
@media (min-width: 901px) {
  svg.for-medium { display: none; }
  svg.for-wide { display: block; }
}
@media (max-width: 560px) {
  main { padding: 16px 12px 48px; }
  th, td { padding-right: 12px; }
  .pointer { display: none; }
}
"""
