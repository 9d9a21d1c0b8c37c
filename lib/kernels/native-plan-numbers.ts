/** The numbers of a plan's program, which native/plan/plan.h and native/kernels/ have too. */
import type { ActivationName, DirectionMerge, Unary } from './contract.ts'
import type { Pool } from './windows.ts'

/** Integers of a step. */
export const stepInts = 32
/** Of a cache line: where each section of the weights begins. */
export const lineFloats = 16
export const paddings = { valid: 0, same: -1, causal: -2 }

/** PlanKind */
export const kinds = {
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
  attention: 17,
}

/** PlanFlag */
export const flags = {
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
  query: 1 << 12,
  key: 1 << 13,
  value: 1 << 14,
  vector: 1 << 15,
  causal: 1 << 16,
}

export const merges: readonly DirectionMerge[] = ['concat', 'sum', 'mul', 'average']
export const unaryNames: readonly Unary[] = [
  ...['exp', 'log', 'sigmoid', 'tanh', 'relu', 'gelu', 'softplus', 'square', 'sqrt', 'abs', 'negate'],
  ...['geluTanh', 'relu6', 'selu', 'softsign', 'silu', 'hardSilu', 'mish', 'leakyRelu', 'elu', 'hardSigmoid'],
] as Unary[]
export const poolNames: readonly Pool[] = ['max', 'average']

export const activationNames: readonly ActivationName[] = [
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
