/** Plans for the native back end: steps written as a flat program, weights packed one behind the other. */
import type { CompiledPlan, FloatArray, LstmParameters, PlanLstm, PlanStep, RunPlan, Unary } from './contract.ts'

/** What the addon exports for plans. */
export interface PlanAddon {
  lstmPackedLength(shape: PackedShape): number
  lstmPack(call: PackedShape & { parameters: LstmParameters; packed: FloatArray }): void
  linearPackedLength(shape: { I: number; O: number }): number
  linearPack(call: { I: number; O: number; weight: FloatArray; packed: FloatArray }): void
  lineOffset(array: Float32Array): number
  runPlan(
    program: Int32Array,
    weights: Float32Array,
    B: number,
    T: number,
    x: FloatArray | Int32Array,
    y: FloatArray,
    lengths?: Int32Array,
    initialState?: FloatArray,
    finalState?: FloatArray,
  ): void
}

interface PackedShape {
  I: number
  H: number
  P: number
  layerNorm: boolean
  peepholes: boolean
}

interface NativePlan extends CompiledPlan {
  program: Int32Array
  weights: Float32Array
}

// native/plan/plan.h has the same numbers.
const kinds = { lstm: 0, linear: 1, embedding: 2, layerNorm: 3, unary: 4, lastStep: 5 }
const flags = { layerNorm: 1, peepholes: 2, twoDirections: 4, reverse: 8, bias: 16, gain: 32 }
const stepInts = 16
const lineFloats = 16
const unaryNames: readonly Unary[] = [
  ...['exp', 'log', 'sigmoid', 'tanh', 'relu', 'gelu', 'softplus', 'square', 'sqrt', 'abs', 'negate'],
] as Unary[]

interface Section {
  length: number
  fill(packed: Float32Array): void
}

/** One step's numbers in the order of PlanStep in native/plan/plan.h, and its weights. */
interface Entry {
  kind: number
  input: number
  output: number
  hidden?: number
  projection?: number
  flags?: number
  state?: number
  function?: number
  eps?: number
  zoneoutCell?: number
  zoneoutHidden?: number
  sections: readonly (Section | undefined)[]
}

/** Packs a model's steps for the target in use. The parameters are copied: the plan is frozen. */
export function compileNativePlan(addon: PlanAddon, steps: readonly PlanStep[]): NativePlan {
  let stateWidth = 0
  const entries = steps.map((step) => {
    const entry = entryOf(addon, step, stateWidth)
    if (step.kind === 'lstm') stateWidth += step.directions.length * ((step.P || step.H) + step.H)
    return entry
  })
  const lines = (section: Section | undefined) => Math.ceil((section?.length ?? 0) / lineFloats)
  const total = entries.flatMap((entry) => entry.sections.map(lines)).reduce((sum, count) => sum + count, 0)
  // Vectors that cross a cache line cost twice: the weights start on one.
  const roomy = new Float32Array((total + 1) * lineFloats)
  const first = addon.lineOffset(roomy)
  const weights = roomy.subarray(first, first + total * lineFloats)

  const program = new Int32Array(1 + entries.length * stepInts)
  program[0] = stateWidth
  let line = 0
  for (const [i, entry] of entries.entries()) {
    const ints = program.subarray(1 + i * stepInts, 1 + (i + 1) * stepInts)
    const { kind, input, output, hidden = 0, projection = 0, flags = 0 } = entry
    ints.set([kind, input, output, hidden, projection, flags])
    for (const [s, section] of entry.sections.entries()) {
      ints[6 + s] = line
      if (section) section.fill(weights.subarray(line * lineFloats, line * lineFloats + section.length))
      line += lines(section)
    }
    ints[8] = entry.state ?? 0
    ints[9] = entry.function ?? 0
    const reals = Float32Array.of(entry.eps ?? 0, entry.zoneoutCell ?? 0, entry.zoneoutHidden ?? 0)
    ints.set(new Int32Array(reals.buffer), 10)
  }
  return { stateWidth, program, weights }
}

export function runNativePlan(addon: PlanAddon, { plan, B, T, x, y, ...rest }: RunPlan): void {
  const { program, weights } = plan as NativePlan
  addon.runPlan(program, weights, B, T, x, y, rest.lengths, rest.initialState, rest.finalState)
}

function entryOf(addon: PlanAddon, step: PlanStep, state: number): Entry {
  switch (step.kind) {
    case 'lstm':
      return lstmEntry(addon, step, state)
    case 'linear': {
      const { I, O, weight, bias } = step
      const packed = {
        length: addon.linearPackedLength({ I, O }),
        fill: (packed: Float32Array) => addon.linearPack({ I, O, weight, packed }),
      }
      return { kind: kinds.linear, input: I, output: O, flags: bias ? flags.bias : 0, sections: [packed, copied(bias)] }
    }
    case 'embedding':
      return { kind: kinds.embedding, input: step.V, output: step.E, sections: [copied(step.weight)] }
    case 'layerNorm': {
      const { F, gain, shift, eps } = step
      const present = (gain ? flags.gain : 0) | (shift ? flags.bias : 0)
      return { kind: kinds.layerNorm, input: F, output: F, flags: present, eps, sections: [copied(gain), copied(shift)] }
    }
    case 'unary': {
      const { F, function: name } = step
      return { kind: kinds.unary, input: F, output: F, function: unaryNames.indexOf(name), sections: [] }
    }
    case 'lastStep':
      return { kind: kinds.lastStep, input: step.F, output: step.F, sections: [] }
  }
}

function lstmEntry(addon: PlanAddon, step: PlanLstm, state: number): Entry {
  const { I, H, P, layerNorm, directions, eps, zoneoutCell, zoneoutHidden } = step
  const peepholes = directions[0].parameters.peephole !== undefined
  const shape = { I, H, P, layerNorm, peepholes }
  return {
    kind: kinds.lstm,
    input: I,
    output: directions.length * (P || H),
    hidden: H,
    projection: P,
    flags:
      (layerNorm ? flags.layerNorm : 0) |
      (peepholes ? flags.peepholes : 0) |
      (directions.length === 2 ? flags.twoDirections : 0) |
      (directions[0].reverse ? flags.reverse : 0),
    state,
    eps,
    zoneoutCell,
    zoneoutHidden,
    sections: directions.map(({ parameters }) => ({
      length: addon.lstmPackedLength(shape),
      fill: (packed) => addon.lstmPack({ ...shape, parameters, packed }),
    })),
  }
}

function copied(array: FloatArray | undefined): Section | undefined {
  return array && { length: array.length, fill: (packed) => packed.set(array) }
}
