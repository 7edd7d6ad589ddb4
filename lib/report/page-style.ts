/**
 * The style sheet of the page: one column of cards, light or dark like the reader's system, with print styles.
 * @module
 */
import { FONT_STACK, PALETTES, type Palette, SERIES_COLOURS, SERIES_COLOURS_DARK } from './theme.js';

function variables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, value]) => `--${name}:${value};`)
    .join('');
}

const series = (colours: readonly string[]) => colours.map((colour, i) => `--s${i}:${colour};`).join('');

/** The whole style sheet. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;${variables({ ...PALETTES.light, background: '#f5f6f8' })}${series(SERIES_COLOURS)}--soft:#f2f4f7;--shadow:0 1px 2px rgba(20,28,40,.06),0 4px 16px rgba(20,28,40,.05)}
@media (prefers-color-scheme:dark){:root{${variables(PALETTES.dark)}${series(SERIES_COLOURS_DARK)}--soft:#232830;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--background);color:var(--text);font:15px/1.55 ${FONT_STACK};-webkit-text-size-adjust:100%}
main,header,footer{max-width:1220px;margin:0 auto;padding:0 24px}
header{padding-top:44px;padding-bottom:8px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.02em;margin:0 0 6px;overflow-wrap:anywhere}
header p{margin:0;color:var(--muted)}
header p.finding{color:var(--text);margin-top:10px;font-size:17px}
section{container-type:inline-size;background:var(--surface);border-radius:14px;box-shadow:var(--shadow);padding:24px 26px;margin:20px 0}
@media (prefers-color-scheme:dark){section,.card{border:1px solid var(--grid)}}
h2{font-size:19px;letter-spacing:-.01em;margin:0 0 14px;display:flex;align-items:baseline;gap:12px;flex-wrap:wrap}
h3{font-size:15px;margin:18px 0 8px;overflow-wrap:anywhere}
p.note{color:var(--muted);font-size:13.5px;margin:10px 0 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:16px;margin:22px 0}
.card{background:var(--surface);border-radius:14px;box-shadow:var(--shadow);padding:18px 22px}
.card .name{font-weight:600;overflow-wrap:anywhere;display:flex;gap:9px;align-items:baseline}
.dot{flex:none;display:inline-block;width:10px;height:10px;border-radius:50%}
.card .big{font-size:34px;font-weight:650;letter-spacing:-.02em;line-height:1.25;font-variant-numeric:tabular-nums}
.card .big small{font-size:15px;font-weight:500;color:var(--muted);letter-spacing:0}
.card .what,.card .more{color:var(--muted);font-size:13.5px}
.scroll{overflow-x:auto;margin:0 -6px;padding:0 6px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:8px 12px;border-bottom:1px solid var(--grid);vertical-align:top}
thead th{color:var(--muted);font-weight:600;font-size:13px;border-bottom-color:var(--line);white-space:nowrap}
tbody th{font-weight:600;overflow-wrap:break-word;min-width:9em}
tbody tr:last-child>*{border-bottom:0}
td.n,th.n{text-align:right;white-space:nowrap}
td.best{font-weight:700}
table.facts td,table.facts th{padding:5px 12px;font-size:14px}
table.facts th{font-weight:500;color:var(--muted);width:1%;white-space:nowrap;min-width:0}
table.facts td{overflow-wrap:anywhere}
table.facts tr.differs{background:var(--soft)}
table.facts tr.differs td{font-weight:600}
.chart{width:100%;height:var(--wide)}
.chart.heat{min-width:480px}
@container (max-width:720px){.chart.lines{height:var(--narrow)}}
@media (max-width:790px){main,header,footer{padding-left:14px;padding-right:14px}section{padding:18px 14px}}
.two{display:grid;grid-template-columns:minmax(0,11fr) minmax(0,9fr);gap:24px;align-items:start}
.two td,.two th{padding-left:8px;padding-right:8px}.two thead th{white-space:normal;vertical-align:bottom}.two tbody th{min-width:0}
@media (max-width:960px){.two{grid-template-columns:minmax(0,1fr)}}
.bar{display:block;height:5px;border-radius:3px;background:var(--grid);margin-top:3px;min-width:70px}
.bar i{display:block;height:100%;border-radius:3px}
figure{margin:0}
figure img,noscript svg{max-width:100%;height:auto;display:block;border-radius:8px}
figcaption{color:var(--muted);font-size:13.5px;margin-top:8px}
button{font:inherit;font-size:13px;color:var(--muted);background:transparent;border:1px solid var(--line);border-radius:7px;padding:3px 11px;cursor:pointer;margin-left:auto}
button:hover{color:var(--text)}button[aria-pressed=true]{color:var(--text);background:var(--soft)}
button:focus-visible{outline:2px solid #56B4E9;outline-offset:2px}
code{font:13px/1.5 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}
footer{color:var(--muted);font-size:13px;padding-top:6px;padding-bottom:40px}
.tip{font-size:13px;line-height:1.5}.tip b{display:block;margin-top:4px}.tip b:first-child{margin-top:0}
.tip div{display:flex;gap:8px;align-items:baseline;white-space:nowrap}.tip div span:last-child{margin-left:auto;padding-left:18px;font-variant-numeric:tabular-nums}
@media print{
@page{size:A4 landscape;margin:12mm}
body{background:#fff;font-size:12px}main,header,footer{max-width:none;padding:0}header{padding-top:0}
section,.card{box-shadow:none;border:1px solid #d8dce1;break-inside:avoid}button{display:none}
.two{grid-template-columns:minmax(0,11fr) minmax(0,9fr)}
}
`;
