/** The steps of a plan for the native back end: what of each stands in the program, and what among the weights. */
import type {
  FloatArray,
  LstmVariant,
  PlanAttention,
  PlanConv1d,
  PlanConv2d,
  PlanImage,
  PlanLstm,
} from './contract.ts'
import type { PlanAddon } from './native-plan.ts'
import {
  activationNames,
  flags,
  kinds,
  lineFloats,
  merges,
  poolNames,
  unaryNames,
} from './native-plan-numbers.ts'
import type { Sized } from './plan-widths.ts'
import type { WindowOptions } from './windows.ts'

/** What the weights hold of a step: so many floats, from the beginning of a cache line. */
export interface Section {
  length: number
  fill(packed: Float32Array): void
}

/** What is particular to one step, in the terms of PlanStep in native/plan/plan.h. */
export interface Entry {
  kind: number
  vocabulary?: number
  hidden?: number
  projection?: number
  flags?: number
  function?: number
  /** eps, zoneout of the cell, zoneout of h, alpha, beta */
  reals?: readonly number[]
  windows?: WindowOptions
  /** Of a convolution, or the heads of attention; default 1. */
  groups?: number
  columns?: WindowOptions
  image?: PlanImage
  sections: readonly (Section | undefined)[]
  /** Of each direction of an LSTM. */
  variants?: readonly (Section | undefined)[]
}

export function entryOf(addon: PlanAddon, { step, input: I, output: O }: Sized): Entry {
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
    case 'attention':
      return attentionEntry(addon, step)
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

/** native/plan/attention.h says what the two sections hold. */
function attentionEntry(addon: PlanAddon, step: PlanAttention): Entry {
  const { I, N, D, E, scale, causal, bias, vector } = step
  const projections = (['query', 'key', 'value'] as const).flatMap((name) => {
    const weight = step[name]
    if (!weight) return []
    const O = N * (name === 'value' ? E : D)
    return { O, weight, flag: flags[name], length: wholeLines(addon.linearPackedLength({ I, O })) }
  })
  const packed: Section = {
    length: projections.reduce((sum, { length }) => sum + length, 0),
    fill: (memory) => {
      let first = 0
      for (const { O, weight, length } of projections) {
        addon.linearPack({ I, O, weight, packed: memory.subarray(first, first + length) })
        first += length
      }
    },
  }
  const present = projections.reduce((sum, { flag }) => sum | flag, 0)
  return {
    kind: kinds.attention,
    hidden: N * D,
    flags: present | (bias ? flags.bias : 0) | (vector ? flags.vector : 0) | (causal ? flags.causal : 0),
    groups: N,
    reals: [0, 0, 0, scale],
    sections: [packed, copied(bias, vector)],
  }
}

function wholeLines(length: number): number {
  return Math.ceil(length / lineFloats) * lineFloats
}

/** The arrays that there are, one behind the other. */
function copied(...arrays: readonly (FloatArray | undefined)[]): Section | undefined {
  const present = arrays.filter((each) => each !== undefined)
  if (present.length === 0) return undefined
  return {
    length: present.reduce((sum, { length }) => sum + length, 0),
    fill: (packed) => {
      let first = 0
      for (const each of present) {
        packed.set(each, first)
        first += each.length
      }
    },
  }
}
