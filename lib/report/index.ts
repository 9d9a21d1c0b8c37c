/** Reports as one HTML file, with pictures; the public door of `lstm-native/report`: exports only. */
export type { BarChart, ChartAxis, ChartLine, ChartPoint, ChartSize, HeatMap, LineChart } from './charts.ts'
export { figure, type Page, renderPage } from './page.ts'
export { standaloneSvg } from './palette.ts'
export type { Cell, Section } from './sections.ts'
