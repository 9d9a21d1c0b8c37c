/** Plans for the native back end: steps written as a flat program, weights packed one behind the other. */
import type {
  ActivationName,
  CompiledPlan,
  DirectionMerge,
  FloatArray,
  LstmPack,
  LstmParameters,
  LstmPass,
  LstmVariant,
  PlanConv1d,
  PlanConv2d,
  PlanDone,
  PlanImage,
  PlanLstm,
  PlanStep,
  RunPlan,
  RunPlanAsync,
  Unary,
} from './contract.ts'
import { type Sized, sizeSteps } from './plan-widths.ts'
import type { Pool, WindowOptions } from './windows.ts'

/** What the addon exports for plans. */
export interface PlanAddon {
  lstmPackedLength(pass: LstmPass, shape: PackedShape): number
  lstmPack(pass: LstmPass, call: PackedShape & { parameters: LstmParameters; packed: FloatArray }): void
  linearPackedLength(shape: { I: number; O: number }): number
  linearPack(call: { I: number; O: number; weight: FloatArray; packed: FloatArray }): void
  conv1dPackedLength(shape: ConvolutionShape): number
  conv1dPack(call: ConvolutionShape & { weight: FloatArray; packed: FloatArray }): void
  conv2dPackedLength(shape: ConvolutionShape & { columnSize: number }): number
  conv2dPack(call: ConvolutionShape & { columnSize: number; weight: FloatArray; packed: FloatArray }): void
  lineOffset(array: Float32Array): number
  runPlan(...call: RunArguments): void
  runPlanAsync(...call: [...RunArguments, threads: number | undefined, done: PlanDone]): number
}

/** PlanCall of native/addon/plan_call.h. */
type RunArguments = [
  program: Int32Array,
  weights: Float32Array,
  B: number,
  T: number,
  x: FloatArray | Int32Array,
  y: FloatArray,
  lengths?: Int32Array,
  initialState?: FloatArray,
  finalState?: FloatArray,
  mask?: Uint8Array,
  offsets?: Int32Array,
  slabs?: readonly FloatArray[],
  slabRows?: number,
  slots?: Int32Array,
]

interface PackedShape {
  I: number
  H: number
  P: number
  layerNorm: boolean
  peepholes: boolean
}

interface ConvolutionShape {
  I: number
  O: number
  groups: number
  size: number
}

interface NativePlan extends CompiledPlan {
  program: Int32Array
  weights: Float32Array
}

// native/plan/plan.h has the same numbers.
const kinds = {
  lstm: 0,
  linear: 1,
  embedding: 2,
  layerNorm: 3,
  unary: 4,
  lastStep: 5,
  softmax: 6,
  conv1d: 7,
  pool1d: 8,
  globalPool1d: 9,
  flatten: 10,
  reverse: 11,
  masking: 12,
  affine: 13,
  conv2d: 14,
  pool2d: 15,
  globalPool2d: 16,
}
const flags = {
  layerNorm: 1,
  peepholes: 2,
  twoDirections: 4,
  reverse: 8,
  bias: 16,
  gain: 32,
  log: 64,
  lastOnly: 128,
  zeroMasked: 256,
  maskZero: 512,
  countPadding: 1024,
  keepMask: 2048,
}
const merges: readonly DirectionMerge[] = ['concat', 'sum', 'mul', 'average']
const stepInts = 32
const paddings = { valid: 0, same: -1, causal: -2 }
const lineFloats = 16
const unaryNames: readonly Unary[] = [
  ...['exp', 'log', 'sigmoid', 'tanh', 'relu', 'gelu', 'softplus', 'square', 'sqrt', 'abs', 'negate'],
  ...['geluTanh', 'relu6', 'selu', 'softsign', 'silu', 'hardSilu', 'mish', 'leakyRelu', 'elu', 'hardSigmoid'],
] as Unary[]
const poolNames: readonly Pool[] = ['max', 'average']

// native/kernels/lstm.h has the same order.
const activationNames: readonly ActivationName[] = [
  ...(['linear', 'sigmoid', 'tanh', 'relu', 'softplus', 'gelu', 'exponential', 'softsign', 'silu'] as const),
  ...([
    'mish',
    'selu',
    'elu',
    'affine',
    'leakyRelu',
    'thresholdedRelu',
    'scaledTanh',
    'hardSigmoid',
  ] as const),
]

interface Section {
  length: number
  fill(packed: Float32Array): void
}

/** What is particular to one step, in the terms of PlanStep in native/plan/plan.h. */
interface Entry {
  kind: number
  vocabulary?: number
  hidden?: number
  projection?: number
  flags?: number
  function?: number
  /** eps, zoneout of the cell, zoneout of h, alpha, beta */
  reals?: readonly number[]
  windows?: WindowOptions
  groups?: number
  columns?: WindowOptions
  image?: PlanImage
  sections: readonly (Section | undefined)[]
  /** Of each direction of an LSTM. */
  variants?: readonly (Section | undefined)[]
}

