/** `lstm inspect`: what any safetensors file holds. */
import { readSafetensors } from '../formats/safetensors/index.ts'
import { bytes, count, type Terminal, textTable } from './terminal.ts'

export async function inspect(file: string, { json }: { json?: boolean }, terminal: Terminal): Promise<void> {
  const { metadata, tensors } = await readSafetensors(file)
  const rows = [...tensors].map(([name, { shape, dataType, data }]) => ({
    name,
    dataType,
    shape,
    parameters: shape.reduce((product, n) => product * n, 1),
    bytes: data.length * storedBytes(dataType),
  }))
  const parameters = rows.reduce((sum, row) => sum + row.parameters, 0)
  const size = rows.reduce((sum, row) => sum + row.bytes, 0)
  const notes = Object.fromEntries([...metadata].map(([key, text]) => [key, parsed(text)]))
  const layers = layersIn(rows)
  if (json) {
    const document = { file, parameters, bytes: size, layers, tensors: rows, metadata: notes }
    terminal.out(`${JSON.stringify(document, undefined, 2)}\n`)
    return
  }
  const table = rows.map((row) => [
    row.name,
    row.dataType,
    `[${row.shape.join(', ')}]`,
    count(row.parameters),
    bytes(row.bytes),
  ])
  const header = ['tensor', 'type', 'shape', 'parameters', 'size']
  const layerRows = layers.map(({ name, kind, parameters }) => [name, kind, count(parameters)])
  terminal.out(
    `${file}: ${count(rows.length)} tensors, ${count(parameters)} parameters, ${bytes(size)}\n\n` +
      `${textTable([['layer', 'kind', 'parameters'], ...layerRows], { flushLeft: 2 })}\n` +
      `${textTable([header, ...table], { flushLeft: 3 })}${metadataText(notes)}`,
  )
}

/** Bytes an element takes in the file; in memory, half floats are wider. */
function storedBytes(dataType: string): number {
  return dataType === 'BOOL' ? 1 : Number(/\d+$/.exec(dataType)![0]) / 8
}

/** The layers that the names and shapes of tensors tell of: what stands before the last dot of a name is a layer. */
function layersIn(tensors: readonly { name: string; shape: readonly number[]; parameters: number }[]) {
  const groups = new Map<string, (typeof tensors)[number][]>()
  for (const tensor of tensors) {
    const layer = tensor.name.slice(0, Math.max(0, tensor.name.lastIndexOf('.')))
    groups.set(layer, [...(groups.get(layer) ?? []), tensor])
  }
  return [...groups].map(([layer, members]) => ({
    name: layer || '(top)',
    kind: kindOf(new Map(members.map(({ name, shape }) => [name.slice(name.lastIndexOf('.') + 1), shape]))),
    parameters: members.reduce((sum, { parameters }) => sum + parameters, 0),
  }))
}

/** `LSTM 1 → 32, 2 layers` from weight_ih_l0, weight_hh_l0 and so on; `Linear 32 → 36` from a matrix called weight. */
function kindOf(shapes: ReadonlyMap<string, readonly number[]>): string {
  const input = shapes.get('weight_ih_l0')
  const recurrent = shapes.get('weight_hh_l0')
  if (input?.length === 2 && recurrent?.length === 2) {
    // Four gates make an LSTM, three a GRU, one a plain recurrent layer; a projection narrows the recurrent side.
    const hidden =
      shapes.get('weight_hr_l0')?.[1] ?? (input[0] === 4 * recurrent[1] ? recurrent[1] : undefined)
    if (hidden === undefined) return `recurrent ${input[1]} → ${recurrent[1]}`
    const layers = [...shapes.keys()].filter((name) => /^weight_ih_l\d+$/.test(name)).length
    const isBidirectional = shapes.has('weight_ih_l0_reverse')
    const details = [
      layers > 1 && `${layers} layers`,
      isBidirectional && 'bidirectional',
      shapes.has('weight_hr_l0') && `projected to ${recurrent[1]}`,
      shapes.has('peephole_l0') && 'peepholes',
      shapes.has('norm_ih_l0') && 'layer normalisation',
    ].filter(Boolean)
    return [`LSTM ${input[1]} → ${hidden}`, ...details].join(', ')
  }
  const weight = shapes.get('weight')
  const others = [...shapes.keys()].filter((name) => name !== 'weight' && name !== 'bias')
  if (weight?.length === 2 && others.length === 0) {
    // A Linear layer without a bias and an Embedding look alike in a file.
    return shapes.has('bias') ? `Linear ${weight[1]} → ${weight[0]}` : `matrix ${weight[0]} × ${weight[1]}`
  }
  if (weight?.length === 1 && shapes.has('bias') && others.length === 0)
    return `normalisation of ${weight[0]}`
  return `${shapes.size} tensors`
}

function metadataText(notes: Record<string, unknown>): string {
  const entries = Object.entries(notes)
  if (entries.length === 0) return ''
  const lines = entries.map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value, undefined, 2)
    return `  ${key}: ${text.replaceAll('\n', '\n  ')}\n`
  })
  return `\nmetadata\n${lines.join('')}`
}

/** Metadata are texts; those that hold JSON are shown as what they say. */
function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
