/** A specification guessed from names and shapes, with what they leave open. */

import {
  findModules,
  inputSizeOf,
  type Module,
  type ModuleType,
  matrixOf,
  matrixOptions,
  matrixType,
} from './modules.ts'
import type { LayerSpecification } from './specification.ts'

export interface Proposal {
  specification: LayerSpecification[]
  /** What has to be settled before a model can be built: with any of these, the specification is a guess. */
  questions: string[]
  /** What is assumed, and would not show in a shape. */
  notes: string[]
}

/**
 * A file has its tensors in the order of their names; the order of the layers is that in which each one's output has the
 * size of the next one's input, or that of their numbers in a torch.nn.Sequential.
 *
 * @param tensors as `openSafetensors` has them
 */
export function proposeSpecification(
  tensors: ReadonlyMap<string, { shape: readonly number[]; dataType: string }>,
): Proposal {
  const { modules, strangers } = findModules(tensors)
  const natural = [...modules.values()].sort((a, b) => collator.compare(a.prefix, b.prefix))
  const questions = [...strangers].map(([prefix, reason]) => `what is ${name(prefix)}? ${reason}`)
  const orders = isNumbered(natural) ? [natural] : chains(natural)
  if (orders.length === 0) questions.push('in which order do they stand? Their sizes make no chain')
  if (orders.length > 1) questions.push('in which order do they stand? Their sizes allow several')
  const order = orders[0] ?? natural
  const notes: string[] = []
  for (const [i, module] of order.entries()) {
    const before = order[i - 1]
    if (before) compare(before, module, { questions, notes })
    const untold = untoldOf[module.types[0]]
    if (untold) questions.push(`which ${untold} has ${name(module.prefix)}? Shapes do not tell`)
    const taken = takenOf[module.types[0]]
    if (taken) notes.push(`${name(module.prefix)} is taken to have ${taken}`)
    if (module.types.length > 1 && i === 0 && matrixType(module, order[1]) === undefined) {
      questions.push(`is ${name(module.prefix)} an Embedding or a Linear layer without bias?`)
    }
  }
  return { specification: order.map((module, i) => entry(module, i, order[i + 1])), questions, notes }
}

/** What the shapes of a module leave open. */
const untoldOf: Partial<Record<ModuleType, string>> = {
  Conv1d: 'stride, padding, dilation and groups',
  Conv2d: 'stride, padding, dilation and groups',
  MultiHeadAttention: 'number of heads',
}

const takenOf: Partial<Record<ModuleType, string>> = {
  BatchNorm: 'eps 1e-5',
  LayerNorm: 'eps 1e-5',
  RNN: 'the nonlinearity tanh',
}

const collator = new Intl.Collator('en', { numeric: true })

function name(prefix: string): string {
  return JSON.stringify(prefix)
}

function entry(module: Module, i: number, next: Module | undefined): LayerSpecification {
  if (module.types.length === 1) return module.prefix
  return { prefix: module.prefix, type: i > 0 ? 'Linear' : (matrixType(module, next) ?? 'Embedding') }
}

/** What may stand between two modules and has no tensors. */
function compare(
  before: Module,
  after: Module,
  { questions, notes }: { questions: string[]; notes: string[] },
): void {
  const pair = `${name(before.prefix)} and ${name(after.prefix)}`
  const [a, b] = [numbered(before.prefix), numbered(after.prefix)]
  const hasGap = a && b && a.parent === b.parent && b.number > a.number + 1
  const isRecurrent = before.types[0] === 'LSTM' || before.types[0] === 'RNN'
  if (hasGap)
    questions.push(`what stands between ${pair}? The numbers leave room for layers without parameters`)
  else if (isRecurrent && after.types[0] === 'Linear') {
    notes.push(
      `${name(after.prefix)} is applied to every step; put { "type": "LastStep" } before it for the last only`,
    )
  } else if (!isRecurrent && after.types[0] === 'Linear' && !isEmbedding(before)) {
    questions.push(`is there an activation between ${pair}? It would have no tensors`)
  }
}

function isEmbedding({ types }: Module): boolean {
  return types.includes('Embedding')
}

/** `net.3` is number 3 of `net`. */
function numbered(prefix: string): { parent: string; number: number } | undefined {
  const match = /^(?:(.*)\.)?(\d+)$/.exec(prefix)
  return match ? { parent: match[1] ?? '', number: Number(match[2]) } : undefined
}

/** Whether all are numbered in one torch.nn.Sequential, which says their order. */
function isNumbered(modules: readonly Module[]): boolean {
  const parents = new Set(modules.map(({ prefix }) => numbered(prefix)?.parent))
  return modules.length > 0 && parents.size === 1 && !parents.has(undefined)
}

/** Steps of the search for an order: far more than a stack of layers needs, and over in no time. */
const mostSteps = 10_000

/** Up to two orders in which every output has the size of the next input. */
function chains(modules: readonly Module[]): Module[][] {
  const found: Module[][] = []
  let steps = 0
  const extend = (chain: Module[], size: number | undefined, rest: readonly Module[]): void => {
    if (found.length > 1 || ++steps > mostSteps) return
    if (rest.length === 0) found.push(chain)
    for (const module of rest) {
      const others = rest.filter((other) => other !== module)
      for (const [from, to] of sizesOf(module)) {
        const fits = chain.length === 0 || (from !== undefined && from === size)
        if (fits) extend([...chain, module], to, others)
      }
    }
  }
  if (modules.length > 0) extend([], undefined, modules)
  return found
}

/** Input and output size, in each of the forms that a module may have; an Embedding reads no features. */
function sizesOf(module: Module): [from: number | undefined, to: number][] {
  const { types, options, shapes } = module
  const number = (key: string) => options[key] as number
  if (types.length > 1) {
    const matrix = matrixOf(shapes)
    const linear = matrixOptions('Linear', matrix)
    const embedding = matrixOptions('Embedding', matrix)
    return [
      [linear.inputSize as number, linear.outputSize as number],
      [undefined, embedding.embeddingSize as number],
    ]
  }
  const input = inputSizeOf(module)
  if ('hiddenSize' in options)
    return [[input, (options.bidirectional ? 2 : 1) * (number('projectionSize') || number('hiddenSize'))]]
  if ('embedSize' in options || 'size' in options) return [[input, input!]]
  return [[input, number('outputChannels' in options ? 'outputChannels' : 'outputSize')]]
}
