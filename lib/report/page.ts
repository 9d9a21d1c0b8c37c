/** A report as one HTML file that needs nothing else, light or dark as the reader prefers. */
import { escapeHtml } from './escape.ts'
import { paletteStyle } from './palette.ts'
import { renderSection, type Section } from './sections.ts'

export interface Page {
  title: string
  /** A sentence under the title. */
  subtitle: string
  sections: readonly Section[]
}

/** The HTML text of a report. */
export async function renderPage({ title, subtitle, sections }: Page): Promise<string> {
  const parts: string[] = []
  for (const section of sections) parts.push(await renderSection(section))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${paletteStyle()}${style}</style>
</head>
<body>
<main>
<header>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(subtitle)}</p>
</header>
${parts.join('\n')}
</main>
</body>
</html>
`
}

/** A number for a table or a headline, with three or four significant digits. */
export function figure(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 4)
}

const style = `
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
main{max-width:920px;margin:0 auto;padding:56px 28px 72px}
h1,.headline strong{font-family:Charter,"Bitstream Charter","Sitka Text",Cambria,"Liberation Serif",Georgia,serif;font-weight:500}
h1{font-size:34px;line-height:1.2;letter-spacing:-.01em;margin:0 0 6px}
header p{margin:0;color:var(--muted)}
h2{font-size:18px;font-weight:600;margin:36px 0 10px}
h3{font-size:12px;font-weight:600;margin:0 0 8px;color:var(--muted);letter-spacing:.06em;text-transform:uppercase}
.headline{display:flex;flex-wrap:wrap;gap:16px 56px;margin:30px 0 34px;padding:20px 0 18px;border-top:1px solid var(--faint);border-bottom:1px solid var(--faint)}
.headline p{margin:0;color:var(--muted);font-size:14px}
.headline strong{display:block;color:var(--ink);font-size:32px;line-height:1.25;font-variant-numeric:lining-nums}
.headline .good{color:var(--accent)}
figure{margin:0 0 30px}
figure svg{display:block;width:100%;height:auto}
@media(max-width:640px){.broad{overflow-x:auto}.broad svg{min-width:560px}.pair svg{min-width:0}}
.exact{overflow-x:auto}
figure .exact svg{width:auto;max-width:none}
section>p{max-width:72ch}
.marked{line-height:2;margin:0 0 14px}
mark{color:inherit;border-radius:3px;padding:2px 1px}
mark.for{background:color-mix(in srgb,var(--accent) var(--w),transparent)}
mark.against{background:color-mix(in srgb,var(--second) var(--w),transparent)}
.label{color:var(--muted);font-size:13px;margin-right:8px}
.sample{margin:0 0 18px}
pre{margin:6px 0 0;padding:12px 16px;border-left:3px solid var(--faint);font:14px/1.5 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
figcaption,.note{color:var(--muted);font-size:13px;margin:8px 0 0;max-width:72ch}
.pair{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:0 32px}
section+.pair{margin-top:22px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:15px;font-variant-numeric:tabular-nums lining-nums}
th,td{text-align:right;padding:9px 0 9px 20px;border-bottom:1px solid var(--faint);font-weight:400;white-space:nowrap}
th:first-child{text-align:left;padding-left:0}
th.left,td.left{text-align:left;white-space:normal}
thead th{color:var(--muted);font-size:13px}
td.best{color:var(--accent);font-weight:600}
.groups{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:28px 32px}
dl{margin:0;font-size:14px;display:grid;grid-template-columns:auto 1fr;gap:4px 18px}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
@media print{main{padding:0}}
`
