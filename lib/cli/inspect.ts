/** `lstm inspect`: what a model file of any format holds. */
import { type Inspection, inspect as inspectModel, type Port } from '../formats/inspect/index.ts'
import { bytes, count, printable, type Terminal, textTable } from './terminal.ts'

export async function inspect(file: string, { json }: { json?: boolean }, terminal: Terminal): Promise<void> {
  const inspection = await inspectModel(file)
  const size = inspection.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  const text = json
    ? `${JSON.stringify({ file, bytes: size, ...inspection }, undefined, 2)}\n`
    : printable(`${summaryText(file, size, inspection)}\n${tablesText(inspection)}${endText(inspection)}`)
  terminal.out(text)
}

function summaryText(file: string, size: number, { tensors, parameters, ...rest }: Inspection): string {
  const { format, producer, inputs, outputs } = rest
  const ports = [
    ...inputs.map((port) => portRow('input', port)),
    ...outputs.map((port) => portRow('output', port)),
  ]
  return (
    `${file}: ${count(tensors.length)} tensors, ${count(parameters)} parameters, ${bytes(size)}\n` +
    `${format}${producer ? `, by ${producer}` : ''}\n` +
    (ports.length > 0 ? textTable(ports, { flushLeft: 4 }) : '')
  )
}

function portRow(kind: string, { name, dataType, shape }: Port): string[] {
  return [kind, name, dataType, shape ? `[${shape.map((n) => n ?? '?').join(', ')}]` : 'any shape']
}

function tablesText({ layers, tensors }: Inspection): string {
  const layerRows = layers.map(({ name, kind, parameters }) => [name, kind, count(parameters)])
  const tensorRows = tensors.map(({ name, dataType, shape, parameters, bytes: size }) => [
    name,
    dataType,
    `[${shape.join(', ')}]`,
    count(parameters),
    bytes(size),
  ])
  const header = ['tensor', 'type', 'shape', 'parameters', 'size']
  return (
    (layers.length > 0
      ? `${textTable([['layer', 'kind', 'parameters'], ...layerRows], { flushLeft: 2 })}\n`
      : '') + textTable([header, ...tensorRows], { flushLeft: 3 })
  )
}

function endText({ metadata, proposal, problem }: Inspection): string {
  const list = (title: string, lines: readonly string[]) =>
    lines.length > 0
      ? `\n${title}\n${lines.map((line) => `  ${line.replaceAll('\n', '\n  ')}\n`).join('')}`
      : ''
  const notes = Object.entries(metadata).map(
    ([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value, undefined, 2)}`,
  )
  return (
    list('problem', problem ? [problem] : []) +
    (proposal
      ? list('proposed specification', [JSON.stringify(proposal.specification)]) +
        list('open questions', proposal.questions) +
        list('assumed', proposal.notes)
      : '') +
    list('metadata', notes)
  )
}