/** Packs a model's steps for the target in use. The parameters are copied: the plan is frozen. */
export function compileNativePlan(addon: PlanAddon, steps: readonly PlanStep[]): NativePlan {
  const { sized, stateWidth } = sizeSteps(steps)
  const entries = sized.map((each) => entryOf(addon, each))
  const lines = (section: Section | undefined) => Math.ceil((section?.length ?? 0) / lineFloats)
  const total = entries
    .flatMap(({ sections, variants = [] }) => [...sections, ...variants].map(lines))
    .reduce((sum, count) => sum + count, 0)
  const weights = alignedFloats(addon, total * lineFloats, SharedArrayBuffer)

  const program = new Int32Array(1 + entries.length * stepInts)
  program[0] = stateWidth
  let line = 0
  for (const [
    i,
    { kind, flags = 0, hidden = 0, projection = 0, reals = [], ...entry },
  ] of entries.entries()) {
    const { input, output, state } = sized[i]
    const ints = program.subarray(1 + i * stepInts, 1 + (i + 1) * stepInts)
    // An embedding's input is one index; the program wants to know below what.
    ints.set([
      kind,
      entry.vocabulary ?? input,
      output,
      hidden,
      projection,
      flags,
      0,
      0,
      state,
      entry.function ?? 0,
    ])
    ints.set(new Int32Array(Float32Array.from(reals).buffer), 10)
    if (entry.windows) ints.set([...windowNumbers(entry.windows), entry.groups ?? 1], 15)
    if (entry.columns) ints.set(windowNumbers(entry.columns), 22)
    if (entry.image) ints.set([entry.image.height ?? 0, entry.image.width!], 26)
    const append = (section: Section | undefined) => {
      const first = line
      section?.fill(weights.subarray(line * lineFloats, line * lineFloats + section.length))
      line += lines(section)
      return first
    }
    for (const [s, section] of entry.sections.entries()) ints[6 + s] = append(section)
    for (const [d, variant] of (entry.variants ?? []).entries())
      ints[20 + d] = variant ? 1 + append(variant) : 0
  }
  return { stateWidth, program, weights }
}

function windowNumbers({ size, stride, dilation, padding }: WindowOptions): number[] {
  return [size, stride, dilation, typeof padding === 'number' ? padding : paddings[padding]]
}

/** Zeros that start on a cache line: vectors that cross one cost twice. */
function alignedFloats(
  addon: PlanAddon,
  length: number,
  Memory: ArrayBufferConstructor | SharedArrayBufferConstructor = ArrayBuffer,
): Float32Array {
  const roomy = new Float32Array(new Memory(4 * (length + lineFloats)))
  const first = addon.lineOffset(roomy)
  return roomy.subarray(first, first + length)
}

/** `linearPack` of the contract. */
export function packNativeLinear(
  addon: PlanAddon,
  { I, O, weight, packed: before }: { I: number; O: number; weight: FloatArray; packed?: FloatArray },
): FloatArray {
  const length = addon.linearPackedLength({ I, O })
  const packed = before?.length === length ? before : alignedFloats(addon, length)
  addon.linearPack({ I, O, weight, packed })
  return packed
}

/** `lstmPack` of the contract. */
export function packNativeLstm(addon: PlanAddon, pass: LstmPass, call: LstmPack): FloatArray {
  const { I, H, P, layerNorm, parameters } = call
  const peepholes = parameters.peephole !== undefined
  const length = addon.lstmPackedLength(pass, { I, H, P, layerNorm, peepholes })
  const packed = call.packed?.length === length ? call.packed : alignedFloats(addon, length)
  addon.lstmPack(pass, { I, H, P, layerNorm, peepholes, parameters, packed })
  return packed
}

export function runNativePlan(addon: PlanAddon, call: RunPlan): void {
  const { program, weights } = call.plan as NativePlan
  addon.runPlan(
    program,
    weights,
    call.B,
    call.T,
    call.x,
    call.y,
    call.lengths,
    call.initialState,
    call.finalState,
    call.mask,
    call.offsets,
    call.slots?.slabs,
    call.slots?.rows,
    call.slots?.slots,
  )
}

export function runNativePlanAsync(addon: PlanAddon, call: RunPlanAsync): number {
  const { program, weights } = call.plan as NativePlan
  return addon.runPlanAsync(
    program,
    weights,
    call.B,
    call.T,
    call.x,
    call.y,
    call.lengths,
    call.initialState,
    call.finalState,
    call.mask,
    call.offsets,
    call.slots?.slabs,
    call.slots?.rows,
    call.slots?.slots,
    call.threads,
    // Holds the call, and with it the arrays whose memory the run has.
    (error, computeMicroseconds) => call.done(error, computeMicroseconds),
  )
}

