"""The frame of the study's page."""

from __future__ import annotations

from string import Template

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { --ink: #1f2430; --soft: #5d6575; --line: #dde1e8; --paper: #fff; --tint: #f5f6f9; --accent: #4a3f8f; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--tint);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; }
h2 { font-size: 19px; margin: 0 0 10px; }
h3 { font-size: 14px; margin: 14px 0 2px; color: var(--soft); }
p { margin: 4px 0; }
ul { margin: 4px 0; padding-left: 20px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 18px 22px;
  margin: 16px 0; }
.soft { color: var(--soft); font-size: 13px; }
.warn { background: #fff4d6; border: 1px solid #e3b341; border-radius: 8px; padding: 10px 16px; margin: 14px 0; }
.warn b { display: block; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; }
@media (max-width: 800px) { .sides { grid-template-columns: 1fr; } }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; width: 100%; margin: 6px 0 10px; }
th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; vertical-align: top; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
img { display: block; max-width: 100%; height: auto; margin: 10px 0; }
figure { margin: 8px 0; }
figcaption { color: var(--soft); font-size: 13px; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--accent); font-size: 13.5px; }
code { font-size: 12.5px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; font-size: 13.5px; margin: 8px 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { background: #fff; } section { break-inside: avoid-page; border: 0; padding: 0; } }
</style>
</head>
<body><main>
<header><h1>$title</h1><p class="soft">$subtitle</p></header>
$body
</main></body></html>
""")
