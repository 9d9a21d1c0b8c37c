/**
 * The report of a run as one HTML file that needs nothing else: pictures, scores, configuration. It only arranges what
 * it is given; whoever has trained or evaluated supplies it.
 */
import type { Future } from './charts.ts'
import { comparison, type Evaluation } from './evaluation.ts'
import { paletteStyle } from './palette.ts'

export interface ReportContent {
  title: string
  /** A sentence under the title. */
  subtitle: string
  evaluation: Evaluation
  /** The labels of all rows of the series. */
  labels: readonly string[]
  /** Missing where a model is only evaluated. */
  training?: { epochs: readonly { number: number; loss: number; validationLoss?: number }[]; best?: number }
  future?: Future
  /** What was run, on what and how long, in groups of name and value. */
  configuration: readonly { title: string; entries: readonly (readonly [string, string])[] }[]
}

/** The HTML text of a report. */
export async function renderReport(content: ReportContent): Promise<string> {
  // The drawing library is large: only who draws loads it.
  const { forecastChart, learningChart, stepChart } = await import('./charts.ts')
  const { title, subtitle, evaluation, labels, training, future, configuration } = content
  const { forecasts } = evaluation
  const [model] = evaluation.scores
  const { share, relation, best } = comparison(evaluation)
  const verdict =
    share === undefined ? `${best.name} is exact` : `${relation} ${best.name} (${figure(best.mae)})`
  const { horizon, origins } = forecasts
  const span = `${labels[origins[0]]} to ${labels[origins.at(-1)! + horizon - 1]}`
  const pictures = [
    training && figureOf(await learningChart(training.epochs, training), learningCaption(training.best)),
    figureOf(await stepChart(evaluation), 'How the error grows with the distance of the forecast.'),
  ]
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
<section class="headline">
<p><strong>${figure(model.mae)}</strong> mean absolute error</p>
<p><strong${relation === 'below' ? ' class="good"' : ''}>${share ?? '–'}</strong> ${escapeHtml(verdict)}</p>
${model.coverage === undefined ? '' : `<p><strong>${(model.coverage * 100).toFixed(0)} %</strong> of the truth inside the band</p>`}
</section>
${figureOf(
  await forecastChart(evaluation, { labels, title: 'Forecast against truth on the held-out part', future }),
  `Held out: ${escapeHtml(span)}. Each stretch is forecast at once, ${horizon} steps from its beginning, by a model that has ` +
    `not seen it${future ? '; the last one lies beyond the end of the data' : ''}.`,
)}
<div class="pair">
${pictures.filter(Boolean).join('\n')}
</div>
<section>
<h2>Scores</h2>
<div class="wide">${scoreTable(evaluation)}</div>
<p class="note">Over all ${origins.length} origins of the held-out part and all ${horizon} steps. sMAPE after Makridakis
(1993); MASE after Hyndman &amp; Koehler (2006), in units of the training part’s one-step error.</p>
</section>
<section>
<h2>Configuration</h2>
<div class="groups">${configuration.map(groupOf).join('\n')}</div>
</section>
</main>
</body>
</html>
`
}

function learningCaption(best?: number): string {
  return best
    ? `The parameters kept are those after epoch ${best}.`
    : 'The parameters kept are the last ones.'
}

function scoreTable({ scores }: Evaluation): string {
  const columns = ['mae', 'rmse', 'smape', 'mase'] as const
  const lowest = Object.fromEntries(
    columns.map((column) => [column, Math.min(...scores.map((each) => each[column]))]),
  )
  const rows = scores.map((each) => {
    const cells = columns.map((column) => {
      const texts = { smape: `${each.smape.toFixed(1)} %`, mase: each.mase.toFixed(3) }
      const text = column in texts ? texts[column as keyof typeof texts] : figure(each[column])
      return `<td${each[column] === lowest[column] ? ' class="best"' : ''}>${text}</td>`
    })
    const coverage = each.coverage === undefined ? '' : `${(each.coverage * 100).toFixed(1)} %`
    return `<tr><th scope="row">${escapeHtml(each.name)}</th>${cells.join('')}<td>${coverage}</td></tr>`
  })
  const header = ['', 'MAE', 'RMSE', 'sMAPE', 'MASE', 'coverage'].map(
    (name) => `<th scope="col">${name}</th>`,
  )
  return `<table><thead><tr>${header.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function groupOf({ title, entries }: ReportContent['configuration'][number]): string {
  const items = entries.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
  return `<div><h3>${escapeHtml(title)}</h3><dl>${items.join('')}</dl></div>`
}

function figureOf(svg: string, caption: string): string {
  return `<figure><div class="broad">${svg}</div><figcaption>${caption}</figcaption></figure>`
}

/** Three or four significant digits, as fits a table. */
export function figure(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 4)
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => names[character])
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
figcaption,.note{color:var(--muted);font-size:13px;margin:8px 0 0;max-width:72ch}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:0 32px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:15px;font-variant-numeric:tabular-nums lining-nums}
th,td{text-align:right;padding:9px 0 9px 20px;border-bottom:1px solid var(--faint);font-weight:400;white-space:nowrap}
th:first-child{text-align:left;padding-left:0}
thead th{color:var(--muted);font-size:13px}
td.best{color:var(--accent);font-weight:600}
.groups{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:28px 32px}
dl{margin:0;font-size:14px;display:grid;grid-template-columns:auto 1fr;gap:4px 18px}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
@media print{main{padding:0}}
`
