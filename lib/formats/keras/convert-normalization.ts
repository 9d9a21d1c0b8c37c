/** LayerNormalization and BatchNormalization of Keras and tfjs. */
import type { Converted } from './convert.ts'
import type { KerasLayer } from './layer-config.ts'
import { requireShapes } from './tensors.ts'
import type { StoredWeight, Weights } from './weights.ts'

export function convertLayerNormalization(layer: KerasLayer, weights: Weights): Converted[] {
  requireLastAxis(layer)
  layer.require('rms_scaling', false)
  const names = affineNames(layer)
  if (names.length === 0)
    layer.fail('UnsupportedOption', 'expected scale or center: without both its size is unknown')
  const stored = weights.take(names)
  const { size, all } = affine(layer, names, stored)
  return [{ config: { type: 'LayerNorm', size, eps: layer.number('epsilon', 1e-3) }, stored: all }]
}

/** Keras' momentum is the part that stays, and a float: its complement has digits that nobody meant. */
export function complement(momentum: number): number {
  return Number((1 - momentum).toPrecision(12))
}

export function convertBatchNormalization(layer: KerasLayer, weights: Weights): Converted[] {
  requireLastAxis(layer)
  layer.require('renorm', false)
  const names = affineNames(layer)
  const stored = weights.take([...names, 'moving_mean', 'moving_variance'])
  const statistics = stored.slice(-2)
  const { size, all } = affine(layer, names, stored)
  const momentum = complement(layer.number('momentum', 0.99))
  const config = { type: 'BatchNorm', size, momentum, eps: layer.number('epsilon', 1e-3) }
  return [{ config, stored: [...all, ...statistics] }]
}

function requireLastAxis(layer: KerasLayer): void {
  if (!layer.isLastAxis('axis'))
    layer.fail('UnsupportedOption', `expected axis: -1, got ${layer.value('axis')}`)
}

/** Those of gamma and beta that the layer has. */
function affineNames(layer: KerasLayer): string[] {
  return [...(layer.flag('scale', true) ? ['gamma'] : []), ...(layer.flag('center', true) ? ['beta'] : [])]
}

/** Gain and shift, ones and zeros for what the layer has not. @param stored first those of `names`; all are [size] */
function affine(
  layer: KerasLayer,
  names: readonly string[],
  stored: readonly StoredWeight[],
): { size: number; all: StoredWeight[] } {
  const size = stored[0].shape[0]
  requireShapes(
    stored,
    stored.map(() => [size]),
    layer.source.path,
  )
  const constant = (value: number): StoredWeight => ({
    name: layer.name,
    shape: [size],
    read: () => new Float32Array(size).fill(value),
  })
  const one = (name: string, value: number) =>
    names.includes(name) ? stored[names.indexOf(name)] : constant(value)
  return { size, all: [one('gamma', 1), one('beta', 0)] }
}
