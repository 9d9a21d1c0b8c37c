/** The rows and columns of images, which an input says and a convolution keeps for `compile`. */
import type { LayerConfig } from '../../layers/layer.ts'

/** Layers that change neither. */
const keeping = ['Activation', 'BatchNorm', 'Dropout', 'LayerNorm']

/**
 * Gives the first convolution over images those of the input: of [batch, rows, columns, channels], or of images at every step.
 *
 * @param shape of the input, null for what the caller chooses; undefined where nothing says
 */
export function withImageSize(
  layers: readonly LayerConfig[],
  shape: readonly unknown[] | undefined,
): LayerConfig[] {
  const first = layers.findIndex(({ type }) => !keeping.includes(type))
  if (!shape || first < 0) return [...layers]
  return layers.with(first, withSize(layers[first], shape))
}

function withSize(layer: LayerConfig, shape: readonly unknown[]): LayerConfig {
  if (layer.type === 'Sequential')
    return { ...layer, layers: withImageSize(layer.layers as LayerConfig[], shape) }
  if (layer.type === 'TimeDistributed')
    return { ...layer, layer: withSize(layer.layer as LayerConfig, shape.slice(1)) }
  if (layer.type !== 'Conv2d' || shape.length !== 4) return layer
  const [inputHeight, inputWidth] = shape
    .slice(1, 3)
    .map((n) => (Number.isSafeInteger(n) && (n as number) > 0 ? n : undefined))
  return { ...layer, inputHeight, inputWidth }
}