function entryOf(addon: PlanAddon, { step, input: I, output: O }: Sized): Entry {
  switch (step.kind) {
    case 'lstm':
      return lstmEntry(addon, step)
    case 'linear': {
      const { weight, bias } = step
      const packed = {
        length: addon.linearPackedLength({ I, O }),
        fill: (packed: Float32Array) => addon.linearPack({ I, O, weight, packed }),
      }
      return { kind: kinds.linear, flags: bias ? flags.bias : 0, sections: [packed, copied(bias)] }
    }
    case 'embedding':
      return {
        kind: kinds.embedding,
        vocabulary: step.V,
        flags: step.maskZero ? flags.maskZero : 0,
        sections: [copied(step.weight)],
      }
    case 'layerNorm': {
      const { gain, shift, eps } = step
      const present = (gain ? flags.gain : 0) | (shift ? flags.bias : 0)
      return { kind: kinds.layerNorm, flags: present, reals: [eps], sections: [copied(gain), copied(shift)] }
    }
    case 'softmax':
      return { kind: kinds.softmax, flags: step.log ? flags.log : 0, sections: [] }
    case 'unary': {
      const { alpha = 0, beta = 0 } = step
      const index = unaryNames.indexOf(step.function)
      return { kind: kinds.unary, function: index, reals: [0, 0, 0, alpha, beta], sections: [] }
    }
    case 'conv1d':
      return conv1dEntry(addon, step)
    case 'pool1d':
      return {
        kind: kinds.pool1d,
        function: poolNames.indexOf(step.function),
        flags: step.countPadding ? flags.countPadding : 0,
        windows: { ...step, dilation: 1 },
        sections: [],
      }
    case 'globalPool1d':
      return { kind: kinds.globalPool1d, function: poolNames.indexOf(step.function), sections: [] }
    case 'affine':
      return {
        kind: kinds.affine,
        image: { frames: false, width: step.scale.length },
        sections: [copied(step.scale), copied(step.shift)],
      }
    case 'conv2d':
      return conv2dEntry(addon, step)
    case 'pool2d':
      return {
        kind: kinds.pool2d,
        function: poolNames.indexOf(step.function),
        flags: step.countPadding ? flags.countPadding : 0,
        windows: { ...step, dilation: 1 },
        columns: { ...step.columns, dilation: 1 },
        image: step,
        sections: [],
      }
    case 'globalPool2d':
      return {
        kind: kinds.globalPool2d,
        function: poolNames.indexOf(step.function),
        image: step,
        sections: [],
      }
    case 'masking':
      return { kind: kinds.masking, reals: [0, 0, 0, step.value], sections: [] }
    case 'reverse':
      return { kind: kinds.reverse, flags: step.keepMask ? flags.keepMask : 0, sections: [] }
    case 'flatten':
    case 'lastStep':
      return { kind: kinds[step.kind], sections: [] }
  }
}

function lstmEntry(addon: PlanAddon, step: PlanLstm): Entry {
  const { I, H, P, layerNorm, directions, eps, zoneoutCell, zoneoutHidden } = step
  const peepholes = directions[0].parameters.peephole !== undefined
  const shape = { I, H, P, layerNorm, peepholes }
  return {
    kind: kinds.lstm,
    hidden: H,
    projection: P,
    flags:
      (layerNorm ? flags.layerNorm : 0) |
      (peepholes ? flags.peepholes : 0) |
      (directions.length === 2 ? flags.twoDirections : 0) |
      (directions[0].reverse ? flags.reverse : 0) |
      (step.returnSequences ? 0 : flags.lastOnly) |
      (step.zeroMasked ? flags.zeroMasked : 0),
    function: merges.indexOf(step.merge),
    reals: [eps, zoneoutCell, zoneoutHidden],
    sections: directions.map(({ parameters }) => ({
      length: addon.lstmPackedLength('forward', shape),
      fill: (packed) => addon.lstmPack('forward', { ...shape, parameters, packed }),
    })),
    variants: directions.map(({ variant }) => variant && copied(variantNumbers(variant))),
  }
}

/** PlanVariant of native/plan/plan.h. */
function variantNumbers({ gate, cell, output, clip, coupledInputForget }: LstmVariant): Float32Array {
  const functions = [gate, cell, output].flatMap(({ kind, alpha, beta }) => [
    activationNames.indexOf(kind),
    alpha,
    beta,
  ])
  return Float32Array.of(...functions, clip, coupledInputForget ? 1 : 0)
}

function conv1dEntry(addon: PlanAddon, step: PlanConv1d): Entry {
  const { I, O, size, groups, weight, bias } = step
  const shape = { I, O, groups, size }
  const packed: Section = {
    length: addon.conv1dPackedLength(shape),
    fill: (memory) => addon.conv1dPack({ ...shape, weight, packed: memory }),
  }
  return {
    kind: kinds.conv1d,
    flags: bias ? flags.bias : 0,
    windows: step,
    groups,
    sections: [packed, copied(bias)],
  }
}

function conv2dEntry(addon: PlanAddon, step: PlanConv2d): Entry {
  const { I, O, size, columns, groups, weight, bias } = step
  const shape = { I, O, groups, size, columnSize: columns.size }
  const packed: Section = {
    length: addon.conv2dPackedLength(shape),
    fill: (memory) => addon.conv2dPack({ ...shape, weight, packed: memory }),
  }
  return {
    kind: kinds.conv2d,
    flags: bias ? flags.bias : 0,
    windows: step,
    columns,
    groups,
    image: step,
    sections: [packed, copied(bias)],
  }
}

function copied(array: FloatArray | undefined): Section | undefined {
  return array && { length: array.length, fill: (packed) => packed.set(array) }
}
