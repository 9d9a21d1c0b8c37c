/** Plans for the native back end: steps written as a flat program, weights packed one behind the other. */
import type {
  CompiledPlan,
  FloatArray,
  LstmPack,
  LstmParameters,
  LstmPass,
  PlanDone,
  PlanStep,
  RunPlan,
  RunPlanAsync,
} from './contract.ts'
import { lineFloats, paddings, stepInts } from './native-plan-numbers.ts'
import { entryOf, type Section } from './native-plan-steps.ts'
import { sizeSteps } from './plan-widths.ts'
import type { WindowOptions } from './windows.ts'

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
    if (entry.windows) ints.set(windowNumbers(entry.windows), 15)
    ints[19] = entry.groups ?? 1
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
