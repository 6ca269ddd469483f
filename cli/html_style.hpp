// How report.html looks.
#pragma once

#include <string_view>

namespace bitgrad::cli {

inline constexpr std::string_view report_style = R"(
:root { color-scheme: light dark; --page: #fbfbfa; --panel: #ffffff; --ink: #1d232b; --muted: #66707c; --grid: #e4e6e9; --edge: rgba(29, 35, 43, 0.22);
  --accent: #0b66c3; --cell: 11, 102, 195; --warn: #b3261e; --before: #9aa5b1; --after: #0b66c3;
  --series-0: #0b66c3; --series-1: #c8500a; --series-2: #1f8a4c; --series-3: #8e3bb0; --series-4: #a3790a; --series-5: #c2255c; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --panel: #1b2027; --ink: #e4e8ed; --muted: #98a3af; --grid: #303842; --edge: rgba(0, 0, 0, 0.75);
  --accent: #6cb2ff; --cell: 66, 133, 214; --warn: #ff8a80; --before: #6d7884; --after: #6cb2ff;
  --series-0: #6cb2ff; --series-1: #ff9d57; --series-2: #6fd197; --series-3: #cf97ea; --series-4: #e0bd55; --series-5: #ff86b0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 48px 0 4px; padding-top: 24px; border-top: 1px solid var(--grid); }
h3 { font-size: 15px; margin: 0 0 8px; } h3 small { color: var(--muted); font-weight: normal; }
h4 { font-size: 16px; margin: 30px 0 8px; }
p { margin: 4px 0 14px; max-width: 76ch; } .note { color: var(--muted); font-size: 13.5px; }
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--page) 30%, transparent) 0 0 / 40px 100% local no-repeat,
  linear-gradient(to left, var(--page) 30%, transparent) 100% 0 / 40px 100% local no-repeat,
  linear-gradient(to right, var(--edge), transparent) 0 0 / 14px 100% scroll no-repeat,
  linear-gradient(to left, var(--edge), transparent) 100% 0 / 14px 100% scroll no-repeat; }
.chart .scroll { --page: var(--panel); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; width: 100%; }
th { white-space: nowrap; text-align: right; font-weight: 600; color: var(--muted); padding: 6px 10px; border-bottom: 1px solid var(--grid); vertical-align: bottom; }
td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody tr:last-child td { border-bottom: 0; } tr.sum td { font-weight: 600; border-top: 1px solid var(--muted); }
td b { color: var(--accent); } td.warn { color: var(--warn); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 14px; margin: 18px 0; }
.charts.wide { max-width: 640px; } .wide .chart { overflow-x: auto; } .wide .chart > svg { min-width: 520px; }
.chart, .tile { background: var(--panel); border: 1px solid var(--grid); border-radius: 8px; padding: 14px 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 14px; }
.tile h3 { font-size: 13.5px; margin: 0; } .tile p { margin: 0 0 6px; font-size: 12.5px; color: var(--muted); }
svg { display: block; width: 100%; height: auto; } .key svg { display: inline-block; width: 36px; margin-right: 6px; vertical-align: 2px; }
.gridline, .axis { stroke: var(--grid); } .axis { stroke: var(--muted); } .edge { stroke: var(--muted); stroke-dasharray: 2 3; }
.level { stroke: var(--ink); stroke-width: 1; }
.tick { fill: var(--muted); font-size: 11px; } .middle { text-anchor: middle; } .end { text-anchor: end; }
.series path { fill: none; stroke: var(--line); stroke-width: 1.8; stroke-linejoin: round; } .series circle { fill: var(--line); }
.dashed path { stroke-dasharray: 5 4; }
.turn-1 path { stroke-dasharray: 12 3; } .turn-1.dashed path { stroke-dasharray: 10 3 2 3; }
.turn-2 path { stroke-dasharray: 2 2; } .turn-2.dashed path { stroke-dasharray: 2 2 2 6; }
.turn-3 path { stroke-dasharray: 7 2 2 2 2 2; } .turn-3.dashed path { stroke-dasharray: 3 9; }
.before { fill: var(--before); opacity: 0.6; } .after { fill: var(--after); opacity: 0.9; }
.outline { fill: none; stroke: var(--after); stroke-width: 1.2; }
.legend { margin-top: 8px; font-size: 12.5px; color: var(--muted); display: flex; flex-wrap: wrap; gap: 4px 18px; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 6px 0 0; }
.names text { fill: var(--muted); } .cells path { fill: rgb(var(--cell)); } .frame { fill: none; stroke: var(--grid); }
.cells text { fill: var(--ink); text-anchor: middle; pointer-events: none; } .cells .zero { fill: var(--muted); opacity: 0.5; }
.cells path:hover { stroke: var(--ink); }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 14px; }
figure { margin: 0; } figure img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 6px; background: #000; display: block; }
figcaption { font-size: 12px; line-height: 1.35; margin-top: 5px; } .chart figcaption { color: var(--muted); } figcaption span { color: var(--muted); display: block; }
details summary { cursor: pointer; color: var(--accent); margin: 6px 0 12px; }
@media print { body { background: #fff; } .chart, .tile { break-inside: avoid; } }
)";

}  // namespace bitgrad::cli
